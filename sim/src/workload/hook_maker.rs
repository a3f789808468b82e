//! The owner of the busy group makes an outgoing hook, whose receiver gets each event of the group.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Error, HookInfo, NewHook};
use troupe_core::ConversationId;

use super::account::Account;
use super::{AGAIN, WorkloadContext};

/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(10);
const SECRET: &str = "the-secret-of-the-hook";

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    workload.everybody().await;
    let mut group = workload.group.subscribe();
    let known = group
        .wait_for(Option::is_some)
        .await
        .expect("the square outlives the people")
        .unwrap_or(ConversationId::Everyone);
    let account = Account::new(workload.clone(), number, user, "hook-maker");
    let client = account.start();
    let made: HookInfo = loop {
        let new = NewHook::Outgoing { url: "http://receiver.example/events".to_owned() };
        match timeout(PATIENCE, client.make_hook(known, "events", SECRET, new)).await {
            Ok(Ok(made)) => break made,
            Ok(Err(Error::Stopped(_))) => return,
            // The request may have been applied: its hook is listed.
            Ok(Err(_)) | Err(_) => {
                let listed = timeout(PATIENCE, client.hooks(known)).await;
                if let Ok(Ok(hooks)) = listed
                    && let Some(hook) = hooks.into_iter().next()
                {
                    break hook;
                }
            }
        }
        sleep(AGAIN).await;
    };
    workload.evidence.hook_made((known, made.hook), made.delivered);
    // The device stays connected and receives events.
    std::future::pending().await
}
