//! `chaos`: what `troupe chaos` does, with the binary of one's choice, and the page of proof. For `scripts/chaos` and `scripts/proof`.

mod proof;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use troupe_chaos::cli::{self, Chaos};

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
    /// Write docs/proof.md to the standard output, from what scripts/proof has gathered
    Proof { folder: PathBuf },
}

fn main() -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into()))
        .with_writer(std::io::stderr)
        .init();
    let cli = Cli::parse();
    let verb = match cli.verb {
        Verb::Chaos(verb) => verb,
        Verb::Proof { folder } => {
            print!("{}", proof::write(&folder)?);
            return Ok(ExitCode::SUCCESS);
        }
    };
    let troupe = cli.troupe.context("--troupe: the binary to run is missing")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(cli::run(*verb, troupe))
}
