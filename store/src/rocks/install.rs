//! Replacing whole key ranges by files that RocksDB ingests.
//!
//! The content goes to SST files in `install/` beside the database, each beginning with a range
//! delete over its part of the ranges. The commit has four steps:
//!
//! - sync the directory;
//! - write the [`Intent`] with an fsync, which is the decision;
//! - ingest each family's files, which is one manifest edit per family;
//! - write the caller's batch and remove the intent in one synced batch.
//!
//! After a crash the next open finds no intent and deletes the files, or finds an intent and
//! finishes from the files. RocksDB takes files by hard link. A file that was already ingested is
//! gone from `install/`, or is ingested once more, which changes nothing: no other writer touches a
//! range during an install.
//!
//! While a commit runs, readers may see one family new and another still old.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rocksdb::{IngestExternalFileOptions, SstFileWriter};

use super::intent::Intent;
use super::{Inner, open, options};
use crate::engine::{Batch, Durability, EngineError, Family, Pair, Replace};
use crate::key::node::REPLACE;
use crate::replace::Order;

/// Bytes of one family before they become a file.
const FILE_BYTES: usize = 16 * 1024 * 1024;

/// State that the installs of one engine share.
#[derive(Default)]
pub(super) struct Installs {
    /// Number of the last file.
    files: AtomicU64,
    /// Held during a commit: there is one intent row.
    turn: Mutex<()>,
}

/// One family's part of an install.
#[derive(Default)]
struct Part {
    /// Ascending.
    ranges: Vec<(Vec<u8>, Vec<u8>)>,
    /// Content from here on is in no file yet.
    from: Vec<u8>,
    pairs: Vec<Pair>,
    bytes: usize,
}

pub(super) struct Install {
    inner: Arc<Inner>,
    order: Order,
    parts: BTreeMap<Family, Part>,
    files: Vec<(Family, String)>,
    /// Bytes gathered before they become a file.
    file_bytes: usize,
    /// The decision has been written, so the files must stay.
    decided: bool,
}

impl Install {
    pub(super) fn begin(inner: Arc<Inner>, ranges: Vec<(Family, Vec<u8>, Vec<u8>)>) -> Result<Install, EngineError> {
        fs::create_dir_all(inner.install_dir()).map_err(|error| inner.fatal(error))?;
        let mut parts = BTreeMap::<Family, Part>::new();
        for (family, from, to) in ranges.iter().filter(|(_, from, to)| from < to).cloned() {
            parts.entry(family).or_default().ranges.push((from, to));
        }
        for part in parts.values_mut() {
            part.ranges.sort();
        }
        let order = Order::new(ranges);
        Ok(Install { inner, order, parts, files: Vec::new(), file_bytes: FILE_BYTES, decided: false })
    }

    /// Smaller files, so that a test has several.
    #[cfg(test)]
    pub(super) fn with_files_of(mut self, bytes: usize) -> Install {
        self.file_bytes = bytes;
        self
    }

    /// Writes what `family` has gathered into a file that replaces its ranges from where the last
    /// file ended to `end`.
    fn finish_file(&mut self, family: Family, end: Option<&[u8]>) -> Result<(), EngineError> {
        let Some(part) = self.parts.get_mut(&family) else { return Ok(()) };
        let number = self.inner.installs.files.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}.sst", family.name());
        let path = self.inner.install_dir().join(&name);
        self.files.push((family, name));

        let options = options::family(family, &options::cache());
        let mut file = SstFileWriter::create(&options);
        let mut write = || {
            file.open(&path)?;
            for (from, to) in &part.ranges {
                let from = from.as_slice().max(&part.from);
                let to = end.map_or(to.as_slice(), |end| end.min(to));
                if from < to {
                    file.delete_range(from, to)?;
                }
            }
            for (key, value) in part.pairs.drain(..) {
                file.put(key, value)?;
            }
            // Syncs the file.
            file.finish()
        };
        write().map_err(|error| self.inner.fatal(error))?;
        part.bytes = 0;
        part.from = end.unwrap_or_default().to_vec();
        Ok(())
    }

    /// Everything up to and with the decision; what remains is done now, or at the next open.
    pub(super) fn decide(mut self, then: Batch) -> Result<Intent, EngineError> {
        for family in self.parts.keys().copied().collect::<Vec<_>>() {
            self.finish_file(family, None)?;
        }
        File::open(self.inner.install_dir()).and_then(|dir| dir.sync_all()).map_err(|error| self.inner.fatal(error))?;
        let intent = Intent { files: std::mem::take(&mut self.files), then };
        // From here on a failure leaves the files to the next open.
        self.decided = true;
        let mut decision = Batch::default();
        decision.put(Family::Node, REPLACE, intent.encode());
        self.inner.write(decision, Durability::Synced)?;
        Ok(intent)
    }
}

impl Replace for Install {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.inner.usable()?;
        self.order.check(family, key)?;
        if self.parts.get(&family).is_some_and(|part| part.bytes >= self.file_bytes) {
            self.finish_file(family, Some(key))?;
        }
        // `order` has found the key in one of the ranges, so its family has a part.
        let part = self.parts.entry(family).or_default();
        part.bytes += key.len() + value.len();
        part.pairs.push((key.to_vec(), value.to_vec()));
        Ok(())
    }

    fn commit(self: Box<Self>, then: Batch) -> Result<(), EngineError> {
        let inner = Arc::clone(&self.inner);
        let _turn = inner.installs.turn.lock();
        let intent = self.decide(then)?;
        inner.carry_out(intent)
    }
}

impl Drop for Install {
    fn drop(&mut self) {
        if !self.decided {
            for (_, name) in &self.files {
                // The next open removes the rest.
                let _ = fs::remove_file(self.inner.install_dir().join(name));
            }
        }
    }
}

impl Inner {
    fn install_dir(&self) -> PathBuf {
        self.path.join("install")
    }

    /// Ingests the remaining files of a decided install, then writes the batch that follows.
    fn carry_out(&self, intent: Intent) -> Result<(), EngineError> {
        let mut ingest = IngestExternalFileOptions::default();
        ingest.set_move_files(true);
        ingest.set_snapshot_consistency(true);
        ingest.set_allow_global_seqno(true);
        ingest.set_allow_blocking_flush(true);
        for family in Family::ALL {
            let files = intent.files.iter().filter(|(of, _)| *of == family);
            let mut paths = Vec::new();
            for (_, name) in files {
                let path = self.install_dir().join(name);
                // An unreadable entry does not mean a missing file: its rows would be lost.
                if path.try_exists().map_err(|error| self.fatal(error))? {
                    paths.push(path);
                }
            }
            if !paths.is_empty() {
                self.db
                    .ingest_external_file_cf_opts(self.family(family), &ingest, paths)
                    .map_err(|error| self.broken(error))?;
            }
        }
        let mut batch = intent.then;
        batch.delete(Family::Node, REPLACE);
        self.write(batch, Durability::Synced)
    }

    /// At open: finishes an install that an interrupted process had decided, and deletes the files
    /// of an undecided one.
    pub(super) fn finish_install(&self) -> Result<(), EngineError> {
        let row = self.db.get_cf(self.family(Family::Node), REPLACE).map_err(|error| self.broken(error))?;
        if let Some(row) = row {
            let intent = Intent::decode(&row)
                .ok_or_else(|| open::damaged(&self.path, "the record of an unfinished install cannot be read"))?;
            self.carry_out(intent)?;
        }
        match fs::remove_dir_all(self.install_dir()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.fatal(error)),
            _ => Ok(()),
        }
    }
}
