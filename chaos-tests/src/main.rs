//! `chaos`: what `troupe chaos` does, with the binary of one's choice. For `scripts/chaos`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use troupe_chaos::cli::{self, Chaos};

#[derive(Parser)]
#[command(name = "chaos", about = "Breaks a real cluster and checks every promise")]
struct Cli {
    /// The troupe binary to run
    #[arg(long)]
    troupe: PathBuf,
    #[command(subcommand)]
    verb: Chaos,
}

fn main() -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into()))
        .with_writer(std::io::stderr)
        .init();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(cli::run(cli.verb, cli.troupe))
}
