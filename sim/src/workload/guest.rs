//! Guests: users that join groups by invite links for one user each, several at the same link, and
//! leave again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::Error;
use troupe_core::ClientMessageId;
use troupe_core::command::Intent;

use super::account::Account;
use super::{Phase, WorkloadContext};

/// A change without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two visits.
const PAUSE_MS: u64 = 300;
/// How far behind the last link a guest takes one.
const RECENT: u64 = 2;
/// Answers to a code that others were faster with, and to one of a member.
const EXPECTED: [&str; 4] = ["link_used_up", "already_member", "bad_link", "upgrade_pending"];

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let account = Account::new(workload.clone(), number, user, "guest");
    workload.everybody().await;
    let me = account.register().await;
    workload.strangers.send_modify(|strangers| strangers.extend([(user, me)]));
    let client = account.start();
    let rng = account.platform.rng.clone();
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(rng.range(10, PAUSE_MS))).await;
        let link = {
            let links = workload.links.lock();
            let back = rng.range(0, RECENT) as usize;
            links.len().checked_sub(1 + back).and_then(|at| links.get(at)).cloned()
        };
        let Some((group, code)) = link else { continue };
        let request = ClientMessageId(rng.bytes());
        match timeout(PATIENCE, client.join_by_link_as(request, group, &code)).await {
            Ok(Ok(_)) => workload.evidence.joined(&code, me),
            Ok(Err(Error::Rejected { code, text })) if !EXPECTED.contains(&&*code) => {
                workload.evidence.wrong(format!("user {me} was refused by an invite link: {text}"));
            }
            // The log shows whether it was applied.
            Ok(Err(_)) | Err(_) => {}
        }
        if rng.range(0, 2) == 0 {
            let _ = timeout(PATIENCE, client.change_group(group, Intent::Leave)).await;
        }
    }
    // The device stays connected and receives events.
    std::future::pending().await
}
