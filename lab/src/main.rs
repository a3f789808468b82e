//! `troupe-lab`: the verbs of `troupe` that run whole clusters on this machine.
//!
//! [`demo`] runs one to try, [`mod@bench`] measures one, [`chaos`] breaks one and judges what its
//! clients saw. Each node is a process of the `troupe` program, by `troupe_chaos::local`. `troupe`
//! starts this program for these verbs, so that a server contains no test bench.

mod bench;
mod chaos;
mod cluster;
mod demo;
mod proof;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use troupe_core::text::clean_lines;

/// The allocator of the server: figures of a bench depend on that of its load generator too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The name of the server's program, which lies beside this one.
const TROUPE: &str = "troupe";

#[derive(Parser)]
#[command(version, about = "Run, measure and break local clusters of troupe", propagate_version = true)]
struct Cli {
    /// The program that the nodes run; without it the one beside this program
    #[arg(long, value_name = "BINARY")]
    troupe: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a whole cluster on this machine, with accounts to try it
    Demo(demo::Demo),
    /// Measure a cluster
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Break a cluster and judge what its clients saw
    #[command(subcommand)]
    Chaos(Box<chaos::Verb>),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Printing panics if standard error is on a full disk; the exit code still reports it.
            let _ = writeln!(std::io::stderr(), "error: {}", clean_lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    if let Verb::Demo(_) = cli.verb {
        // Before any thread: the files of a demo hold messages and secrets.
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    }
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into()))
        .with_writer(std::io::stderr)
        .init();
    let troupe = || found(cli.troupe);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match cli.verb {
            Verb::Demo(args) => demo::run(args, &troupe()?).await,
            Verb::Bench(verb) => bench::run(verb, &troupe()?).await.map(|()| ExitCode::SUCCESS),
            Verb::Chaos(verb) => match *verb {
                chaos::Verb::Proof { folder } => {
                    print!("{}", proof::write(&folder)?);
                    Ok(ExitCode::SUCCESS)
                }
                chaos::Verb::Mutants { json } => chaos::detect(troupe()?, json).await,
                chaos::Verb::Chaos(verb) => troupe_chaos::cli::run(verb, troupe()?).await,
            },
        }
    });
    runtime.shutdown_background();
    outcome
}

/// The program that was given, or the one beside this program.
fn found(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path);
    }
    let path = std::env::current_exe().context("cannot find this program on disk")?.with_file_name(TROUPE);
    ensure!(path.exists(), "{} is missing: cargo build --release -p troupe", path.display());
    Ok(path)
}

/// How a command that a person may paste names `troupe`: as it was typed, since `troupe` gives this
/// process its own name, or by its path if this program was started itself.
fn called(troupe: &Path) -> String {
    let typed = std::env::args().next().unwrap_or_default();
    let own = std::env::current_exe().ok();
    let is_own = own.as_deref().and_then(Path::file_name) == Path::new(&typed).file_name();
    if is_own { troupe.display().to_string() } else { typed }
}
