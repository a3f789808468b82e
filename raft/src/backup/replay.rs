//! The rows of a shard at a point in time: those of a backup, and later entries of its log.
//!
//! Entries go through the applier that nodes use ([`ShardApplier`]), so the rows are those that a
//! replica had after the same entry. The time of an entry is the one that its leader put on it. A
//! replay ends before the first entry with a later time, as the clock of a later leader may be
//! behind: an entry that follows a later one is not separable from it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use troupe_core::level::Range;
use troupe_core::{Machine, ShardId, ShardMap, Timestamp};
use troupe_store::engine::{Durability, Engine};

use super::entries::{Logged, time_of};
use crate::log::applier::{Applier, ShardApplier};

/// Entries and bytes that are applied at once, as a node applies them.
const STEP_ENTRIES: usize = 256;
const STEP_BYTES: usize = 4 * 1024 * 1024;

pub struct Replay {
    engine: Arc<dyn Engine>,
    applier: ShardApplier,
    upto: Timestamp,
    next: u64,
    step: Vec<Bytes>,
    step_bytes: usize,
    entries: u64,
    ended: bool,
}

/// The extent of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The index of the last entry in the rows.
    pub applied: u64,
    /// Entries that were applied now.
    pub entries: u64,
}

impl Replay {
    /// `engine` has the rows of the shard after the entry `applied`.
    pub fn new(engine: Arc<dyn Engine>, shard: ShardId, map: ShardMap, applied: u64, upto: Timestamp) -> Replay {
        let applier = ShardApplier {
            shard,
            map,
            machine: Machine::default(),
            supports: Range::OURS,
            numberings: Default::default(),
            search: None,
        };
        Replay { engine, applier, upto, next: applied + 1, step: Vec::new(), step_bytes: 0, entries: 0, ended: false }
    }

    /// Whether an entry of a later time was seen. No entry is applied from then on.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The index of the next entry.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Applies entries in order. Those that the rows have already are skipped.
    pub fn take(&mut self, entries: Vec<Logged>) -> io::Result<()> {
        for entry in entries {
            if self.ended {
                return Ok(());
            }
            if entry.index < self.next {
                continue;
            }
            if entry.index > self.next {
                return Err(io::Error::other(format!("entries {} to {} are missing", self.next, entry.index - 1)));
            }
            let time = time_of(&entry.proposal).map_err(|error| {
                io::Error::other(format!("entry {} cannot be read, use a later version: {error}", entry.index))
            })?;
            if time.is_some_and(|time| time > self.upto) {
                self.ended = true;
                return Ok(());
            }
            self.next += 1;
            self.entries += 1;
            if !entry.proposal.is_empty() {
                self.step_bytes += entry.proposal.len();
                self.step.push(entry.proposal);
            }
            if self.step.len() >= STEP_ENTRIES || self.step_bytes >= STEP_BYTES {
                self.apply()?;
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<Replayed> {
        self.apply()?;
        Ok(Replayed { applied: self.next - 1, entries: self.entries })
    }

    fn apply(&mut self) -> io::Result<()> {
        self.step_bytes = 0;
        let step = std::mem::take(&mut self.step);
        let (batch, _) = self.applier.apply(&self.engine, &step).map_err(io::Error::other)?;
        self.engine.write(batch, Durability::Buffered).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::{ClientMessageId, Level};
    use troupe_store::memory::Memory;
    use troupe_store::rows::{Digest, digest_range};

    use super::*;
    use crate::log::restore_part;

    const MAP: ShardMap = ShardMap { count: 1 };
    const SHARD: ShardId = ShardId(0);

    fn proposal(number: u64, now: u64) -> Bytes {
        use troupe_core::command::{Append, Intent};
        use troupe_core::{Body, Command, ConversationId, UserId};
        use troupe_proto::record::{EncodedCommand, StampedBatch};
        let command = Command::Append(Append {
            conversation: ConversationId::Everyone,
            actor: UserId(7),
            client_message_id: ClientMessageId(u128::from(number).to_be_bytes()),
            after: None,
            intent: Intent::Message(Body::text(&format!("message {number}"))),
        });
        let bytes = Bytes::from(EncodedCommand::batch(Timestamp(now), Level::NEWEST, &[EncodedCommand::of(&command)]));
        assert_eq!(StampedBatch::of_entry(&bytes).expect("a batch").now, Timestamp(now));
        bytes
    }

    /// Times in milliseconds from entry 1 on.
    fn entries(times: &[u64]) -> Vec<Logged> {
        let entry = |(index, time): (u64, &u64)| Logged { index, term: 1, proposal: proposal(index, *time) };
        (1..).zip(times).map(entry).collect()
    }

    fn replayed(entries: &[&[Logged]], upto: u64) -> io::Result<(Replayed, bool, Digest)> {
        let engine = Memory::new();
        let mut replay = Replay::new(Arc::new(engine.clone()), SHARD, MAP, 0, Timestamp(upto));
        for some in entries {
            replay.take(some.to_vec())?;
        }
        let ended = replay.has_ended();
        let replayed = replay.finish()?;
        Ok((replayed, ended, digest_range(&engine, MAP.slots(SHARD)).expect("rows")))
    }

    #[test]
    fn a_replay_ends_before_the_first_later_entry() {
        let all = entries(&[10, 20, 20, 30, 15]);
        for (upto, applied, ended) in [(9, 0, true), (10, 1, true), (29, 3, true), (30, 5, false), (99, 5, false)] {
            let (at, end, digest) = replayed(&[&all], upto).expect("replayed");
            assert_eq!((at.applied, at.entries, end), (applied, applied, ended), "up to {upto}");
            let prefix = replayed(&[&all[..applied as usize]], u64::MAX).expect("replayed");
            assert_eq!(digest, prefix.2, "up to {upto}");
            assert_eq!(digest.rows > 0, applied > 0, "entries write rows");
        }
    }

    #[test]
    fn an_overlap_changes_nothing_and_a_gap_is_refused() {
        let all = entries(&[10, 20, 30, 40]);
        let whole = replayed(&[&all], 99).expect("replayed");
        assert_eq!(replayed(&[&all[..3], &all[1..]], 99).expect("replayed"), whole);
        let refused = replayed(&[&all[..1], &all[2..]], 99).expect_err("a gap").to_string();
        assert!(refused.contains("entries 2 to 2 are missing"), "{refused}");
    }

    #[test]
    fn entries_without_a_time_do_not_end_a_replay_and_unreadable_ones_do() {
        let mut all = entries(&[10, 20, 30]);
        all[1].proposal = Bytes::new();
        all[2].proposal = restore_part::recovered_entry(SHARD);
        assert_eq!(replayed(&[&all], 10).expect("replayed").0, Replayed { applied: 3, entries: 3 });
        all[2].proposal = Bytes::from_static(b"\x7f?");
        let refused = replayed(&[&all], 99).expect_err("unreadable").to_string();
        assert!(refused.contains("entry 3 cannot be read"), "{refused}");
    }
}
