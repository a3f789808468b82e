//! Teeth on real processes: bugs planted into the nodes of a run, and the run must say so.
//!
//! Most planted bugs are caught by the simulation, a thousand times faster (`sim/src/teeth.rs`).
//! Here are those that only a real disk shows, and a few that show that this harness sees as much.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::Instant;
use troupe_core::plant::Plant;

use crate::report::Verdict;
use crate::run::{self, RunOptions};
use crate::scenario::Scenario;

/// A bug may hide from one run; it must not hide from this many.
pub const RUNS: u64 = 4;
/// What a bug keeps from draining is not waited for as long as usual; what is sound drains in a
/// second or two.
const DRAIN: Duration = Duration::from_secs(20);
/// Sends per second: more than usual, since a run is short.
const RATE: u64 = 400;

#[derive(Clone, Copy, Debug)]
pub struct Tooth {
    pub plant: Plant,
    pub scenario: Scenario,
    pub seconds: u64,
}

const fn tooth(plant: Plant, scenario: Scenario, seconds: u64) -> Tooth {
    Tooth { plant, scenario, seconds }
}

pub const TEETH: [Tooth; 8] = [
    tooth(Plant::AckBeforeCommit, Scenario::Calm, 5),
    tooth(Plant::DedupWithoutSender, Scenario::Calm, 5),
    tooth(Plant::IgnoreFanOutGap, Scenario::Calm, 5),
    tooth(Plant::IgnoreAfter, Scenario::KillLeader, 12),
    tooth(Plant::ReapplyOnReplay, Scenario::KillAll, 8),
    tooth(Plant::SyncSkipped, Scenario::PowerLossAll, 8),
    tooth(Plant::EngineErrorIgnored, Scenario::WriteError, 8),
    tooth(Plant::WitnessIgnored, Scenario::Truncate, 12),
];

/// A row of the table of planted bugs, whoever caught it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub bug: &'static str,
    /// "simulation", the name of a scenario, or nothing.
    pub caught_by: Option<&'static str>,
    /// Seeds tried until one caught it, the one that did included.
    pub seeds: Option<u64>,
    pub seconds: Option<f64>,
    /// The seed, and what was wrong there.
    pub seed: Option<u64>,
    pub shown_as: Option<String>,
}

impl Row {
    pub fn of(plant: Plant) -> Row {
        Row { bug: plant.name(), caught_by: None, seeds: None, seconds: None, seed: None, shown_as: None }
    }

    pub fn took(&mut self, time: Duration) {
        self.seconds = Some((time.as_secs_f64() * 10.0).round() / 10.0);
    }

    /// For people.
    pub fn line(&self) -> String {
        let Row { bug, caught_by, seeds, seconds, shown_as, .. } = self;
        let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
        let (by, seeds, seconds) = (caught_by.unwrap_or("NOT CAUGHT"), number(*seeds), seconds.unwrap_or(0.0));
        let shown: String = shown_as.iter().flat_map(|text| text.chars()).take(100).collect();
        format!("{bug:<28}{by:<16}{seeds:>4} seeds {seconds:>7.1} s  {shown}")
    }
}

impl Tooth {
    pub fn of(plant: Plant) -> Option<Tooth> {
        TEETH.into_iter().find(|tooth| tooth.plant == plant)
    }

    /// Runs with the bug until one shows it. `troupe` must have been built with the feature
    /// `planted-bugs`.
    pub async fn bite(self, troupe: PathBuf, port: u16) -> Result<Row> {
        let begun = Instant::now();
        let mut row = Row::of(self.plant);
        for seed in 1..=RUNS {
            let plant = Some(self.plant.name().to_owned());
            let plain = RunOptions::new(troupe.clone(), self.scenario, self.seconds, seed);
            let options = RunOptions { rate: RATE, verbose: false, plant, port, drain: DRAIN, ..plain };
            row.seeds = Some(seed);
            // A node that a bug has brought down is no verdict; another seed is.
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
