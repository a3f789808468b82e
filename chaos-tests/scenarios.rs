//! A short run of the scenarios on real processes: all promises hold, and enough happens for a
//! verdict. `scripts/chaos run` does the same for any duration.
//!
//! A test that this machine does not support is ignored, so the runner counts it as skipped. Run
//! with `--run-ignored all`, it fails with the reason.

mod programs;

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU16, Ordering};

use libtest_mimic::{Arguments, Failed, Trial};
use programs::troupe;
use troupe_chaos::disk::{self, Disk};
use troupe_chaos::report::Verdict;
use troupe_chaos::run::{self, RunOptions};
use troupe_chaos::scenario::Scenario;

/// Each scenario with the seconds of its faults.
const SCENARIOS: [(Scenario, u64); 14] = [
    (Scenario::Calm, 6),
    (Scenario::KillLeader, 15),
    (Scenario::KillFollower, 10),
    (Scenario::KillMajority, 15),
    (Scenario::KillAll, 15),
    (Scenario::FreezeLeader, 15),
    (Scenario::RollingRestart, 15),
    (Scenario::Mixed, 20),
    (Scenario::PartitionLeader, 15),
    (Scenario::PartitionOneWay, 15),
    (Scenario::LossyNetwork, 12),
    (Scenario::PowerLossAll, 15),
    (Scenario::SyncError, 12),
    (Scenario::ClockJump, 12),
];

/// Ports of one cluster, from its first client port to its last cluster port.
const PORTS: u16 = 300;

fn main() {
    let capabilities = run::capabilities();
    let mut trials: Vec<Trial> = SCENARIOS
        .into_iter()
        .map(|(scenario, seconds)| {
            let test = move || holds(scenario, seconds);
            trial(scenario.name(), scenario.impossible(&capabilities), test)
        })
        .collect();
    trials.push(trial("power_loss_keeps_synced_data_only", disk::impossible(), power_loss));
    #[cfg(feature = "planted-bugs")]
    trials.extend(mutants::trials(&capabilities));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn trial(
    name: &str,
    impossible: Option<&'static str>,
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let supported = move || match impossible {
        Some(why) => Err(why.into()),
        None => test(),
    };
    Trial::test(name.replace('-', "_"), supported).with_ignored_flag(impossible.is_some())
}

/// Each test of this process gets its own ports.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(21_000);
    NEXT.fetch_add(PORTS, Ordering::Relaxed)
}

fn holds(scenario: Scenario, seconds: u64) -> Result<(), Failed> {
    let options = RunOptions { port: port(), ..RunOptions::new(troupe(), scenario, seconds, 1) };
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(run::run(options)).map_err(|error| format!("{error:#}"))?;
    match report.verdict {
        Verdict::Held => Ok(()),
        Verdict::Broken | Verdict::Inconclusive => Err(report.table().into()),
    }
}

/// The disk under the scenarios of power loss.
fn power_loss() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let at = folder.path().join("disk");
    let disk = Disk::mount(&folder.path().join("image"), &at, 64 * 1024 * 1024).expect("mounted");
    let mut file = File::create(at.join("file"))?;
    file.write_all(b"synced")?;
    file.sync_all()?;
    File::open(&at).and_then(|folder| folder.sync_all())?;
    file.write_all(b" and not")?;
    File::create(at.join("unsynced"))?;
    disk.lose_power().expect("shut down");
    let failed = file.write_all(b"x").and_then(|()| file.sync_all());
    assert!(failed.is_err(), "a disk without power takes writes");
    drop(file);
    disk.power_up().expect("mounted again");
    assert_eq!(std::fs::read(at.join("file"))?, b"synced");
    assert!(!at.join("unsynced").exists());
    Ok(())
}

/// Planted bugs: each breaks a promise, and the harness must report it. They need a real disk, or
/// validate this harness; `scripts/chaos mutants --processes` prints them as a table.
#[cfg(feature = "planted-bugs")]
mod mutants {
    use troupe_chaos::mutants::{MUTANTS, Mutant};
    use troupe_chaos::scenario::Capabilities;

    use super::*;

    pub fn trials(capabilities: &Capabilities) -> impl Iterator<Item = Trial> {
        MUTANTS.into_iter().map(move |mutant| {
            let name = format!("mutants::{}", mutant.bug.name());
            trial(&name, mutant.scenario.impossible(capabilities), move || is_detected(mutant))
        })
    }

    fn is_detected(mutant: Mutant) -> Result<(), Failed> {
        let runtime = tokio::runtime::Runtime::new()?;
        let row = runtime.block_on(mutant.detect(troupe(), port())).map_err(|error| format!("{error:#}"))?;
        eprintln!("{}", row.line());
        match row.caught_by {
            Some(_) => Ok(()),
            None => Err(row.line().into()),
        }
    }
}
