//! Applies a group's committed entries: one engine batch per step, which includes the applied log
//! id and the membership. So an entry is applied exactly once, whenever a crash happens. The batch
//! is not synced: after a power loss the log replays the lost entries.
//!
//! A snapshot is not a file. It is a view of the engine at one moment, and
//! [`crate::replication::snapshot`] streams it on demand.

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use openraft::storage::{
    ApplyResponder, EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot, SnapshotMeta as Meta,
};
use openraft::{OptionalSend, alias};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;
use troupe_core::planted::Bug;
use troupe_proto::wire::raft as wire;
use troupe_runtime::trace::Stage;
use troupe_runtime::{Lane, Platform, executor};
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family, Op, Reader, Replace};
use troupe_store::key::{RaftMetaKey, What};

use crate::codec;
use crate::fatal::Fatal;
use crate::log::applier::{Applier, Rows};
use crate::log::flusher::Flusher;
use crate::log::hops;
use crate::types::{Applied, GroupId, LogId, Payload, SnapshotMeta, StoredMembership, Types};

#[cfg(feature = "planted-bugs")]
mod planted;

/// Entries and bytes in one step.
const STEP_ENTRIES: usize = 256;
const STEP_BYTES: usize = 4 * 1024 * 1024;

/// A step of at most so many entries and bytes is applied by the task itself: about four messages.
/// To hand it to the lane would cost more than to apply it. No sync is part of it.
const SMALL_ENTRIES: usize = 4;
const SMALL_BYTES: usize = 2 * 1024;

pub struct StateMachine {
    shared: Shared,
    applied: Option<LogId>,
    membership: StoredMembership,
}

#[derive(Clone)]
struct Shared {
    group: GroupId,
    platform: Platform,
    engine: Arc<dyn Engine>,
    flusher: Flusher,
    fatal: Fatal,
    applier: Arc<dyn Applier>,
    gate: Gate,
}

/// Shut when the replica is destroyed: openraft's unfinished work must not write behind the
/// deletion. Shared, cheap to clone.
#[derive(Clone, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Default)]
struct GateState {
    shut: Mutex<bool>,
    turn: Mutex<()>,
}

impl Gate {
    /// Returns when no write passes any more. It may wait for a write, so it runs on a lane.
    pub fn shut(&self) {
        *self.0.shut.lock() = true;
    }

    fn is_shut(&self) -> bool {
        *self.0.shut.lock()
    }

    /// Steps of apply, and writes that no commit may precede, take turns. For work on a lane: it
    /// waits for the other one.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.0.turn.lock()
    }

    /// The gate cannot be shut during the work.
    pub fn pass<T>(&self, work: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
        let shut = self.0.shut.lock();
        if *shut { Err(EngineError::Refused("the replica is being destroyed".to_owned())) } else { work() }
    }
}

/// A snapshot between its creation and its installation.
pub enum SnapshotData {
    /// The sender's side: a view of one moment, and the ranges of rows to send.
    View { reader: Arc<dyn Reader>, ranges: Vec<Rows> },
    /// The receiver's side: all rows are staged and wait for their commit.
    Staged(Box<dyn Replace>),
}

impl StateMachine {
    /// Blocking; for a start, when nothing else waits.
    pub fn open(
        group: GroupId,
        platform: Platform,
        engine: Arc<dyn Engine>,
        flusher: Flusher,
        fatal: Fatal,
        applier: Arc<dyn Applier>,
        gate: Gate,
    ) -> Result<StateMachine, EngineError> {
        let (applied, membership) = applied_row(&*engine, group)?;
        #[cfg(feature = "planted-bugs")]
        if let Some(applied) = applied.as_ref().filter(|_| platform.planted.is_any()) {
            applier.opened(&engine, &planted::newest(&engine, group, applied.index)?)?;
        }
        applier.changed(&engine)?;
        let shared = Shared { group, platform, engine, flusher, fatal, applier, gate };
        Ok(StateMachine { shared, applied, membership })
    }

