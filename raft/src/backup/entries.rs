//! Committed entries of a shard's log, for an archive that continues a backup.
//!
//! The leader answers behind a read barrier with the entries from an index on. A log keeps entries
//! for a while only ([`crate::log::length`]); a request for one that was purged is refused, because
//! no later answer can close the gap.

use bytes::Bytes;
use prost::Message;
use troupe_core::limits::NODE_FRAME_BYTES;
use troupe_core::{ShardId, Timestamp};
use troupe_proto::wire::raft as wire;
use troupe_store::engine::EngineError;

use super::Archive;
use super::message::Answer;
use crate::log::log_store::READ_BYTES;
use crate::log::restore_part;
use crate::log::state_machine::applied_row;
use crate::replication::group::Group;
use crate::replication::read::Barrier;
use crate::types::{Entry, GroupId, Payload};

/// Bytes of an answer, or of a block of a segment, besides its entries. Incompressible bytes grow a
/// little.
const ENVELOPE: usize = 64 * 1024;

/// A committed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub index: u64,
    pub term: u64,
    /// A batch of commands or a part of a restore. Empty: an entry of Raft itself.
    pub proposal: Bytes,
}

/// An answer about a shard's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    /// In order and without a gap, from the requested one on; as many as fit.
    pub entries: Vec<Logged>,
    /// One above the last committed entry.
    pub end: u64,
    /// No entry from `end` on was acknowledged before this time of the leader's clock.
    pub now_ms: u64,
}

impl From<Logged> for wire::LoggedEntry {
    fn from(Logged { index, term, proposal }: Logged) -> wire::LoggedEntry {
        wire::LoggedEntry { index, term, proposal }
    }
}

impl From<wire::LoggedEntry> for Logged {
    fn from(wire::LoggedEntry { index, term, proposal }: wire::LoggedEntry) -> Logged {
        Logged { index, term, proposal }
    }
}

impl From<Entry> for Logged {
    fn from(entry: Entry) -> Logged {
        let proposal = match entry.payload {
            Payload::Normal(proposal) => proposal.bytes().clone(),
            Payload::Blank | Payload::Membership(_) => Bytes::new(),
        };
        Logged { index: entry.log_id.index, term: entry.log_id.leader_id.term, proposal }
    }
}

impl Archive {
    /// The time that a leader here may put on an entry now.
    pub(super) fn stamp(&self) -> Timestamp {
        self.links.clocks().stamp(self.platform.clock.now())
    }

    pub(super) async fn entries(&self, shard: ShardId, from: u64) -> Result<Answer, Answer> {
        // Before the barrier: everything acknowledged until now is below `end`.
        let now_ms = self.stamp().0;
        let group = self.lead(shard).await?;
        let failed = |error: EngineError| Answer::Unavailable(error.to_string());
        let (applied, _) = applied_row(&*self.engine, GroupId::of(shard)).map_err(failed)?;
        let end = applied.map_or(0, |id| id.index + 1);
        if from > end {
            return Err(Answer::Refused(format!(
                "the archive has entries up to {}, and the log of the shard ends at {}: it is of another history, take a new backup",
                from - 1,
                end.saturating_sub(1)
            )));
        }
        let read = if from < end { self.read(&group, from, end).await? } else { Vec::new() };
        if !Barrier::new(&self.groups, &group).stands() {
            return Err(Answer::NotLeader(self.leader(&self.meta.borrow(), shard)));
        }
        let begin = group.log.begin();
        if from < end && read.first().is_none_or(|first| first.index != from) {
            return Err(match from < begin {
                true => Answer::Refused(format!(
                    "entry {from} is no longer in the log, which begins at {begin}: take a new backup; archive more often, or raise \
                     cluster.log_kept"
                )),
                false => Answer::Unavailable(format!("entry {from} cannot be read")),
            });
        }
        Ok(Answer::Entries(Entries { entries: read, end, now_ms }))
    }

    /// As many as fit a frame.
    async fn read(&self, group: &Group, from: u64, end: u64) -> Result<Vec<Logged>, Answer> {
        let entries = group.log.read(from, end, READ_BYTES).await;
        let entries = entries.map_err(|error| Answer::Unavailable(error.to_string()))?;
        let entries: Vec<Logged> = entries.into_iter().map(Logged::from).collect();
        let bytes: usize = entries.iter().map(|entry| wire::LoggedEntry::from(entry.clone()).encoded_len()).sum();
        match entries.first() {
            Some(first) if bytes + ENVELOPE > NODE_FRAME_BYTES => Err(Answer::Refused(format!(
                "entry {} of an earlier version is too large for an archive: take a new backup",
                first.index
            ))),
            _ => Ok(entries),
        }
    }
}

/// The leader's time of an entry of commands. `None`: it carries none.
pub(super) fn time_of(proposal: &Bytes) -> Result<Option<Timestamp>, troupe_core::form::DecodeError> {
    if proposal.is_empty() || proposal.first() == Some(&restore_part::MARK) {
        return Ok(None);
    }
    troupe_proto::record::StampedBatch::of_entry(proposal).map(|batch| Some(batch.now))
}
