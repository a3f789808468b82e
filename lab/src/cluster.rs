//! A fresh local cluster, a folder that goes at the end, and the signals that end a verb.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use troupe_chaos::local::{LocalCluster, Options};
use troupe_raft::transport::token::Token;
use troupe_runtime::{Rng, private};

/// A cluster in `dir` whose nodes run `troupe`, with ports near the usual ones.
pub fn plan(troupe: &Path, dir: PathBuf, nodes: usize, settings: &[(&str, &str)]) -> Result<LocalCluster> {
    // The users of a local cluster know each other: they enter a group without an invitation.
    let settings = settings.iter().chain(&[("contacts.strangers", "add")]);
    let options = Options {
        binary: troupe.to_owned(),
        dir,
        nodes,
        settings: [("cluster.first_admin", "")]
            .iter()
            .chain(settings)
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect(),
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
