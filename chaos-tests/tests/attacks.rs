//! A short form of every attack by one account or one address: honest users get every
//! acknowledgement, and the nodes stay within their memory. `scripts/attack --all` plays the long
//! form and judges latencies too.

use std::path::PathBuf;
use std::time::Duration;

use troupe_chaos::attack::{Attack, Times, play};

/// The binary that `scripts/test` has built beside this test.
fn troupe() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("tests lie in <target>/release/deps");
    let binary = folder.join("troupe");
    assert!(binary.exists(), "{} is missing: run scripts/test, which builds it first", binary.display());
    binary
}

fn harmless(attack: Attack, port: u16) {
    let seconds = Duration::from_secs;
    let times = Times { calm: seconds(2), attack: seconds(5), after: seconds(8) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let report = runtime.block_on(play(troupe(), attack, times, port)).expect("the attack is played to its end");
    assert!(report.findings.is_empty(), "{}", report.table());
}

#[test]
fn oversized_entry() {
    harmless(Attack::OversizedEntry, 29_000);
}

#[test]
fn waking() {
    harmless(Attack::Waking, 29_020);
}

#[test]
fn idle_connections() {
    harmless(Attack::IdleConnections, 29_040);
}

#[test]
fn reading() {
    harmless(Attack::Reading, 29_060);
}

#[test]
fn listing() {
    harmless(Attack::Listing, 29_080);
}

#[test]
fn invitations() {
    harmless(Attack::Invitations, 29_400);
}

#[test]
fn registration() {
    harmless(Attack::Registration, 29_420);
}

#[test]
fn places() {
    harmless(Attack::Places, 29_440);
}

#[test]
fn outsider() {
    harmless(Attack::Outsider, 29_460);
}

#[test]
fn names() {
    harmless(Attack::Names, 29_800);
}

#[test]
fn page() {
    harmless(Attack::Page, 29_820);
}

#[test]
fn administration() {
    harmless(Attack::Administration, 29_840);
}

#[test]
fn answers() {
    harmless(Attack::Answers, 29_860);
}
