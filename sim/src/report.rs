//! The report of one seed, and the summary of all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Fewer acknowledged messages prove nothing.
const ENOUGH: u64 = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Valid,
    Violation,
    /// No violation was found, but too little happened for a verdict.
    Inconclusive,
}

/// A line of JSON from the process of a seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub seed: u64,
    pub verdict: Verdict,
    pub simulated_ms: u64,
    /// Time from healing until the drain was complete.
    pub drained_ms: Option<u64>,
    pub nodes: usize,
    pub faults: BTreeMap<String, u64>,
    pub sent: u64,
    pub acked: u64,
    pub delivered: u64,
    pub conversations: usize,
    pub violations: Vec<String>,
    /// Digest and length of the trace.
    pub trace: String,
}

impl Report {
    pub fn conclude(&mut self) {
        self.verdict = match self {
            _ if !self.violations.is_empty() => Verdict::Violation,
            _ if self.faults.is_empty() || self.acked < ENOUGH => Verdict::Inconclusive,
            _ => Verdict::Valid,
        };
    }

    /// The report of a process that did not complete.
    pub fn broken(seed: u64, why: String) -> Report {
        Report {
            seed,
            verdict: Verdict::Violation,
            simulated_ms: 0,
            drained_ms: None,
            nodes: 0,
            faults: BTreeMap::new(),
            sent: 0,
            acked: 0,
            delivered: 0,
            conversations: 0,
            violations: vec![why],
            trace: String::new(),
        }
    }
}

/// Sums over all seeds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    pub seeds: u64,
    pub simulated_s: u64,
    pub faults: u64,
    /// Acknowledged messages.
    pub messages: u64,
    /// Broken promises, and inconclusive seeds.
    pub violations: u64,
    /// Simulated time per wall-clock time, over all processes.
    pub simulated_s_per_s: f64,
    pub first_failing_seed: Option<u64>,
    /// The command that replays it.
    pub replay: Option<String>,
    #[serde(skip)]
    simulated_ms: u64,
}

impl Summary {
    pub fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.simulated_ms += report.simulated_ms;
        self.simulated_s = self.simulated_ms / 1_000;
        self.faults += report.faults.values().sum::<u64>();
        self.messages += report.acked;
        if report.verdict != Verdict::Valid {
            self.violations += report.violations.len().max(1) as u64;
            if self.first_failing_seed.is_none_or(|first| report.seed < first) {
                self.first_failing_seed = Some(report.seed);
                self.replay = Some(format!("scripts/chaos sim --seeds {0}..{1} --trace", report.seed, report.seed + 1));
            }
        }
    }

    pub fn took(&mut self, seconds: f64) {
        self.simulated_s_per_s = (self.simulated_ms as f64 / 1_000.0 / seconds.max(0.001) * 10.0).round() / 10.0;
    }
}
