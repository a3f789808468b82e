//! The log of one group, on the engine that all groups share.
//!
//! Writes go through the [`Flusher`]. Appended entries can be read at once from a tail in memory,
//! which also serves replication and apply. Only replicas that lag far behind read from the engine.
//! An entry leaves the tail only after its flush.

mod storage;

use std::collections::VecDeque;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use openraft::LogIdOptionExt;
use parking_lot::Mutex;
use tokio::sync::Notify;
use troupe_core::limits::ENTRY_BYTES;
use troupe_proto::wire::raft as wire;
use troupe_runtime::{Lane, Platform, executor};
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family, Op};
use troupe_store::key::{RaftLogKey, RaftMetaKey, What, raft::group_range};

use crate::codec::{self, APPEND_ENVELOPE, ENTRY_ENVELOPE};
use crate::fatal::Fatal;
use crate::log::flusher::Flusher;
use crate::log::length::{LogLimits, Measure};
use crate::log::state_machine::applied_row;
use crate::transport::frame::PAYLOAD_BYTES;
use crate::types::{Entry, GroupId, LogId, Vote};

/// Bytes of flushed entries kept in memory per group.
const TAIL_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of entries in one replication request or one step of apply. A larger entry, which only an
/// earlier version can have written, is sent alone and in pieces (`frame`).
pub const READ_BYTES: usize = 640 * 1024;
// The size limits form a chain: an entry fits a read, a read fits a frame.
const _: () = assert!(ENTRY_BYTES + ENTRY_ENVELOPE <= READ_BYTES);
const _: () = assert!(READ_BYTES + APPEND_ENVELOPE <= PAYLOAD_BYTES);
/// Entries read from the engine at once: few at first, more when they turn out to be small. Those
/// of an earlier version may have 5 MB each.
const PAGE_MIN: usize = 4;
const PAGE_MAX: usize = 64;

/// Shared by the storage and all its readers.
#[derive(Clone)]
pub struct LogStore {
    group: GroupId,
    platform: Platform,
    engine: Arc<dyn Engine>,
    flusher: Flusher,
    fatal: Fatal,
    log: Arc<Mutex<Log>>,
    grown: Arc<Notify>,
}

/// The present log of this group, flushed or not.
struct Log {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    last: Option<LogId>,
    /// The newest entries without a gap, up to `last`.
    tail: VecDeque<Held>,
    tail_bytes: usize,
    appends: u64,
    flushed: u64,
    /// The length of all of it, on disk or not.
    measure: Measure,
}

struct Held {
    entry: Entry,
    bytes: usize,
    /// The append that brought the entry. Appends are flushed in order, whereas an index may be
    /// truncated and reused.
    append: u64,
}

impl Log {
    /// Returns whether the log may have become too long.
    fn push(&mut self, entry: Entry) -> bool {
        let (index, bytes) = (entry.log_id.index, codec::entry_bytes(&entry));
        self.tail_bytes += bytes;
        self.last = Some(entry.log_id);
        self.tail.push_back(Held { entry, bytes, append: self.appends });
        self.measure.push(index, bytes as u64)
    }

    fn evict(&mut self) {
        while self.tail_bytes > TAIL_BYTES && self.tail.front().is_some_and(|held| held.append <= self.flushed) {
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        if let Some(held) = self.tail.pop_front() {
            self.tail_bytes -= held.bytes;
        }
    }

    fn first_in_memory(&self) -> Option<u64> {
        self.tail.front().map(|held| held.entry.log_id.index)
    }

    /// The existing part of a range.
    fn clamp(&self, from: u64, to: u64) -> (u64, u64) {
        let begin = self.purged.map_or(0, |purged| purged.index + 1);
        let end = self.last.map_or(0, |last| last.index + 1);
        (from.max(begin), to.min(end))
    }
}

impl LogStore {
    /// Opens the log from the engine.
    pub fn open(
        group: GroupId,
        platform: Platform,
        engine: Arc<dyn Engine>,
        flusher: Flusher,
        fatal: Fatal,
        limits: LogLimits,
    ) -> Result<LogStore, EngineError> {
        let corrupt = |error: codec::Undecodable| EngineError::Fatal(format!("log of {group}: {error}"));
        let row = |what| engine.get(Family::RaftMeta, &meta_key(group, what));
        let vote = row(What::Vote)?.map(|bytes| codec::open::<wire::Vote>(&bytes, "vote")).transpose();
        let committed = row(What::Committed)?.map(|bytes| codec::open::<wire::LogId>(&bytes, "committed")).transpose();
        let purged = row(What::Purged)?.map(|bytes| codec::open::<wire::LogId>(&bytes, "purged")).transpose();
        let mut purged = purged.map_err(corrupt)?.map(codec::log_id_in);
        let (from, to) = group_range(group.0);
        let bytes = engine.size(Family::RaftLog, &from, &to)?;
        let last = engine.scan(Family::RaftLog, (Bound::Included(from), Bound::Excluded(to)), true, 1)?;
        let mut last =
            last.first().map(|(_, bytes)| decode(bytes)).transpose().map_err(corrupt)?.map(|last| last.log_id);
        let (applied, _) = applied_row(&*engine, group)?;
        if let (Some(end), Some(applied)) = (last, applied)
            && end < applied
            && end.index >= applied.index
        {
            forget(&engine, group, applied)?;
            (last, purged) = (Some(applied), Some(applied));
        }
        let last = last.max(purged);
        let log = Log {
            vote: vote.map_err(corrupt)?.map(codec::vote_in),
            committed: committed.map_err(corrupt)?.map(codec::log_id_in),
            last,
            purged,
            tail: VecDeque::new(),
            tail_bytes: 0,
            appends: 0,
            flushed: 0,
            measure: Measure::new(limits, purged.index(), last.index(), bytes),
        };
        Ok(LogStore { group, platform, engine, flusher, fatal, log: Arc::new(Mutex::new(log)), grown: Arc::default() })
    }

