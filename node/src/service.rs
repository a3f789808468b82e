//! Notifications to the service manager that started the node: ready, stopping, alive, and the
//! obstacle of its start. Without `NOTIFY_SOCKET` there is no such manager.

use std::time::Duration;

use sd_notify::NotifyState;
use troupe_core::text::clean;
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
            // Each line of a notification is a state of its own, and the text may hold the words of
            // another node.
            say(&[NotifyState::Status(&clean(&text))]);
            told = text;
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub fn serving(node: u64) {
    say(&[NotifyState::Ready, NotifyState::Status(&format!("node {node} serves"))]);
}

pub fn stopping(status: &str) {
    say(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// Tells the manager that this process is alive, twice in each of its intervals. A process whose
/// runtime is stuck tells nothing, and is started again.
pub async fn keep_alive() {
    let Some(interval) = sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero()) else { return };
    loop {
        say(&[NotifyState::Watchdog]);
        tokio::time::sleep(interval / 2).await;
    }
}
