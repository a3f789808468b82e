//! The host of a group by approval, which pins its messages there and recalls some, and an
//! applicant that asks to join it, withdraws, leaves and asks again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Acked, Client, Error, Result};
use troupe_core::command::Intent;
use troupe_core::feature::Settings;
use troupe_core::{Body, ClientMessageId, ConversationId, Seq, UserId};
use troupe_runtime::Rng;

use super::account::Account;
use super::device::settled;
use super::{AGAIN, Phase, WorkloadContext};

/// A change without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two acts.
const PAUSE_MS: u64 = 400;
/// Refusals of an act that an earlier one, or the other user, has made pointless.
const EXPECTED: [&str; 8] = [
    "not_open",
    "not_member",
    "already_member",
    "already_asked",
    "no_such_request",
    "no_such_member",
    "not_allowed",
    "upgrade_pending",
];

/// The same for pins.
const OF_PINS: [&str; 6] =
    ["already_pinned", "not_pinned", "erased", "too_many_pins", "recall_too_late", "upgrade_pending"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Host,
    Applicant,
}

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize, part: Part) {
    let users = workload.everybody().await;
    let account = Account::new(workload.clone(), number, user, if part == Part::Host { "host" } else { "applicant" });
    let client = account.start();
    let rng = account.platform.rng.clone();
    let person = Person { me: users[&user], number, workload: workload.clone(), client, rng };
    match part {
        Part::Host => person.host(users[&1]).await,
        Part::Applicant => person.apply().await,
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

struct Person {
    me: UserId,
    number: u32,
    workload: Arc<WorkloadContext>,
    client: Client,
    rng: Arc<Rng>,
}

impl Person {
    async fn host(&self, applicant: UserId) {
        let group = loop {
            match self.client.create_group_as(ClientMessageId([77; 16]), "by approval", false, &[]).await {
                Ok(group) => break group,
                Err(_) => sleep(AGAIN).await,
            }
        };
        self.workload.churn_groups.send_modify(|groups| groups.push(group));
        let settings = Settings { join: Settings::APPROVAL, ..Settings::default() };
        let phase = self.workload.phase.subscribe();
        let mut is_set = false;
        // Its messages that are not recalled, as far as it knows.
        let mut said: Vec<Seq> = Vec::new();
        while *phase.borrow() == Phase::Talking {
            self.pause().await;
            if !is_set {
                is_set = self.change(group, Intent::Set(Box::new(settings.clone()))).await;
                if is_set {
                    self.workload.by_approval.send_modify(|known| *known = Some(group));
                }
                continue;
            }
            if self.rng.range(0, 2) == 0 {
                self.pin(group, &mut said).await;
                continue;
            }
            if self.rng.range(0, 3) == 0 {
                self.change(group, Intent::Remove { user: applicant }).await;
                continue;
            }
            let Ok(Ok(requests)) = timeout(PATIENCE, self.client.join_requests(group)).await else { continue };
            for request in requests {
                let accept = self.rng.range(0, 3) > 0;
                self.change(group, Intent::AnswerRequest { user: request.user, accept }).await;
            }
        }
    }

    /// Says something, or pins, unpins or recalls one of the last messages.
    async fn pin(&self, group: ConversationId, said: &mut Vec<Seq>) {
        let one = said.len().checked_sub(1 + self.rng.range(0, 3) as usize).map(|at| said[at]);
        let Some(one) = one.filter(|_| self.rng.range(0, 5) > 0) else {
            said.extend(self.say(group).await);
            return;
        };
        if self.rng.range(0, 3) == 0 {
            // A reader is a member that sees the message: the log shows whether it is.
            if let Ok(Ok(readers)) = timeout(PATIENCE, self.client.readers(group, one)).await {
                readers.into_iter().for_each(|user| self.workload.evidence.looked_at(user, group, [one.0]));
            }
            return;
        }
        let answer = match self.rng.range(0, 6) {
            0 => timeout(PATIENCE, self.client.recall(group, one)).await,
            1 => timeout(PATIENCE, self.client.unpin(group, one)).await,
            _ => timeout(PATIENCE, self.client.pin(group, one)).await,
        };
        if let Ok(Err(Error::Rejected { code, text })) = answer {
            if !OF_PINS.contains(&&*code) {
                self.workload.evidence.wrong(format!("a pin of {one} in {group} was refused: {text}"));
            }
            if code == "erased" {
                said.retain(|seq| *seq != one);
            }
        }
    }

    /// The place of a message, if it is acknowledged.
    async fn say(&self, group: ConversationId) -> Option<Seq> {
        let id = ClientMessageId(self.rng.bytes());
        let sent = self.client.send_as(group, id, Body::text(&id.to_string())).ok()?;
        let name = format!("{}/{id}", self.me);
        self.workload.evidence.invoked(self.number, self.me, group, &name);
        let outcome = sent.await;
        let seq = outcome.as_ref().ok().map(|acked| acked.seq);
        settled(&self.workload, self.number, group, name, outcome);
        seq
    }

    async fn apply(&self) {
        let phase = self.workload.phase.subscribe();
        while *phase.borrow() == Phase::Talking {
            self.pause().await;
            let Some(group) = *self.workload.by_approval.borrow() else { continue };
            if let Ok(Ok(page)) = timeout(PATIENCE, self.client.history_before(group, Seq(0), 1)).await {
                let _ = timeout(PATIENCE, self.client.mark_read(group, page.head)).await;
            }
            let intent = match self.rng.range(0, 8) {
                0 => Intent::Withdraw,
                1 => Intent::Leave,
                2 => Intent::Join,
                _ => Intent::AskToJoin { text: "It is me".to_owned() },
            };
            self.change(group, intent).await;
        }
    }

    async fn pause(&self) {
        sleep(Duration::from_millis(self.rng.range(10, PAUSE_MS))).await;
    }

    /// Whether it is acknowledged. The log shows what an unanswered change has done.
    async fn change(&self, group: ConversationId, intent: Intent) -> bool {
        let answer: std::result::Result<Result<Acked>, _> =
            timeout(PATIENCE, self.client.change_group(group, intent.clone())).await;
        match answer {
            Ok(Ok(_)) => true,
            Ok(Err(Error::Rejected { code, text })) => {
                if !EXPECTED.contains(&&*code) {
                    self.workload.evidence.wrong(format!("{intent:?} in {group} was refused: {text}"));
                }
                false
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }
}
