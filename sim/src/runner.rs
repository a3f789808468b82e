//! Runs many seeds, each in a fresh process, a few at a time.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use troupe_core::planted::Bug;

use crate::report::{Report, Summary, Verdict};

/// A process that takes longer hangs. Wall-clock seconds, with a margin for a busy machine.
const HANGS_AFTER: u64 = 240;

pub struct Run {
    pub seeds: Range<u64>,
    pub jobs: usize,
    pub bug: Option<Bug>,
    /// Stops at the first seed that is not valid.
    pub until_caught: bool,
    /// Prints the progress.
    pub progress: bool,
}

/// Runs all seeds. `each` receives the reports in the order in which the seeds complete.
pub fn run(run: &Run, mut each: impl FnMut(&Report)) -> Result<Summary> {
    let begin = started();
    let program = std::env::current_exe().context("this program has a path")?;
    let queue: Arc<Mutex<VecDeque<u64>>> = Arc::new(Mutex::new(run.seeds.clone().collect()));
    let (done, reports) = mpsc::channel();
    let mut summary = Summary::default();
    std::thread::scope(|scope| {
        for _ in 0..run.jobs.max(1) {
            let (queue, done, program) = (queue.clone(), done.clone(), program.clone());
            scope.spawn(move || {
                loop {
                    let Some(seed) = queue.lock().pop_front() else { return };
                    // The receiver is gone after a detection.
                    if done.send(one(&program, seed, run.bug)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        for report in reports {
            summary.add(&report);
            each(&report);
            if run.progress {
                show(&summary, run.seeds.end - run.seeds.start);
            }
            if run.until_caught && report.verdict == Verdict::Violation {
                queue.lock().clear();
            }
        }
    });
    if run.progress {
        eprintln!();
    }
    summary.took(begin().as_secs_f64());
    Ok(summary)
}

#[allow(clippy::disallowed_methods, reason = "the runner is not a node: it measures wall-clock time")]
pub fn started() -> impl Fn() -> std::time::Duration {
    let begin = std::time::Instant::now();
    move || begin.elapsed()
}

fn show(summary: &Summary, of: u64) {
    if std::io::stderr().is_terminal() {
        let Summary { seeds, simulated_s, violations, .. } = summary;
        eprint!("\r{seeds} of {of} seeds, {simulated_s} simulated s, {violations} violations ");
        // Progress is optional.
        let _ = std::io::stderr().flush();
    }
}

/// A process of its own, because process-wide counters must start from zero.
fn one(program: &std::path::Path, seed: u64, bug: Option<Bug>) -> Report {
    // `timeout` kills a process that hangs, so that a swarm always completes.
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", &HANGS_AFTER.to_string()]).arg(program).args(["one", "--seed", &seed.to_string()]);
    if let Some(bug) = bug {
        command.args(["--bug", bug.name()]);
    }
    let ended = match command.stdin(Stdio::null()).output() {
        Ok(ended) => ended,
        Err(error) => return Report::broken(seed, format!("its process could not be started: {error}")),
    };
    let said = String::from_utf8_lossy(&ended.stdout);
    let report = said.lines().next_back().and_then(|line| serde_json::from_str::<Report>(line).ok());
    let complaint = String::from_utf8_lossy(&ended.stderr);
    match report {
        Some(mut report) => {
            let panic = complaint.lines().find(|line| line.contains("panicked at"));
            report.violations.extend(panic.map(str::to_owned));
            report
        }
        None => {
            let last: Vec<&str> = complaint.lines().rev().take(6).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            Report::broken(seed, format!("its process ended without a report ({}): {}", ended.status, last.join(" | ")))
        }
    }
}
