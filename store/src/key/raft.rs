//! Families `raft_log` and `raft_meta`: what each Raft group on this node remembers. Written by the
//! raft layer, which also owns the values. The log is written in order and deleted by range from
//! its front (purge) or its end (truncation).
//!
//! | key           | family      | layout               | value            | lifetime                     |
//! | ------------- | ----------- | -------------------- | ---------------- | ---------------------------- |
//! | `RaftLogKey`  | `raft_log`  | group u32, index u64 | a Raft entry     | until purged behind a snapshot |
//! | `RaftMetaKey` | `raft_meta` | group u32, what u8   | see [`What`]     | as long as the replica       |

use super::Parts;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RaftLogKey {
    pub group: u32,
    pub index: u64,
}

impl RaftLogKey {
    pub fn encode(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(12);
        key.extend_from_slice(&self.group.to_be_bytes());
        key.extend_from_slice(&self.index.to_be_bytes());
        key
    }

    pub fn decode(key: &[u8]) -> Option<RaftLogKey> {
        let mut parts = Parts(key);
        let key = RaftLogKey { group: parts.group()?, index: parts.number()? };
        parts.end(key)
    }
}

/// One row of `raft_meta`. Numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Vote = 1,
    Committed = 2,
    Purged = 3,
    /// Applied log id and membership, in the same batch as what was applied.
    Applied = 4,
    /// Id of this node's replica of the group.
    Replica = 5,
    /// State of a group that is not kept by slots (the meta group).
    State = 6,
}

impl What {
    pub const ALL: [What; 6] = [What::Vote, What::Committed, What::Purged, What::Applied, What::Replica, What::State];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RaftMetaKey {
    pub group: u32,
    pub what: What,
}

impl RaftMetaKey {
    pub fn encode(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(5);
        key.extend_from_slice(&self.group.to_be_bytes());
        key.push(self.what as u8);
        key
    }

    pub fn decode(key: &[u8]) -> Option<RaftMetaKey> {
        let mut parts = Parts(key);
        let (group, number) = (parts.group()?, parts.byte()?);
        let what = What::ALL.into_iter().find(|what| *what as u8 == number)?;
        parts.end(RaftMetaKey { group, what })
    }
}

/// First key, and first key after, of everything of a group, in both families.
pub fn group_range(group: u32) -> (Vec<u8>, Vec<u8>) {
    let end = match group.checked_add(1) {
        Some(next) => next.to_be_bytes().to_vec(),
        // Above every key of the last group: a key of it is at most twelve bytes long.
        None => vec![u8::MAX; 13],
    };
    (group.to_be_bytes().to_vec(), end)
}
