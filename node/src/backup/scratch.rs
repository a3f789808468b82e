//! A folder for as long as a command runs.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use troupe_runtime::{Rng, private};

use super::manifest::hex;

/// A folder in that of the variable `TMPDIR`, removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Result<Scratch> {
        let name = format!("troupe-backup-{}", hex(&Rng::from_os().bytes::<8>()));
        let path = std::env::temp_dir().join(name);
        private::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, directory = %self.0.display(), "cannot be removed");
        }
    }
}
