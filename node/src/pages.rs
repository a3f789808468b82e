//! Completions and manual pages: both follow from the command line as it is.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;

#[derive(Args)]
pub struct Completion {
    /// The shell that reads the script
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Folder for a page per verb; without it the page of `troupe` itself is printed
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints the script.
pub fn completion(args: &Completion) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "troupe", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}

pub fn man(args: &Man) -> Result<()> {
    match &args.dir {
        Some(dir) => write_pages(dir),
        None => Ok(clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?),
    }
}

fn write_pages(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir).with_context(|| format!("cannot write pages to {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_has_a_page() {
        let folder = tempfile::tempdir().expect("a folder");
        write_pages(folder.path()).expect("pages");
        let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
        assert!(page("troupe.1").contains("chat server"));
        assert!(page("troupe-node-drain.1").contains("drain"));
        for verb in Cli::command().get_subcommands() {
            page(&format!("troupe-{}.1", verb.get_name()));
        }
    }
}
