//! A fresh local cluster, a folder that goes at the end, and the signals that end a verb.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use troupe_chaos::local::{LocalCluster, Options};
use troupe_raft::transport::token::Token;
use troupe_runtime::{Rng, private};

/// Settings of each local cluster. Its users know each other: they enter a group without an
/// invitation.
const OURS: &[(&str, &str)] = &[("cluster.first_admin", ""), ("contacts.strangers", "add")];

/// A cluster in `dir` whose nodes run `troupe`, with ports near the usual ones.
pub fn plan(troupe: &Path, dir: PathBuf, nodes: usize, settings: &[(&str, &str)]) -> Result<LocalCluster> {
    let all: Vec<(&str, &str)> = OURS.iter().chain(settings).copied().collect();
    plan_exactly(troupe, dir, nodes, &all)
}

/// The same for a program of any version: settings that it does not have are left out.
#[allow(clippy::disallowed_methods, reason = "before any node runs")]
pub fn plan_known(troupe: &Path, dir: PathBuf, nodes: usize, settings: &[(&str, &str)]) -> Result<LocalCluster> {
    let help = Command::new(troupe).args(["start", "--help"]).output();
    let help = help.with_context(|| format!("cannot run {}", troupe.display()))?;
    let flags = String::from_utf8_lossy(&help.stdout).into_owned();
    let all: Vec<(&str, &str)> =
        OURS.iter().chain(settings).copied().filter(|(key, _)| has_flag(&flags, key)).collect();
    plan_exactly(troupe, dir, nodes, &all)
}

/// Whether a help text names the flag of a key.
fn has_flag(help: &str, key: &str) -> bool {
    let flag = format!("--{}", key.replace(['.', '_'], "-"));
    help.split(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '[' | ']')).any(|word| word == flag)
}

fn plan_exactly(troupe: &Path, dir: PathBuf, nodes: usize, settings: &[(&str, &str)]) -> Result<LocalCluster> {
    let options = Options {
        binary: troupe.to_owned(),
        dir,
        nodes,
        settings: settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        environment: Vec::new(),
        ports: (7700, 7780, 7860),
    };
    LocalCluster::plan(options, || Token::generate(&Rng::from_os()).reveal())
}

/// Ctrl-C or SIGTERM.
pub struct Interrupted {
    int: Signal,
    term: Signal,
}

impl Interrupted {
    pub fn new() -> Result<Interrupted> {
        Ok(Interrupted { int: signal(SignalKind::interrupt())?, term: signal(SignalKind::terminate())? })
    }

    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
        }
    }
}

/// A folder that goes with its handle.
pub struct TempDir(pub PathBuf);

pub fn tempdir() -> Result<TempDir> {
    let name = format!("troupe-{:016x}", Rng::from_os().u64());
    let path = std::env::temp_dir().join(name);
    private::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(TempDir(path))
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // Nothing to do about a folder that cannot be removed: the system cleans its temporary
        // folder itself.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_found_by_its_whole_name() {
        let help = "Options:\n      --limits-user-rate <N>  per second\n      --limits-user-rate-of=X\n";
        assert!(has_flag(help, "limits.user_rate"));
        assert!(!has_flag(help, "limits.user"));
        assert!(!has_flag("", "limits.user_rate"));
    }
}
