//! `chaos`: `troupe chaos` with any binary, and the proof page. For `scripts/chaos` and
//! `scripts/proof`.

mod proof;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use troupe_chaos::cli::{self, Chaos};
use troupe_chaos::mutants::MUTANTS;
use troupe_chaos::run;

/// First port of the nodes.
const PORT: u16 = 27_000;

#[derive(Parser)]
#[command(name = "chaos", about = "Breaks a real cluster and checks every promise")]
struct Cli {
    /// The troupe binary to run
    #[arg(long)]
    troupe: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    #[command(flatten)]
    Chaos(Box<Chaos>),
    /// Plant bugs in real nodes, and run scenarios until each is detected (needs a binary with the
    /// feature planted-bugs)
    #[command(alias = "teeth")]
    Mutants {
        /// One line of JSON for each
        #[arg(long)]
        json: bool,
    },
    /// Print docs/proof.md from the files that scripts/proof has collected
    Proof { folder: PathBuf },
}

fn main() -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into()))
        .with_writer(std::io::stderr)
        .init();
    let cli = Cli::parse();
    let troupe = cli.troupe.context("--troupe: the binary to run is missing");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.verb {
        Verb::Chaos(verb) => runtime.block_on(cli::run(*verb, troupe?)),
        Verb::Mutants { json } => runtime.block_on(detect(troupe?, json)),
        Verb::Proof { folder } => {
            print!("{}", proof::write(&folder)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Skips a bug whose scenario this machine does not support, and reports it.
async fn detect(troupe: PathBuf, json: bool) -> Result<ExitCode> {
    let capabilities = run::capabilities();
    let mut missed = false;
    for mutant in MUTANTS {
        if let Some(why) = mutant.scenario.impossible(&capabilities) {
            eprintln!("skipped: {}: {why}", mutant.plant.name());
            continue;
        }
        let row = mutant.detect(troupe.clone(), PORT).await?;
        match json {
            true => println!("{}", serde_json::to_string(&row)?),
            false => println!("{}", row.line()),
        }
        missed |= row.caught_by.is_none();
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
