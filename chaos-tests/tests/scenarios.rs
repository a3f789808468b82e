//! A short run of every scenario on real processes: all promises hold, and enough happens for that
//! to mean something.
//!
//! `scripts/chaos run` does the same for as long as one likes.

use std::path::PathBuf;

use troupe_chaos::report::Verdict;
use troupe_chaos::run::{RunOptions, run};
use troupe_chaos::scenario::Scenario;

/// The binary that `scripts/test` has built beside this test.
fn troupe() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("tests lie in <target>/release/deps");
    let binary = folder.join("troupe");
    assert!(binary.exists(), "{} is missing: run scripts/test, which builds it first", binary.display());
    binary
}

fn holds(scenario: Scenario, seconds: u64, port: u16) {
    let options = RunOptions { port, ..RunOptions::new(troupe(), scenario, seconds, 1) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let report = runtime.block_on(run(options)).expect("the run comes to its end");
    assert_eq!(report.verdict, Verdict::Held, "{}", report.table());
}

#[test]
fn calm() {
    holds(Scenario::Calm, 6, 21_000);
}

#[test]
fn kill_leader() {
    holds(Scenario::KillLeader, 15, 21_400);
}

#[test]
fn kill_follower() {
    holds(Scenario::KillFollower, 10, 21_800);
}

#[test]
fn kill_majority() {
    holds(Scenario::KillMajority, 15, 22_200);
}

#[test]
fn kill_all() {
    holds(Scenario::KillAll, 15, 22_600);
}

#[test]
fn freeze_leader() {
    holds(Scenario::FreezeLeader, 15, 23_000);
}

#[test]
fn rolling_restart() {
    holds(Scenario::RollingRestart, 15, 23_400);
}

#[test]
fn mixed() {
    holds(Scenario::Mixed, 20, 23_800);
}

/// One of each kind of fault that needs more than a signal, where this machine can do it.
fn holds_where_possible(scenario: Scenario, seconds: u64, port: u16) {
    match scenario.impossible(&troupe_chaos::run::capabilities()) {
        Some(why) => eprintln!("not run here: {}: {why}", scenario.name()),
        None => holds(scenario, seconds, port),
    }
}

#[test]
fn partition_leader() {
    holds_where_possible(Scenario::PartitionLeader, 15, 21_200);
}

#[test]
fn partition_one_way() {
    holds_where_possible(Scenario::PartitionOneWay, 15, 21_600);
}

#[test]
fn lossy_network() {
    holds_where_possible(Scenario::LossyNetwork, 12, 22_000);
}

#[test]
fn power_loss_all() {
    holds_where_possible(Scenario::PowerLossAll, 15, 22_400);
}

#[test]
fn sync_error() {
    holds_where_possible(Scenario::SyncError, 12, 22_800);
}

#[test]
fn clock_jump() {
    holds_where_possible(Scenario::ClockJump, 12, 23_200);
}

/// Planted bugs: each breaks a promise, and the harness must report it. They need a real disk,
/// or validate this harness; `scripts/chaos mutants --processes` prints them as a table.
#[cfg(feature = "planted-bugs")]
mod mutants {
    use troupe_chaos::mutants::Mutant;
    use troupe_core::plant::Plant;

    use super::*;

    fn is_caught(plant: Plant, port: u16) {
        let mutant = Mutant::of(plant).expect("it is in the table");
        if let Some(why) = mutant.scenario.impossible(&troupe_chaos::run::capabilities()) {
            eprintln!("not run here: {}: {why}", mutant.scenario.name());
            return;
        }
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let row = runtime.block_on(mutant.detect(troupe(), port)).expect("the runs come to their end");
        assert!(row.caught_by.is_some(), "{}", row.line());
        eprintln!("{}", row.line());
    }

    #[test]
    fn ack_before_commit() {
        is_caught(Plant::AckBeforeCommit, 24_200);
    }

    #[test]
    fn dedup_keyed_without_sender() {
        is_caught(Plant::DedupWithoutSender, 25_400);
    }

    #[test]
    fn fan_out_gap_not_refetched() {
        is_caught(Plant::IgnoreFanOutGap, 25_800);
    }

    #[test]
    fn after_ignored() {
        is_caught(Plant::IgnoreAfter, 26_200);
    }

    #[test]
    fn applied_again_at_replay() {
        is_caught(Plant::ReapplyOnReplay, 26_600);
    }

    #[test]
    fn fsync_left_out() {
        is_caught(Plant::SyncSkipped, 24_600);
    }

    #[test]
    fn failed_writes_ignored() {
        is_caught(Plant::EngineErrorIgnored, 25_000);
    }

    #[test]
    fn lost_end_of_the_database_not_noticed() {
        is_caught(Plant::WitnessIgnored, 23_600);
    }
}
