//! A group owner who adds and removes members all the time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::Client;
use troupe_core::command::Intent;
use troupe_core::event::Role;
use troupe_core::{ClientMessageId, ConversationId, UserId};
use troupe_runtime::Platform;

use super::account::Account;
use super::moderator::Moderator;
use super::{AGAIN, Phase, WorkloadContext};

/// A change without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let account = Account::new(workload.clone(), number, user, "owner");
    let me = account.register().await;
    workload.users.send_modify(|users| users.extend([(user, me)]));
    let users = workload.everybody().await;
    let client = account.start();

    let people: Vec<UserId> = (0..workload.plan.people.busy).map(|user| users[&user]).collect();
    let mut groups = Vec::new();
    for group in 0..workload.plan.people.churn {
        let request = ClientMessageId([group as u8 + 11; 16]);
        let made = loop {
            match client.create_group_as(request, "open", false, &people).await {
                Ok(made) => break made,
                Err(_) => sleep(AGAIN).await,
            }
        };
        workload.churn_groups.send_modify(|open| open.push(made));
        groups.push(made);
    }
    change_members(&workload, &account.platform, &client, &people, &groups).await;
    // The device stays connected and receives events.
    workload.until(Phase::Silent).await;
    std::future::pending().await
}

async fn change_members(
    workload: &WorkloadContext,
    platform: &Platform,
    client: &Client,
    people: &[UserId],
    groups: &[ConversationId],
) {
    let phase = workload.phase.subscribe();
    // Removed users, as far as the owner knows.
    let mut out: BTreeSet<(ConversationId, UserId)> = BTreeSet::new();
    let mut moderator = Moderator::default();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(platform.rng.range(10, workload.plan.people.churn_pause_ms.max(11)))).await;
        let group = groups[platform.rng.range(0, groups.len() as u64) as usize];
        let user = people[platform.rng.range(0, people.len() as u64) as usize];
        if workload.plan.society.moderation && platform.rng.range(0, 2) == 0 {
            moderator.act((&workload.evidence, &workload.links), client, &platform.rng, group, user).await;
            continue;
        }
        let is_out = out.contains(&(group, user));
        let change = match platform.rng.range(0, 8) {
            0 => Intent::Rename { name: format!("open {}", platform.rng.range(0, 1_000)) },
            1 if !is_out => Intent::SetRole { user, role: Role::Member },
            _ if is_out => Intent::Add { users: vec![user] },
            _ => Intent::Remove { user },
        };
        let (adds, removes) = (matches!(change, Intent::Add { .. }), matches!(change, Intent::Remove { .. }));
        // A refusal means that an earlier change was or was not applied. The next change corrects
        // this.
        let _ = timeout(PATIENCE, client.change_group(group, change)).await;
        if adds {
            out.remove(&(group, user));
        } else if removes {
            out.insert((group, user));
        }
    }
}
