//! The engine of real nodes: RocksDB.
//!
//! RocksDB leaves four things to this module. Its plain write is not durable: [`Durability`]
//! decides about each one. Its default recovery silently drops fsynced writes behind a damaged
//! byte: `options` selects one that refuses to open, and [`Rocks::open`] turns refusals into texts
//! with a remedy. After the first failed write every call fails, because the content of the disk is
//! unknown and an fsync cannot be repeated. Ingested files replace whole key ranges (`install`);
//! the decision to ingest survives a crash (`intent`).
//!
//! Every call may block.

mod install;
mod intent;
mod open;
mod options;
mod recycled;
mod space;
#[cfg(test)]
mod tests;
mod witness;

use std::mem::ManuallyDrop;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rocksdb::{ColumnFamily, DB, DBRawIterator, Range, ReadOptions, Snapshot, WriteBatch, WriteOptions};

use troupe_core::planted::{Bug, Planted};

use crate::engine::{
    Batch, Durability, Engine, EngineError, Family, KeyRange, Op, Pair, Reader, Replace, Space, is_empty,
};
use install::{Install, Installs};
use witness::Witness;

/// Pairs up to which a scan keeps its blocks in the cache: a longer one reads a whole range once.
const CACHED_SCAN: usize = 1024;

/// One node's data directory, open. Cheap to clone.
#[derive(Clone)]
pub struct Rocks {
    inner: Arc<Inner>,
}

struct Inner {
    db: DB,
    path: PathBuf,
    witness: Witness,
    /// The first failure; every later call fails.
    failed: OnceLock<EngineError>,
    installs: Installs,
    planted: Planted,
}

impl Rocks {
    /// Opens the directory, or creates it. Refuses with a remedy if another process has it open, a
    /// newer version wrote it, or it is damaged.
    pub fn open(path: &Path) -> Result<Rocks, EngineError> {
        Rocks::open_planted(path, Planted::default())
    }

    /// The same with a planted bug.
    pub fn open_planted(path: &Path, planted: Planted) -> Result<Rocks, EngineError> {
        let (db, witness) = open::open(path, planted)?;
        let path = path.to_owned();
        let inner = Inner { db, witness, path, failed: OnceLock::new(), installs: Installs::default(), planted };
        let rocks = Rocks { inner: Arc::new(inner) };
        rocks.inner.finish_install()?;
        Ok(rocks)
    }
}

/// The reason for which the directory was marked as damaged while it was open, if it was.
///
/// An error means that the mark is unreadable; it says nothing about the data.
pub fn damage_mark(path: &Path) -> std::io::Result<Option<String>> {
    open::damage_mark(path)
}

