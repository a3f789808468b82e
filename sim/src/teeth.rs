//! Teeth: every planted bug is caught, by the simulation or by real processes; a harness that finds nothing proves nothing.
//!
//! The table says where to look first: seeds that are known to catch a bug. A bug that is caught by no seed of its row or
//! of those after it is a hole in the harness, and fails the run.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Result;
use serde::Serialize;
use troupe_core::plant::Plant;

use crate::report::Report;
use crate::runner::{self, Run};

/// Bugs that simulation cannot show, and what shows them.
pub const BY_PROCESSES: [(Plant, &str); 0] = [];

/// For each bug a seed that catches it. It was found by trying; it saves trying again.
const KNOWN: [(Plant, u64); 0] = [];

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub bug: &'static str,
    /// "simulation", "processes", or nothing.
    pub caught_by: Option<&'static str>,
    /// Seeds told until one caught it, the one that did included.
    pub seeds: Option<u64>,
    pub seconds: Option<f64>,
    /// The seed, and what was wrong there.
    pub seed: Option<u64>,
    pub shown_as: Option<String>,
}

pub struct Bite {
    /// After the known one, seeds from zero on.
    pub tries: u64,
    pub jobs: usize,
    pub only: Option<Plant>,
    /// Without looking at the known ones first: how many seeds does it take?
    pub blind: bool,
}

/// Plants each, and runs seeds until it is caught.
pub fn bite(bite: &Bite, mut each: impl FnMut(&Row)) -> Result<Vec<Row>> {
    let known: BTreeMap<Plant, u64> = KNOWN.into_iter().collect();
    let elsewhere: BTreeMap<Plant, &str> = BY_PROCESSES.into_iter().collect();
    let mut rows = Vec::new();
    for plant in Plant::ALL.into_iter().filter(|plant| bite.only.is_none_or(|only| only == *plant)) {
        let row = match elsewhere.get(&plant) {
            Some(_) => Row {
                bug: plant.name(),
                caught_by: Some("processes"),
                seeds: None,
                seconds: None,
                seed: None,
                shown_as: None,
            },
            None => {
                let known = known.get(&plant).filter(|_| !bite.blind);
                let first = known.map(|seed| *seed..*seed + 1);
                caught(plant, first.into_iter().chain(std::iter::once(0..bite.tries)), bite.jobs)?
            }
        };
        each(&row);
        rows.push(row);
    }
    Ok(rows)
}

fn caught(plant: Plant, ranges: impl IntoIterator<Item = Range<u64>>, jobs: usize) -> Result<Row> {
    let mut row = Row { bug: plant.name(), caught_by: None, seeds: None, seconds: None, seed: None, shown_as: None };
    let (mut tried, begin) = (0, runner::started());
    for seeds in ranges.into_iter().filter(|seeds| !seeds.is_empty()) {
        let run = Run { seeds, jobs, plant: Some(plant), until_caught: true, progress: false };
        let mut first: Option<Report> = None;
        let summary = runner::run(&run, |report| {
            if !report.violations.is_empty() && first.is_none() {
                first = Some(report.clone());
            }
        })?;
        tried += summary.seeds;
        if let Some(report) = first {
            row.caught_by = Some("simulation");
            row.seeds = Some(tried);
            row.seed = Some(report.seed);
            row.shown_as = report.violations.first().cloned();
            break;
        }
    }
    row.seconds = Some((begin().as_secs_f64() * 10.0).round() / 10.0);
    Ok(row)
}