    async fn step(&mut self, step: Vec<EntryResponder<Types>>) -> io::Result<()> {
        let mut proposals = Vec::new();
        let mut waiting: Vec<(Option<ApplyResponder<Types>>, Option<LogId>)> = Vec::with_capacity(step.len());
        for (entry, responder) in step {
            // An entry is never applied twice, whatever the log replays.
            if Some(entry.log_id.index) <= self.applied.map(|id| id.index) {
                waiting.push((responder, None));
                continue;
            }
            self.applied = Some(entry.log_id);
            let proposed = match entry.payload {
                Payload::Normal(proposal) => {
                    hops::entry(&self.shared.platform, self.shared.group, entry.log_id, Stage::Committed);
                    proposals.push(proposal.bytes().clone());
                    Some(entry.log_id)
                }
                Payload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                    None
                }
                Payload::Blank => None,
            };
            waiting.push((responder, proposed));
        }
        let row = applied_batch(self.shared.group, self.applied.as_ref(), &self.membership);
        let shared = self.shared.clone();
        let is_small =
            proposals.len() <= SMALL_ENTRIES && proposals.iter().map(Bytes::len).sum::<usize>() <= SMALL_BYTES;
        let work = move || {
            let begin = Instant::now();
            let (mut batch, applied) = shared.applier.apply(&shared.engine, &proposals)?;
            if shared.platform.planted(Bug::AppliedBeforeRows) {
                shared.engine.write(row, Durability::Synced)?;
            } else {
                batch.ops.extend(row.ops);
            }
            shared.gate.pass(|| shared.engine.write(batch, Durability::Buffered))?;
            shared.applier.changed(&shared.engine)?;
            shared.platform.metrics.apply.since(begin);
            Ok(applied)
        };
        let mut applied = self.shared.step(is_small, work).await?.into_iter();
        for (responder, proposed) in waiting {
            let answer = proposed.and_then(|id| Some((id, applied.next()?)));
            if let Some((id, answer)) = &answer {
                hops::applied(&self.shared.platform, self.shared.group, *id, answer);
            }
            if let Some(responder) = responder {
                responder.send(answer.map_or(Applied::Nothing, |(_, answer)| answer));
            }
        }
        Ok(())
    }
}

impl Shared {
    /// Runs a step of apply: here if it is small and no other work has the turn, else on the lane.
    async fn step<T: Send + 'static>(
        &self,
        is_small: bool,
        work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
    ) -> io::Result<T> {
        if is_small && let Some(_turn) = self.gate.0.turn.try_lock() {
            return self.ended(work());
        }
        let gate = self.gate.clone();
        let in_turn = move || {
            let _turn = gate.turn();
            work()
        };
        self.blocking(apply_lane(self.group), in_turn).await
    }

    fn ended<T>(&self, result: Result<T, EngineError>) -> io::Result<T> {
        match result {
            // Not a disk failure: the replica ends on purpose.
            Err(error) if self.gate.is_shut() => Err(io::Error::other(error)),
            result => result.map_err(|error| self.fatal.storage(error)),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
    ) -> io::Result<T> {
        match executor::run(&*self.platform.executor, lane, work).await {
            Some(result) => self.ended(result),
            None => Err(io::Error::other(format!("{lane:?} has stopped"))),
        }
    }

    /// A view of the present state; `None` before the first apply.
    fn view(&self) -> Result<Option<alias::SnapshotOf<Types, SnapshotData>>, EngineError> {
        let reader = self.engine.snapshot();
        let (applied, membership) = applied_row(&*reader, self.group)?;
        let Some(applied) = applied else { return Ok(None) };
        let meta = Meta { last_log_id: Some(applied), last_membership: membership };
        Ok(Some(Snapshot { meta, snapshot: SnapshotData::View { reader, ranges: self.applier.ranges() } }))
    }
}

/// The lane of all applies of a group.
pub fn apply_lane(group: GroupId) -> Lane {
    Lane::Apply((group.0 % u32::from(executor::APPLY_LANES)) as u8)
}

