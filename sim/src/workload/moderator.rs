//! The acts of a group owner as a moderator: mutes of members and of all, slow mode, bans, and
//! their ends. It also makes invite links, and tries to add users whom it has banned.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;
use troupe_client::{Client, Error, link_of_text};
use troupe_core::command::Intent;
use troupe_core::feature::Settings;
use troupe_core::{ConversationId, Timestamp, UserId};
use troupe_runtime::Rng;

use crate::evidence::Evidence;

/// A change without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum duration of a mute.
const MUTE_MS: u64 = 2_000;
/// Refusals of a change that an earlier one has made pointless, or whose time has come.
const EXPECTED: [&str; 9] = [
    "already_banned",
    "not_banned",
    "banned",
    "not_muted",
    "bad_time",
    "no_such_member",
    "already_member",
    "group_full",
    "upgrade_pending",
];

type Links = parking_lot::Mutex<Vec<(ConversationId, String)>>;

#[derive(Default)]
pub struct Moderator {
    /// As far as it knows.
    banned: BTreeSet<(ConversationId, UserId)>,
    /// The greatest time of an event, for times to come.
    now: u64,
}

impl Moderator {
    /// One that is made without an answer stays unused.
    async fn make_link(&mut self, client: &Client, links: &Links, group: ConversationId) {
        if let Ok(Ok(link)) = timeout(PATIENCE, client.make_link(group, 1, None)).await
            && let Some((group, code)) = link_of_text(&link)
        {
            links.lock().push((group, code.to_owned()));
        }
    }

    pub async fn act(
        &mut self,
        (evidence, links): (&Evidence, &Links),
        client: &Client,
        rng: &Rng,
        group: ConversationId,
        user: UserId,
    ) {
        let until = self.now + rng.range(1, MUTE_MS);
        let is_banned = self.banned.contains(&(group, user));
        if rng.range(0, 4) == 0 {
            return self.make_link(client, links, group).await;
        }
        let intent = match rng.range(0, 10) {
            0 | 1 if self.now > 0 => Intent::Mute { user, until: Timestamp(until) },
            2 => Intent::Mute { user, until: Timestamp(0) },
            3 if self.now > 0 => {
                let until = if rng.range(0, 2) == 0 { 0 } else { until };
                Intent::Set(Box::new(Settings { muted_until: Some(until), ..Settings::default() }))
            }
            4 | 5 => {
                let slow_seconds = Some(rng.range(0, 2));
                Intent::Set(Box::new(Settings { slow_seconds, ..Settings::default() }))
            }
            6 | 7 if is_banned => Intent::Ban { user, lift: true },
            _ if is_banned => Intent::Add { users: vec![user] },
            _ => Intent::Ban { user, lift: false },
        };
        match timeout(PATIENCE, client.change_group(group, intent.clone())).await {
            Ok(Ok(acked)) => {
                self.now = self.now.max(acked.time.0);
                match intent {
                    Intent::Ban { lift: false, .. } => drop(self.banned.insert((group, user))),
                    Intent::Ban { lift: true, .. } => drop(self.banned.remove(&(group, user))),
                    _ => {}
                }
            }
            Ok(Err(error)) => {
                let code = error.code().unwrap_or_default().to_owned();
                if matches!(error, Error::Rejected { .. }) && !EXPECTED.contains(&code.as_str()) {
                    evidence.wrong(format!("{intent:?} in {group} was refused: {error}"));
                }
                if code == "not_banned" {
                    self.banned.remove(&(group, user));
                } else if code == "already_banned" {
                    self.banned.insert((group, user));
                }
            }
            // The log shows whether it was applied.
            Err(_) => {}
        }
    }
}