impl Inner {
    fn usable(&self) -> Result<(), EngineError> {
        self.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// An error of RocksDB. A corruption stays, so the directory must not be opened again.
    fn broken(&self, error: rocksdb::Error) -> EngineError {
        if open::is_damage(&error)
            && let Err(error) = open::mark_damaged(&self.path, error.as_ref())
        {
            tracing::error!(%error, "cannot mark the data as damaged");
        }
        self.fatal(error)
    }

    /// Every error after opening ends this node's storage.
    fn fatal(&self, error: impl std::fmt::Display) -> EngineError {
        let error = open::explain(&self.path, &error.to_string());
        tracing::error!(%error, "storage failed");
        self.failed.get_or_init(|| EngineError::Fatal(error)).clone()
    }

    fn family(&self, family: Family) -> &ColumnFamily {
        // `open` lists all families, and none is ever dropped.
        self.db.cf_handle(family.name()).expect("every family was opened")
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), EngineError> {
        self.usable()?;
        if batch.is_empty() {
            return match durability {
                Durability::Synced => self.sync(),
                Durability::Buffered => Ok(()),
            };
        }
        let mut writes = WriteBatch::default();
        for op in &batch.ops {
            match op {
                Op::Put(family, key, value) => writes.put_cf(self.family(*family), key, value),
                Op::Delete(family, key) => writes.delete_cf(self.family(*family), key),
                // RocksDB calls a range that ends before it begins an error.
                Op::DeleteRange(_, from, to) if from >= to => {}
                Op::DeleteRange(family, from, to) => writes.delete_range_cf(self.family(*family), from, to),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(false);
        options.disable_wal(false);
        self.db.write_opt(writes, &options).map_err(|error| self.broken(error))?;
        match durability {
            // Apart from the write, because a synced write blocks all other writers while the disk
            // works.
            Durability::Synced => self.sync(),
            Durability::Buffered => Ok(()),
        }
    }

    fn sync(&self) -> Result<(), EngineError> {
        if self.planted.is(Bug::SyncSkipped) {
            return Ok(());
        }
        // Read before the sync, which may not cover concurrent writes.
        let covered = self.db.latest_sequence_number();
        self.db.flush_wal(true).map_err(|error| self.broken(error))?;
        self.witness.advance(covered).map_err(|error| self.fatal(error))
    }

    fn collect(&self, iterator: DBRawIterator<'_>, reverse: bool, limit: usize) -> Result<Vec<Pair>, EngineError> {
        let mut iterator = iterator;
        let mut pairs = Vec::new();
        if reverse {
            iterator.seek_to_last()
        } else {
            iterator.seek_to_first()
        }
        while let Some((key, value)) = iterator.item() {
            pairs.push((key.to_vec(), value.to_vec()));
            if pairs.len() == limit {
                return Ok(pairs);
            }
            if reverse { iterator.prev() } else { iterator.next() }
        }
        iterator.status().map_err(|error| self.broken(error))?;
        Ok(pairs)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without it, closing waits for a compaction that may take minutes.
        self.db.cancel_all_background_work(true);
    }
}

/// Bounds for an iterator that is read from its first or its last key.
fn scan_options(range: KeyRange, limit: usize) -> ReadOptions {
    /// The first key after `key`.
    fn next(mut key: Vec<u8>) -> Vec<u8> {
        key.push(0);
        key
    }
    let mut options = ReadOptions::default();
    options.fill_cache(limit <= CACHED_SCAN);
    match range.0 {
        Bound::Included(key) => options.set_iterate_lower_bound(key),
        Bound::Excluded(key) => options.set_iterate_lower_bound(next(key)),
        Bound::Unbounded => {}
    }
    match range.1 {
        Bound::Included(key) => options.set_iterate_upper_bound(next(key)),
        Bound::Excluded(key) => options.set_iterate_upper_bound(key),
        Bound::Unbounded => {}
    }
    options
}

/// Whether a scan cannot find anything.
fn finds_nothing(range: &KeyRange, limit: usize) -> bool {
    limit == 0 || is_empty((range.0.as_ref().map(Vec::as_slice), range.1.as_ref().map(Vec::as_slice)))
}

impl Reader for Rocks {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.inner.usable()?;
        self.inner.db.get_cf(self.inner.family(family), key).map_err(|error| self.inner.broken(error))
    }

    fn scan(&self, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Result<Vec<Pair>, EngineError> {
        self.inner.usable()?;
        if finds_nothing(&range, limit) {
            return Ok(Vec::new());
        }
        let options = scan_options(range, limit);
        let iterator = self.inner.db.raw_iterator_cf_opt(self.inner.family(family), options);
        self.inner.collect(iterator, reverse, limit)
    }
}

impl Engine for Rocks {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), EngineError> {
        match self.inner.write(batch, durability) {
            Err(_) if self.inner.planted.is(Bug::EngineErrorIgnored) => Ok(()),
            written => written,
        }
    }

    fn snapshot(&self) -> Arc<dyn Reader> {
        Arc::new(Moment::of(Arc::clone(&self.inner)))
    }

    fn size(&self, family: Family, from: &[u8], to: &[u8]) -> Result<u64, EngineError> {
        self.inner.usable()?;
        let sizes = self.inner.db.get_approximate_sizes_cf(self.inner.family(family), &[Range::new(from, to)]);
        Ok(sizes.into_iter().sum())
    }

    fn space(&self) -> Option<Space> {
        space::of(&self.inner.path)
    }

    fn mark_damaged(&self, why: &str) -> Result<(), EngineError> {
        open::mark_damaged(&self.inner.path, why).map_err(|error| self.inner.fatal(error))
    }

    fn begin_replace(&self, ranges: Vec<(Family, Vec<u8>, Vec<u8>)>) -> Result<Box<dyn Replace>, EngineError> {
        self.inner.usable()?;
        Ok(Box::new(Install::begin(Arc::clone(&self.inner), ranges)?))
    }
}

/// A snapshot together with its database.
struct Moment {
    /// Borrows from `inner`; dropped by hand before it.
    snapshot: ManuallyDrop<Snapshot<'static>>,
    inner: Arc<Inner>,
}

impl Moment {
    fn of(inner: Arc<Inner>) -> Moment {
        // SAFETY: the database lives in the heap behind the `Arc` that this value keeps. It neither
        // moves nor ends before the snapshot, which `drop` ends first. The longer lifetime never
        // leaves this type.
        #[expect(unsafe_code)]
        let snapshot = unsafe { std::mem::transmute::<Snapshot<'_>, Snapshot<'static>>(inner.db.snapshot()) };
        Moment { snapshot: ManuallyDrop::new(snapshot), inner }
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        // SAFETY: dropped once, here; no code uses it afterwards.
        #[expect(unsafe_code)]
        unsafe {
            ManuallyDrop::drop(&mut self.snapshot)
        }
    }
}

impl Reader for Moment {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.inner.usable()?;
        self.snapshot.get_cf(self.inner.family(family), key).map_err(|error| self.inner.broken(error))
    }

    fn scan(&self, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Result<Vec<Pair>, EngineError> {
        self.inner.usable()?;
        if finds_nothing(&range, limit) {
            return Ok(Vec::new());
        }
        let iterator = self.snapshot.raw_iterator_cf_opt(self.inner.family(family), scan_options(range, limit));
        self.inner.collect(iterator, reverse, limit)
    }
}