fn meta_key(group: GroupId, what: What) -> Vec<u8> {
    RaftMetaKey { group: group.0, what }.encode()
}

/// The applied log id and membership of a group, as a reader sees them.
pub fn applied_row(
    reader: &(impl Reader + ?Sized),
    group: GroupId,
) -> Result<(Option<LogId>, StoredMembership), EngineError> {
    let Some(bytes) = reader.get(Family::RaftMeta, &meta_key(group, What::Applied))? else {
        return Ok(Default::default());
    };
    codec::open::<wire::AppliedState>(&bytes, "applied state")
        .and_then(codec::applied_in)
        .map_err(|error| EngineError::Fatal(format!("state of {group}: {error}")))
}

fn applied_batch(group: GroupId, applied: Option<&LogId>, membership: &StoredMembership) -> Batch {
    let mut batch = Batch::default();
    let row = codec::seal(&codec::applied_out(applied, membership));
    batch.put(Family::RaftMeta, meta_key(group, What::Applied), row);
    batch
}

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        let (mut step, mut bytes) = (Vec::new(), 0);
        while let Some((entry, responder)) = entries.try_next().await? {
            bytes += codec::entry_bytes(&entry);
            step.push((entry, responder));
            if step.len() >= STEP_ENTRIES || bytes >= STEP_BYTES {
                self.step(std::mem::take(&mut step)).await?;
                bytes = 0;
            }
        }
        if step.is_empty() { Ok(()) } else { self.step(step).await }
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder(self.shared.clone())
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, data: SnapshotData) -> io::Result<()> {
        let mut then = applied_batch(self.shared.group, meta.last_log_id.as_ref(), &meta.last_membership);
        let derived = self.shared.applier.derived().into_iter();
        then.ops.extend(derived.map(|(family, from, to)| Op::DeleteRange(family, from, to)));
        let shared = self.shared.clone();
        let install = move || {
            let staged = match data {
                SnapshotData::Staged(staged) => staged,
                SnapshotData::View { reader, ranges } => copy(&shared.engine, &*reader, ranges)?,
            };
            shared.applier.replaced();
            if shared.platform.planted(Bug::SnapshotHalfInstalled) {
                shared.engine.write(then, Durability::Synced)?;
                return shared.applier.changed(&shared.engine);
            }
            shared.gate.pass(|| staged.commit(then))?;
            shared.applier.changed(&shared.engine)
        };
        self.shared.blocking(Lane::Bulk, install).await?;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<alias::SnapshotOf<Types, SnapshotData>>> {
        self.shared.view().map_err(|error| self.shared.fatal.storage(error))
    }
}

/// The rows of a view, staged on another engine.
fn copy(engine: &Arc<dyn Engine>, reader: &dyn Reader, ranges: Vec<Rows>) -> Result<Box<dyn Replace>, EngineError> {
    const PAGE: usize = 256;
    let mut staged = engine.begin_replace(ranges.clone())?;
    for (family, from, to) in ranges {
        let mut begin = Bound::Included(from);
        loop {
            let pairs = reader.scan(family, (begin, Bound::Excluded(to.clone())), false, PAGE)?;
            for (key, value) in &pairs {
                staged.put(family, key, value)?;
            }
            match pairs.into_iter().next_back() {
                Some((last, _)) => begin = Bound::Excluded(last),
                None => break,
            }
        }
    }
    Ok(staged)
}

/// Creates a snapshot: it makes the applied state durable, so that the log behind it may be purged.
pub struct Builder(Shared);

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> io::Result<alias::SnapshotOf<Types, SnapshotData>> {
        let view = self.0.view().map_err(|error| self.0.fatal.storage(error))?;
        self.0.flusher.barrier().await?;
        Ok(view.unwrap_or_else(|| Snapshot {
            meta: SnapshotMeta::default(),
            snapshot: SnapshotData::View { reader: self.0.engine.snapshot(), ranges: self.0.applier.ranges() },
        }))
    }
}
