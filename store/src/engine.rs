//! The storage interface: ordered byte maps, atomic batches, explicit durability.
//!
//! Keys get their meaning in [`crate::key`], values in [`crate::rows`]. [`crate::memory`]
//! implements the interface and, with the feature `rocks`, RocksDB does; both pass the one suite in
//! `tests/engine.rs`.

use std::ops::Bound;
use std::sync::Arc;

use troupe_core::record;

/// One ordered map. Its number is on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `[group][index]` -> Raft entry.
    RaftLog,
    /// `[group][what]` -> vote, committed, purged, applied.
    RaftMeta,
    /// Identity of this data directory: cluster, node, format version.
    Node,
    /// Rows of users; the first bytes are the slot.
    Users,
    /// Conversations, members, cursors, dedup, outbox; first bytes are the slot.
    Conversations,
    /// Events, first bytes are the slot.
    Events,
}

impl From<record::Family> for Family {
    fn from(family: record::Family) -> Family {
        match family {
            record::Family::Users => Family::Users,
            record::Family::Conversations => Family::Conversations,
            record::Family::Events => Family::Events,
        }
    }
}

impl Family {
    pub const ALL: [Family; 6] =
        [Family::RaftLog, Family::RaftMeta, Family::Node, Family::Users, Family::Conversations, Family::Events];

    /// The families whose keys begin with the slot: the content of a shard's snapshot.
    pub const OF_SLOTS: [Family; 3] = [Family::Users, Family::Conversations, Family::Events];

    pub fn name(self) -> &'static str {
        match self {
            Family::RaftLog => "raft_log",
            Family::RaftMeta => "raft_meta",
            Family::Node => "node",
            Family::Users => "users",
            Family::Conversations => "conversations",
            Family::Events => "events",
        }
    }
}

/// When a write may be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On stable storage when the call returns, with every write before it.
    Synced,
    /// Survives the process, not a power loss. A power loss keeps a prefix: never a write without
    /// the writes before it.
    Buffered,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Put(Family, Vec<u8>, Vec<u8>),
    Delete(Family, Vec<u8>),
    /// From the first key, to before the second.
    DeleteRange(Family, Vec<u8>, Vec<u8>),
}

/// Atomic: all writes happen in order, or none does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub ops: Vec<Op>,
}

impl Batch {
    pub fn put(&mut self, family: Family, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.ops.push(Op::Put(family, key.into(), value.into()));
    }

    pub fn delete(&mut self, family: Family, key: impl Into<Vec<u8>>) {
        self.ops.push(Op::Delete(family, key.into()));
    }

    pub fn delete_range(&mut self, family: Family, from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>) {
        self.ops.push(Op::DeleteRange(family, from.into(), to.into()));
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// Each variant is named by the caller's reaction.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The content of the disk is unknown or wrong: the node must stop and never retry.
    #[error("storage failed, the node stops: {0}")]
    Fatal(String),
    /// Nothing was done: the data directory cannot be opened as it is, or the arguments violate the
    /// contract. The text has the reason and the remedy.
    #[error("{0}")]
    Refused(String),
    /// The data directory has lost or garbled something durable and must never be used again: set
    /// it aside, and copy from the other nodes. The text has the fault.
    #[error("this node's data is damaged: {0}")]
    Damaged(String),
}

/// Bytes of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Available to this process.
    pub free: u64,
    pub total: u64,
}

pub type Pair = (Vec<u8>, Vec<u8>);
pub use troupe_core::record::KeyRange;

/// Whether no key can lie in `range`; ordered maps panic on some such ranges.
pub(crate) fn is_empty(range: (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match range {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        _ => false,
    }
}

/// A consistent view of one moment.
pub trait Reader: Send + Sync {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// Pairs in key order (or reverse), at most `limit`.
    fn scan(&self, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Result<Vec<Pair>, EngineError>;
}

impl<R: Reader + ?Sized> Reader for Arc<R> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        (**self).get(family, key)
    }

    fn scan(&self, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Result<Vec<Pair>, EngineError> {
        (**self).scan(family, range, reverse, limit)
    }
}

/// Cheap to share. Every call may block; calls other than point reads belong on an executor lane.
pub trait Engine: Reader + 'static {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), EngineError>;

    /// A view that later writes do not change.
    fn snapshot(&self) -> Arc<dyn Reader>;

    /// Makes everything written so far durable.
    fn sync(&self) -> Result<(), EngineError> {
        self.write(Batch::default(), Durability::Synced)
    }

    /// Approximate bytes of `[from, to)` on disk: rows that are only in memory may be missing, and
    /// rows that were just deleted may still count.
    fn size(&self, family: Family, from: &[u8], to: &[u8]) -> Result<u64, EngineError>;

    /// Space on the disk of this data; `None` if unknown.
    fn space(&self) -> Option<Space> {
        None
    }

    /// Marks this data as damaged, durably: the next open refuses with [`EngineError::Damaged`].
    /// For callers that detect a fault that the engine cannot see.
    fn mark_damaged(&self, why: &str) -> Result<(), EngineError>;

    /// Begins to replace whole key ranges (`[from, to)` of a family) by new content. Nothing
    /// changes before [`Replace::commit`].
    fn begin_replace(&self, ranges: Vec<(Family, Vec<u8>, Vec<u8>)>) -> Result<Box<dyn Replace>, EngineError>;
}

/// New content of the given ranges; dropped without commit it leaves no trace.
pub trait Replace: Send {
    /// Keys come in ascending order within a family, each inside one of the ranges.
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) -> Result<(), EngineError>;

    /// Replaces the old content by the new and writes `then`, durably. After a crash in the middle
    /// the next open finds all of it or none of it.
    fn commit(self: Box<Self>, then: Batch) -> Result<(), EngineError>;
}
