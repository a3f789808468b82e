//! `troupe chaos`: the verbs of the chaos harness, and those that only a build of this workspace
//! needs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use troupe_chaos::cli::Chaos;
use troupe_chaos::mutants::MUTANTS;
use troupe_chaos::run;

/// First port of the nodes.
const PORT: u16 = 27_000;

#[derive(Subcommand)]
pub enum Verb {
    #[command(flatten)]
    Chaos(Chaos),
    /// Bug bugs in real nodes, and run scenarios until each is detected (needs a binary with the
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

/// Skips a bug whose scenario this machine does not support, and reports it.
pub async fn detect(troupe: PathBuf, json: bool) -> Result<ExitCode> {
    let capabilities = run::capabilities();
    let mut missed = false;
    for mutant in MUTANTS {
        if let Some(why) = mutant.scenario.impossible(&capabilities) {
            eprintln!("skipped: {}: {why}", mutant.bug.name());
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
