//! A short form of every attack by one account or one address: honest users get every
//! acknowledgement, and the nodes stay within their memory limits. `scripts/attack --all` runs the
//! long form and checks latencies too.

mod programs;

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use programs::troupe;
use troupe_chaos::attack::{Attack, Times, play};

/// Ports of one cluster, from its first client port to its last cluster port.
const PORTS: u16 = 300;

/// Each test of this process gets its own ports.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(24_000);
    NEXT.fetch_add(PORTS, Ordering::Relaxed)
}

fn harmless(attack: Attack) {
    let seconds = Duration::from_secs;
    let times = Times { calm: seconds(2), attack: seconds(5), after: seconds(8) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let report = runtime.block_on(play(troupe(), attack, times, port())).expect("the attack completes");
    assert!(report.findings.is_empty(), "{}", report.table());
}

#[test]
fn oversized_entry() {
    harmless(Attack::OversizedEntry);
}

#[test]
fn waking() {
    harmless(Attack::Waking);
}

#[test]
fn idle_connections() {
    harmless(Attack::IdleConnections);
}

#[test]
fn reading() {
    harmless(Attack::Reading);
}

#[test]
fn listing() {
    harmless(Attack::Listing);
}

#[test]
fn invitations() {
    harmless(Attack::Invitations);
}

#[test]
fn registration() {
    harmless(Attack::Registration);
}

#[test]
fn places() {
    harmless(Attack::Places);
}

#[test]
fn outsider() {
    harmless(Attack::Outsider);
}

#[test]
fn names() {
    harmless(Attack::Names);
}

#[test]
fn page() {
    harmless(Attack::Page);
}

#[test]
fn administration() {
    harmless(Attack::Administration);
}

#[test]
fn answers() {
    harmless(Attack::Answers);
}

#[test]
fn links() {
    harmless(Attack::Links);
}

#[test]
fn contacts() {
    harmless(Attack::Contacts);
}

#[test]
fn votes() {
    harmless(Attack::Votes);
}

#[test]
fn joins() {
    harmless(Attack::Joins);
}

#[test]
fn forwards() {
    harmless(Attack::Forwards);
}

#[test]
fn growing() {
    harmless(Attack::Growing);
}

#[test]
fn before() {
    harmless(Attack::Before);
}

#[test]
fn pushes() {
    harmless(Attack::Pushes);
}

#[test]
fn http_connections() {
    harmless(Attack::HttpConnections);
}

#[test]
fn http_bodies() {
    harmless(Attack::HttpBodies);
}

#[test]
fn http_requests() {
    harmless(Attack::HttpRequests);
}

#[test]
fn http_answers() {
    harmless(Attack::HttpAnswers);
}

#[test]
fn websocket_upgrades() {
    harmless(Attack::WebSocketUpgrades);
}

#[test]
fn websocket_messages() {
    harmless(Attack::WebSocketMessages);
}

#[test]
fn event_streams() {
    harmless(Attack::EventStreams);
}
