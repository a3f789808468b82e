//! Deterministic simulation of whole nodes: the real stack from the SDK to the engine, several
//! nodes in one process. The network is simulated, disks lose unsynced data, and a seed reproduces
//! one exact run.
//!
//! `chaos-sim sim --seeds A..B` runs a swarm, with a fresh process per seed ([`runner`]). Each
//! [`simulation`] runs what [`plan`] draws: the [`workload`] uses the [`machines`] while the
//! [`nemesis`] injects faults, and the [`oracle`] checks the promises. `chaos-sim mutants` bugs
//! bugs and shows that they are detected.
//!
//! Not covered: threads, RocksDB, TLS and ractor_cluster. Scenarios on real processes cover those.

mod applied_log;
mod cluster_view;
mod entropy;
mod evidence;
mod fault;
mod lanes;
mod links;
mod machines;
mod mutants;
mod nemesis;
mod operator;
mod oracle;
mod plan;
mod push_service;
mod receiver;
mod report;
mod runner;
mod simulation;
mod wire;
mod workload;

use std::ops::Range;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use troupe_core::planted::Bug;

use mutants::Detection;
use report::{Report, Summary, Verdict};
use runner::Run;

#[derive(Parser)]
#[command(name = "chaos-sim", about = "Deterministic simulation of whole nodes, one run per seed")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a swarm of seeds and check each
    Sim {
        /// From the first up to, but not including, the last: 0..200
        #[arg(long, value_parser = seeds)]
        seeds: Range<u64>,
        /// One line of JSON
        #[arg(long)]
        json: bool,
        /// Print the trace of each seed, one seed after another
        #[arg(long)]
        trace: bool,
        /// Concurrent processes
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// One line of JSON for each seed, before the summary
        #[arg(long)]
        each: bool,
    },
    /// Plant each deliberate bug, and run seeds until one detects it
    #[command(alias = "teeth")]
    Mutants {
        /// One line of JSON for each
        #[arg(long)]
        json: bool,
        /// Seeds for each, before it counts as not detected
        #[arg(long, default_value_t = 60)]
        tries: u64,
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// Only this one
        #[arg(long, value_parser = bug)]
        bug: Option<Bug>,
        /// Skip the seed that is known to detect it
        #[arg(long)]
        blind: bool,
    },
    /// Run one seed in this process; prints its report as a line of JSON
    #[command(hide = true)]
    One {
        #[arg(long)]
        seed: u64,
        #[arg(long, value_parser = bug)]
        bug: Option<Bug>,
        #[arg(long)]
        trace: bool,
    },
}

fn seeds(text: &str) -> Result<Range<u64>> {
    let (from, to) = text.split_once("..").context("a range of seeds is written 0..200")?;
    let range = from.trim().parse()?..to.trim().parse()?;
    ensure!(range.start < range.end, "the range {text} is empty");
    Ok(range)
}

fn bug(name: &str) -> Result<Bug> {
    Bug::named(name).with_context(|| {
        let names = Bug::ALL.map(Bug::name);
        format!("no planted bug \"{name}\"; there are {}", names.join(", "))
    })
}

fn main() -> Result<ExitCode> {
    match Cli::parse().verb {
        Verb::One { seed, bug, trace } => {
            let report = simulation::simulate(seed, bug, trace);
            println!("{}", serde_json::to_string(&report)?);
            Ok(exit(report.verdict == Verdict::Valid))
        }
        Verb::Mutants { json, tries, jobs, bug, blind } => {
            let rows = mutants::detect(&Detection { tries, jobs, only: bug, blind }, |row| match json {
                true => println!("{}", serde_json::to_string(row).expect("a row is JSON")),
                false => println!("{}", row.line()),
            })?;
            Ok(exit(rows.iter().all(|row| row.caught_by.is_some())))
        }
        Verb::Sim { seeds, trace: true, .. } => trace(seeds),
        Verb::Sim { seeds, json, jobs, each, .. } => {
            let run = Run { seeds, jobs, bug: None, until_caught: false, progress: !json };
            let summary = runner::run(&run, |report| {
                if each {
                    println!("{}", serde_json::to_string(report).expect("a report is JSON"));
                }
                tell_failure(report);
            })?;
            match json {
                true => println!("{}", serde_json::to_string(&summary)?),
                false => print!("{}", table(&summary)),
            }
            Ok(exit(summary.violations == 0))
        }
    }
}

fn exit(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each seed gets its own process here too. Its output is passed through.
fn trace(seeds: Range<u64>) -> Result<ExitCode> {
    let mut good = true;
    for seed in seeds {
        let mut one = std::process::Command::new(std::env::current_exe()?);
        good &= one.args(["one", "--trace", "--seed", &seed.to_string()]).status()?.success();
    }
    Ok(exit(good))
}

fn tell_failure(report: &Report) {
    if report.verdict != Verdict::Valid {
        eprintln!("\nseed {}: {:?}, {} acknowledged", report.seed, report.verdict, report.acked);
        report.violations.iter().for_each(|text| eprintln!("  {text}"));
    }
}

fn table(summary: &Summary) -> String {
    let Summary { seeds, simulated_s, faults, messages, violations, simulated_s_per_s, .. } = summary;
    let mut text = format!(
        "seeds        {seeds}\nsimulated    {simulated_s} s ({simulated_s_per_s} s per second)\nfaults       {faults}\n\
         messages     {messages}\nviolations   {violations}\n"
    );
    if let (Some(seed), Some(replay)) = (summary.first_failing_seed, &summary.replay) {
        text += &format!("first        seed {seed}; replay: {replay}\n");
    }
    text
}
