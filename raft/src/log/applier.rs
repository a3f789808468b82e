//! Applies the entries of a group: the core's machine for a shard, [`crate::control::meta`] for the
//! meta group.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use troupe_core::level::Range;
use troupe_core::{Command, Machine, ShardId, ShardMap, machine};
use troupe_proto::record::StampedBatch;
use troupe_store::engine::{Batch, Engine, EngineError, Family};
use troupe_store::key;
use troupe_store::rows::{Numberings, Transaction, search};

use crate::api::Outcome;
use crate::log::restore_part;
use crate::log::search_index::SearchIndex;
use crate::types::Applied;

#[cfg(feature = "planted-bugs")]
mod planted;

/// `[from, to)` of a family.
pub type Rows = (Family, Vec<u8>, Vec<u8>);

/// Called from one place at a time, on a lane where blocking is allowed.
pub trait Applier: Send + Sync + 'static {
    /// All rows that this group's entries can change. A snapshot holds them.
    fn ranges(&self) -> Vec<Rows>;

    /// Derived rows of this node, which no snapshot holds. They end with the rows above.
    fn derived(&self) -> Vec<Rows> {
        Vec::new()
    }

    /// The writes of the proposals, and one answer for each. The same on every replica.
    fn apply(&self, engine: &Arc<dyn Engine>, proposals: &[Bytes]) -> Result<(Batch, Vec<Applied>), EngineError>;

    /// All rows were replaced.
    fn replaced(&self) {}

    /// The rows have changed: by an apply, or all of them by a snapshot.
    fn changed(&self, _engine: &Arc<dyn Engine>) -> Result<(), EngineError> {
        Ok(())
    }

    /// Called before the first apply after a start, with the newest proposals that were applied
    /// before it. Only planted bugs use it.
    #[cfg(feature = "planted-bugs")]
    fn opened(&self, _engine: &Arc<dyn Engine>, _newest: &[Bytes]) -> Result<(), EngineError> {
        Ok(())
    }
}

/// A shard: the users and conversations of a range of slots.
pub struct ShardApplier {
    pub shard: ShardId,
    pub map: ShardMap,
    pub machine: Machine,
    /// An entry above these levels is not applied, because other replicas would apply it by other
    /// rules.
    pub supports: Range,
    pub numberings: Mutex<Numberings>,
    /// `None`: this node has no search index.
    pub search: Option<Arc<SearchIndex>>,
}

impl Applier for ShardApplier {
    fn ranges(&self) -> Vec<Rows> {
        let (first, end) = self.map.slots(self.shard);
        let (from, to) = key::slot_range(first, end);
        Family::OF_SLOTS.into_iter().map(|family| (family, from.clone(), to.clone())).collect()
    }

    fn derived(&self) -> Vec<Rows> {
        search::ranges(self.map.slots(self.shard))
    }

    fn apply(&self, engine: &Arc<dyn Engine>, proposals: &[Bytes]) -> Result<(Batch, Vec<Applied>), EngineError> {
        // The numberings are not put back after a failure, nor when rows came from a restore.
        let mut state = Transaction::after(engine.clone(), mem::take(&mut *self.numberings.lock()));
        let mut by_commands = true;
        let mut applied = Vec::with_capacity(proposals.len());
        for proposal in proposals {
            if let Some((&restore_part::MARK, part)) = proposal.split_first() {
                let slots = self.map.slots(self.shard);
                by_commands = false;
                applied.push(Applied::Restored(match restore_part::change_in(part) {
                    Some(restore_part::Change::Restore(part)) => state.restore(slots, &part)?,
                    Some(restore_part::Change::Recovered) => Ok(state.note_heads(slots)?),
                    None => return Err(unreadable("a part of a restore")),
                }));
                continue;
            }
            let batch = decode(proposal)?;
            self.understand(&batch)?;
            let meta = machine::Meta { now: batch.now, level: batch.level };
            let outcomes = batch.commands.iter().map(|command| {
                let (reply, effects) = self.machine.apply(&mut state, meta, command);
                Outcome { reply, effects }
            });
            applied.push(Applied::Outcomes(outcomes.collect()));
        }
        let (mut batch, numberings) = state.finish()?;
        if let Some(search) = &self.search {
            search.follow(engine, &mut batch)?;
        }
        if by_commands {
            *self.numberings.lock() = numberings;
        }
        Ok((batch, applied))
    }

    fn replaced(&self) {
        *self.numberings.lock() = Numberings::default();
        if let Some(search) = &self.search {
            search.replaced();
        }
    }

    fn changed(&self, _: &Arc<dyn Engine>) -> Result<(), EngineError> {
        if let Some(search) = &self.search {
            search.written();
        }
        Ok(())
    }

    #[cfg(feature = "planted-bugs")]
    fn opened(&self, engine: &Arc<dyn Engine>, newest: &[Bytes]) -> Result<(), EngineError> {
        self.betray(engine, newest)
    }
}

impl ShardApplier {
    fn understand(&self, batch: &StampedBatch) -> Result<(), EngineError> {
        let most = batch.commands.iter().map(Command::level).fold(batch.level, Ord::max);
        if most > self.supports.newest {
            return Err(unreadable(format!(
                "it needs feature level {most}, and this version supports {}",
                self.supports
            )));
        }
        Ok(())
    }
}

/// A committed entry that cannot be read is never skipped: other replicas may have read it.
fn decode(proposal: &Bytes) -> Result<StampedBatch, EngineError> {
    StampedBatch::of_entry(proposal).map_err(unreadable)
}

fn unreadable(why: impl std::fmt::Display) -> EngineError {
    EngineError::Fatal(format!("a committed entry is unreadable: {why}"))
}
