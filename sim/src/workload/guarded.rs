//! A user makes a group with a hook that is asked before each message, and sends there. The
//! receiver refuses some, and does not answer now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Error, NewHook};
use troupe_core::{Body, ClientMessageId, ConversationId, UserId};
use troupe_runtime::Rng;

use super::account::Account;
use super::{AGAIN, Phase, WorkloadContext};
use crate::receiver::REFUSED_WORD;

/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(10);
/// Maximum pause between two messages.
const PAUSE_MS: u64 = 400;
const SECRET: &str = "the-secret-of-the-guard";

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let users = workload.everybody().await;
    let account = Account::new(workload.clone(), number, user, "guarded");
    let (client, rng) = (account.start(), account.platform.rng.clone());
    if let Some(group) = make(&workload, &client).await {
        talk(&workload, &client, &rng, (number, users[&user]), group).await;
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

/// `None`: the device has stopped.
async fn make(workload: &WorkloadContext, client: &Client) -> Option<ConversationId> {
    let group = loop {
        match client.create_group_as(ClientMessageId([88; 16]), "guarded", false, &[]).await {
            Ok(group) => break group,
            Err(Error::Stopped(_)) => return None,
            Err(_) => sleep(AGAIN).await,
        }
    };
    // Its members are not those of the busy group.
    workload.churn_groups.send_modify(|groups| groups.push(group));
    loop {
        let new = NewHook::Before { url: "http://receiver.example/ask".to_owned(), closed: true };
        match timeout(PATIENCE, client.make_hook(group, "guard", SECRET, new)).await {
            Ok(Ok(_)) => break,
            Ok(Err(Error::Stopped(_))) => return None,
            // The request may have been applied: its hook is listed.
            Ok(Err(_)) | Err(_) => {
                let listed = timeout(PATIENCE, client.hooks(group)).await;
                if matches!(listed, Ok(Ok(hooks)) if !hooks.is_empty()) {
                    break;
                }
            }
        }
        sleep(AGAIN).await;
    }
    // Nothing was sent before.
    workload.evidence.guarded(group);
    Some(group)
}

async fn talk(
    workload: &WorkloadContext,
    client: &Client,
    rng: &Rng,
    (number, me): (u32, UserId),
    group: ConversationId,
) {
    let (evidence, phase) = (&workload.evidence, workload.phase.subscribe());
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(rng.range(0, PAUSE_MS))).await;
        let id = ClientMessageId(rng.bytes());
        let name = format!("{me}/{id}");
        let text = if rng.range(0, 3) == 0 { REFUSED_WORD } else { "hello" };
        evidence.invoked(number, me, group, &name);
        let Ok(handle) = client.send_as(group, id, Body::text(text)) else { break };
        // The outbox sends until there is an outcome, however late: a dropped handle would lose it.
        match handle.await {
            Ok(acked) => evidence.acked(number, group, &name, acked.seq.0),
            Err(Error::Rejected { code, .. }) => evidence.rejected(number, group, &name, &code),
            Err(Error::Stopped(_)) => break,
            Err(_) => {}
        }
    }
}
