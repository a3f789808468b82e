//! `chaos run --scenario NAME --seconds N`: breaks a real cluster and prints a verdict. Exit status 0 only when every promise held and
//! the run was conclusive.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use troupe_chaos::report::Verdict;
use troupe_chaos::run::{self, RunOptions};
use troupe_chaos::scenario::Scenario;

#[derive(Parser)]
#[command(name = "chaos", about = "Breaks a real cluster and checks every promise")]
struct Cli {
    /// The troupe binary to run
    #[arg(long)]
    troupe: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// One scenario per line
    List,
    /// Run one scenario and judge it
    Run {
        #[arg(long)]
        scenario: String,
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Draws workload and faults; printed, so that a run can be repeated
        #[arg(long)]
        seed: Option<u64>,
        /// Sends per second, all devices together
        #[arg(long, default_value_t = 250)]
        rate: u64,
        /// Keep data folders, logs and history.json here
        #[arg(long)]
        keep: Option<PathBuf>,
        /// A deliberate bug for the nodes to carry (builds with the feature planted-bugs only)
        #[arg(long)]
        plant: Option<String>,
        #[arg(long)]
        json: bool,
    },
}

fn main() -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into()))
        .with_writer(std::io::stderr)
        .init();
    let cli = Cli::parse();
    match cli.verb {
        Verb::List => {
            for scenario in Scenario::ALL {
                println!("{:<16}{}", scenario.name(), scenario.about());
            }
            Ok(ExitCode::SUCCESS)
        }
        Verb::Run { scenario, seconds, seed, rate, keep, plant, json } => {
            let scenario = Scenario::named(&scenario).with_context(|| {
                let names: Vec<&str> = Scenario::ALL.iter().map(|s| s.name()).collect();
                format!("no scenario \"{scenario}\"; there are {}", names.join(", "))
            })?;
            let seed = seed.unwrap_or_else(|| troupe_runtime::Rng::from_os().u64() >> 32);
            let binary = cli.troupe;
            let options =
                RunOptions { binary, scenario, seconds, seed, rate, keep, plant, verbose: !json, port: 27_000 };
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let report = runtime.block_on(run::run(options))?;
            match json {
                true => println!("{}", serde_json::to_string(&report)?),
                false => print!("{}", report.table()),
            }
            Ok(if report.verdict == Verdict::Held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}