    /// Resolves when the log may have become too long.
    pub async fn grown(&self) {
        self.grown.notified().await;
    }

    /// See [`Measure::cut`].
    pub fn cut(&self, allowed: u64, has: &[u64]) -> Option<u64> {
        self.log.lock().measure.cut(allowed, has)
    }

    /// The index of the first entry that is not purged.
    pub fn begin(&self) -> u64 {
        self.log.lock().purged.map_or(0, |purged| purged.index + 1)
    }

    /// Existing entries of `[from, to)`, cut before they exceed `bytes`, but never empty for a
    /// non-empty range.
    pub async fn read(&self, from: u64, to: u64, bytes: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let (mut next, mut size, mut page) = (from, 0, PAGE_MIN);
        loop {
            // Checked in each step: meanwhile flushed entries may have left the tail, and the ends
            // of the log may have moved.
            let (begin, end) = {
                let log = self.log.lock();
                let (begin, end) = log.clamp(next, to);
                if begin >= end || (begin > next && !entries.is_empty()) || size >= bytes {
                    return Ok(entries);
                }
                let front = log.first_in_memory().unwrap_or(u64::MAX);
                if begin >= front {
                    for held in log.tail.iter().skip((begin - front) as usize) {
                        if held.entry.log_id.index >= end || is_full(size, held.bytes, bytes) {
                            break;
                        }
                        size += held.bytes;
                        entries.push(held.entry.clone());
                    }
                    return Ok(entries);
                }
                (begin, end.min(front))
            };
            let before = size;
            for entry in self.page(begin, end, page).await? {
                let more = codec::entry_bytes(&entry);
                if is_full(size, more, bytes) {
                    return Ok(entries);
                }
                size += more;
                next = entry.log_id.index + 1;
                entries.push(entry);
            }
            if next > begin {
                if 2 * (size - before) <= READ_BYTES {
                    page = (2 * page).min(PAGE_MAX);
                }
                continue;
            }
            if !entries.is_empty() {
                // Purged or truncated during the read: the entries no longer exist.
                return Ok(entries);
            }
            // The disk holds nothing below the tail, or nothing any more.
            next = end;
        }
    }

    async fn page(&self, from: u64, to: u64, count: usize) -> io::Result<Vec<Entry>> {
        let range = (Bound::Included(log_key(self.group, from)), Bound::Excluded(log_key(self.group, to)));
        let (engine, wanted) = (self.engine.clone(), range.clone());
        let read = executor::run(&*self.platform.executor, Lane::Read, move || {
            engine.scan(Family::RaftLog, wanted, false, count)
        });
        let pairs = match read.await {
            Some(pairs) => pairs,
            // Reads of users fill the lane; replication does not wait for them.
            None => self.engine.scan(Family::RaftLog, range, false, count),
        };
        let pairs = pairs.map_err(|error| self.fatal.storage(error))?;
        let entries: Result<Vec<Entry>, _> = pairs.iter().map(|(_, bytes)| decode(bytes)).collect();
        entries.map_err(|error| self.fatal.storage(EngineError::Fatal(format!("log of {}: {error}", self.group))))
    }
}

/// Drops a log that is behind the state. Entries are applied when a majority has them, possibly
/// before the entries that they replace here are overwritten. A crash in between leaves the old
/// ones, none of which was ever committed.
fn forget(engine: &Arc<dyn Engine>, group: GroupId, applied: LogId) -> Result<(), EngineError> {
    tracing::info!(%group, %applied, "the log ends in replaced entries; dropped them");
    let (from, to) = group_range(group.0);
    let mut batch = Batch::default();
    batch.put(Family::RaftMeta, meta_key(group, What::Purged), codec::seal(&codec::log_id_out(&applied)));
    batch.ops.push(Op::DeleteRange(Family::RaftLog, from, to));
    engine.write(batch, Durability::Synced)
}

/// Whether the next entry exceeds the limit. The first never does.
fn is_full(size: usize, next: usize, bytes: usize) -> bool {
    size > 0 && size.saturating_add(next) > bytes
}

fn log_key(group: GroupId, index: u64) -> Vec<u8> {
    RaftLogKey { group: group.0, index }.encode()
}

fn meta_key(group: GroupId, what: What) -> Vec<u8> {
    RaftMetaKey { group: group.0, what }.encode()
}

fn decode(bytes: &[u8]) -> Result<Entry, codec::Undecodable> {
    codec::entry_in(codec::open::<wire::Entry>(bytes, "entry")?)
}

#[cfg(test)]
mod tests;
