//! Mutation testing on real processes: a run with a planted bug must report it.
//!
//! The simulation detects most planted bugs a thousand times faster (`sim/src/mutants.rs`). This
//! list has the bugs that need a real disk, and a few that validate this harness.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::Instant;
use troupe_core::planted::Bug;

use crate::report::Verdict;
use crate::run::{self, RunOptions};
use crate::scenario::Scenario;

/// A bug may hide in one run, but not in this many.
pub const RUNS: u64 = 4;
/// Shorter than usual: a run with a bug may never drain, and a sound one drains in a second or two.
const DRAIN: Duration = Duration::from_secs(20);
/// Sends per second, more than usual because a run is short.
const RATE: u64 = 400;

#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    pub bug: Bug,
    pub scenario: Scenario,
    pub seconds: u64,
}

const fn mutant(bug: Bug, scenario: Scenario, seconds: u64) -> Mutant {
    Mutant { bug, scenario, seconds }
}

pub const MUTANTS: [Mutant; 10] = [
    mutant(Bug::AckBeforeCommit, Scenario::Calm, 5),
    mutant(Bug::DedupWithoutSender, Scenario::Calm, 5),
    mutant(Bug::IgnoreFanOutGap, Scenario::Calm, 5),
    mutant(Bug::IgnoreAfter, Scenario::KillLeader, 12),
    mutant(Bug::ReapplyOnReplay, Scenario::KillAll, 8),
    mutant(Bug::SyncSkipped, Scenario::PowerLossAll, 8),
    mutant(Bug::EngineErrorIgnored, Scenario::WriteError, 8),
    mutant(Bug::WitnessIgnored, Scenario::Truncate, 12),
    mutant(Bug::ReactionTwice, Scenario::Calm, 5),
    mutant(Bug::StreamResumesLate, Scenario::Calm, 8),
];

/// A row of the table of planted bugs, for both harnesses.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub bug: &'static str,
    /// "simulation", the name of a scenario, or none.
    pub caught_by: Option<&'static str>,
    /// Seeds tried up to and including the detection.
    pub seeds: Option<u64>,
    pub seconds: Option<f64>,
    /// The seed of the detection, and the violation.
    pub seed: Option<u64>,
    pub shown_as: Option<String>,
}

impl Row {
    pub fn of(bug: Bug) -> Row {
        Row { bug: bug.name(), caught_by: None, seeds: None, seconds: None, seed: None, shown_as: None }
    }

    pub fn took(&mut self, time: Duration) {
        self.seconds = Some((time.as_secs_f64() * 10.0).round() / 10.0);
    }

    /// The row as text.
    pub fn line(&self) -> String {
        let Row { bug, caught_by, seeds, seconds, shown_as, .. } = self;
        let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
        let (by, seeds, seconds) = (caught_by.unwrap_or("NOT CAUGHT"), number(*seeds), seconds.unwrap_or(0.0));
        let shown: String = shown_as.iter().flat_map(|text| text.chars()).take(100).collect();
        format!("{bug:<28}{by:<16}{seeds:>4} seeds {seconds:>7.1} s  {shown}")
    }
}

impl Mutant {
    pub fn of(bug: Bug) -> Option<Mutant> {
        MUTANTS.into_iter().find(|mutant| mutant.bug == bug)
    }

    /// Runs with the bug until one detects it. `troupe` must be built with the feature
    /// `planted-bugs`.
    pub async fn detect(self, troupe: PathBuf, port: u16) -> Result<Row> {
        let begun = Instant::now();
        let mut row = Row::of(self.bug);
        for seed in 1..=RUNS {
            let bug = Some(self.bug.name().to_owned());
            let plain = RunOptions::new(troupe.clone(), self.scenario, self.seconds, seed);
            let options = RunOptions { rate: RATE, verbose: false, bug, port, drain: DRAIN, ..plain };
            row.seeds = Some(seed);
            // A node that crashes because of the bug gives no verdict; the next seed is tried.
            if let Ok(report) = run::run(options).await
                && report.verdict == Verdict::Broken
            {
                (row.caught_by, row.seed) = (Some(self.scenario.name()), Some(seed));
                row.shown_as = report.violations.first().cloned();
                break;
            }
        }
        row.took(begun.elapsed());
        Ok(row)
    }
}
