//! Notifications to the service manager that started the node: ready, stopping, alive, and the
//! obstacle of its start. Without `NOTIFY_SOCKET` there is no such manager.

use std::time::Duration;

use sd_notify::NotifyState;
use troupe_raft::formation::waiting::Waiting;

/// Between two looks at what the start waits for.
const LOOK: Duration = Duration::from_secs(1);

fn say(states: &[NotifyState]) {
    // A node serves without a manager too.
    let _ = sd_notify::notify(states);
}

/// Until the node serves: the obstacle of its start, as the status of the service.
pub async fn tell_waiting(waiting: Waiting) {
    let mut told = String::new();
    loop {
        let text = waiting.text();
        if text != told {
            say(&[NotifyState::Status(&text)]);
            told = text;
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub fn serving(node: u64) {
    say(&[NotifyState::Ready, NotifyState::Status(&format!("node {node} serves"))]);
}

pub fn stopping() {
    say(&[NotifyState::Stopping, NotifyState::Status("draining: leaders and clients move to other nodes")]);
}

/// Tells the manager that this process is alive, twice in each of its intervals. A process whose
/// runtime is stuck tells nothing, and is started again.
pub async fn keep_alive() {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    loop {
        say(&[NotifyState::Watchdog]);
        tokio::time::sleep(interval / 2).await;
    }
}
