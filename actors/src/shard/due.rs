//! Due work of a shard: the leader waits for the first due time and proposes what is due.
//!
//! The rows are the truth. A new leader reads the first row of each slot, and effects of later
//! commits name earlier times. Without planned work nothing is read but the first rows, once in
//! [`RESCAN`]: rows of a restore come without effects.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ractor::ActorRef;
use tokio::time::Instant;
use troupe_core::command::RunDue;
use troupe_core::planted::Bug;
use troupe_core::record::{Due, DueKey, Status};
use troupe_core::{Command, Effect, Reply, ShardId, Slot, Timestamp, UserId, limits};
use troupe_runtime::Backoff;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::{ShardState, TICK};
use crate::context::{Asker, NodeContext};
use crate::message::{Answer, EventPush, Push, Refusal, Request, UserKey};
use crate::protocol::ShardMsg;

/// Between two looks at the first rows while nothing is planned.
const RESCAN: Duration = Duration::from_secs(60);
/// For the accounts of the users of due work.
const LOOKUP: Duration = Duration::from_secs(1);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// When the leader looks next.
pub struct Timer {
    next: Next,
    running: bool,
    /// The earliest time that was planned during a run.
    meanwhile: Option<Timestamp>,
    looked: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A new leader has not looked yet.
    Unknown,
    At(Timestamp),
    Nothing,
}

impl Timer {
    pub fn new(planted: bool) -> Timer {
        let next = if planted { Next::Nothing } else { Next::Unknown };
        Timer { next, running: false, meanwhile: None, looked: Instant::now() }
    }

    pub fn planned(&mut self, at: Timestamp) {
        if self.running {
            self.meanwhile = Some(self.meanwhile.map_or(at, |earlier| earlier.min(at)));
            return;
        }
        self.next = match self.next {
            Next::Unknown => Next::Unknown,
            Next::At(earlier) => Next::At(earlier.min(at)),
            Next::Nothing => Next::At(at),
        };
    }

    /// Begins a run if one is due before the next tick; the time to wait for in it. `now` is the
    /// time of the log.
    fn begin(&mut self, now: Timestamp, rescans: bool) -> Option<Duration> {
        let tick = TICK.as_millis() as u64;
        let wait = match self.next {
            _ if self.running => None,
            Next::Unknown => Some(0),
            Next::At(at) if at.0 < now.0.saturating_add(tick) => Some(at.0.saturating_sub(now.0)),
            _ => (rescans && self.looked.elapsed() >= RESCAN).then_some(0),
        };
        self.running |= wait.is_some();
        wait.map(Duration::from_millis)
    }

    fn done(&mut self, next: Option<Timestamp>) {
        let first = [next, self.meanwhile.take()].into_iter().flatten().min();
        self.next = first.map_or(Next::Nothing, Next::At);
        self.running = false;
        self.looked = Instant::now();
    }
}

impl ShardState {
    pub(super) fn run_due(&mut self, myself: &ActorRef<ShardMsg>) {
        let rescans = !self.context.platform.planted(Bug::DueForgotten);
        let Some(wait) = self.due.begin(self.context.cluster.time(), rescans) else { return };
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(run(self.context.clone(), self.shard, self.slots.clone(), wait, myself.clone()));
    }

    pub(super) fn due_done(&mut self, next: Option<Timestamp>) {
        self.due.done(next);
    }

    /// The events of due work go from here to the subscribed nodes, which put them in order: the
    /// conversation's actor has not proposed them.
    pub(super) fn due_ran(&mut self, myself: &ActorRef<ShardMsg>, effects: Vec<Effect>, committed_us: u64) {
        for effect in &effects {
            let Effect::Deliver { conversation, event } = effect else { continue };
            let Some(nodes) = self.interest.get(conversation) else { continue };
            let push = Push::Event(EventPush { committed_us, ..EventPush::new(*conversation, event) });
            self.context.router.push_all(nodes.iter().copied(), self.shard, &push);
        }
        self.execute_effects(myself, effects);
    }
}

/// Waits, runs until nothing is due, and reports the next due time.
async fn run(context: NodeContext, shard: ShardId, slots: Range<u16>, wait: Duration, parent: ActorRef<ShardMsg>) {
    tokio::time::sleep(wait).await;
    let mut backoff = BACKOFF;
    loop {
        match drain(&context, shard, slots.clone(), &parent).await {
            Ok(Drained { next, is_early: false }) => {
                let _ = parent.send_message(ShardMsg::DueDone { next });
                return;
            }
            // The time of the log is behind this clock, or a shard does not answer.
            Ok(_) | Err(_) => tokio::time::sleep(backoff.pause(&context.platform.rng)).await,
        }
    }
}

struct Drained {
    next: Option<Timestamp>,
    /// Work is due by this clock, but not by the time of the log.
    is_early: bool,
}

async fn drain(
    context: &NodeContext,
    shard: ShardId,
    slots: Range<u16>,
    parent: &ActorRef<ShardMsg>,
) -> Result<Drained, Refusal> {
    loop {
        // The time of the log: the clock of this leader alone may be behind for hours.
        let until = context.cluster.time();
        let Found { due, next } = look(context, shard, slots.clone(), until).await?;
        if due.is_empty() {
            return Ok(Drained { next, is_early: false });
        }
        let mut done = 0;
        // Each slot has one command per round, so a flood in one delays the others by one command.
        for part in due.chunks(limits::BATCH_COMMANDS) {
            done += propose(context, shard, part, until, parent).await?;
        }
        if done == 0 {
            return Ok(Drained { next, is_early: true });
        }
    }
}

async fn propose(
    context: &NodeContext,
    shard: ShardId,
    due: &[(Slot, Vec<DueKey>)],
    until: Timestamp,
    parent: &ActorRef<ShardMsg>,
) -> Result<u32, Refusal> {
    let users = due.iter().flat_map(|(_, rows)| rows).filter_map(|row| row.work.user()).collect();
    let gone = gone(context, users).await;
    let command = |(slot, rows): &(Slot, Vec<DueKey>)| {
        let of_slot = rows.iter().filter_map(|row| row.work.user()).filter(|user| gone.contains(user));
        let gone = of_slot.collect::<BTreeSet<UserId>>().into_iter().collect();
        Command::RunDue(RunDue { slot: *slot, until, most: rows.len() as u32, gone })
    };
    let outcomes = context.propose(shard, due.iter().map(command).collect()).await?;
    let (mut effects, mut ran) = (Vec::new(), 0);
    for outcome in outcomes {
        effects.extend(outcome.effects);
        if let Reply::DueDone { done } = outcome.reply {
            ran += done;
        }
    }
    let committed_us = context.platform.clock.micros();
    let _ = parent.send_message(ShardMsg::DueRan { effects, committed_us });
    Ok(ran)
}

/// Those of these users whose accounts are disabled or deleted. A shard that does not answer delays
/// no work: its users were in order when they planned it.
async fn gone(context: &NodeContext, users: BTreeSet<UserId>) -> BTreeSet<UserId> {
    let asked = users.into_iter().map(|user| async move {
        let request = Request::Credentials(UserKey::Id(user));
        let is_gone = match context.router.ask(user.slot(), request, LOOKUP).await {
            Ok(Answer::Account(account)) => account.standing.status != Status::Active,
            Err(Refusal::Rejected { .. }) => true,
            Ok(_) | Err(_) => false,
        };
        is_gone.then_some(user)
    });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

#[derive(Debug, Default)]
struct Found {
    due: Vec<(Slot, Vec<DueKey>)>,
    /// The first time that is not due.
    next: Option<Timestamp>,
}

impl Found {
    fn read(view: &View, slots: Range<u16>, until: Timestamp) -> Result<Found, EngineError> {
        let mut found = Found::default();
        for slot in slots.map(Slot) {
            let first = view.page::<Due>(&slot, None, limits::DUE_AT_ONCE)?;
            let (due, later): (Vec<DueKey>, Vec<DueKey>) =
                first.into_iter().map(|(key, _)| key).partition(|key| key.at <= until);
            found.next = [found.next, later.first().map(|key| key.at)].into_iter().flatten().min();
            if !due.is_empty() {
                found.due.push((slot, due));
            }
        }
        Ok(found)
    }
}

/// Reads behind a barrier: a new leader may still apply entries of the previous one, and the rows
/// of those have no effects here.
async fn look(context: &NodeContext, shard: ShardId, slots: Range<u16>, until: Timestamp) -> Result<Found, Refusal> {
    let found = Arc::new(Mutex::new(Found::default()));
    let read = found.clone();
    context
        .read(shard, Asker::Node, move |view| {
            *read.lock() = Found::read(view, slots, until)?;
            Ok(Ok(()))
        })
        .await?;
    Ok(std::mem::take(&mut *found.lock()))
}

#[cfg(test)]
mod tests {
    use troupe_core::record::Work;
    use troupe_core::{ClientMessageId, ConversationId, GroupId, Rows};
    use troupe_store::engine::{Durability, Engine};
    use troupe_store::memory::Memory;
    use troupe_store::rows::Transaction;

    use super::*;

    fn row(group: u64, at: u64, id: u8) -> DueKey {
        let conversation = ConversationId::Group(GroupId(group));
        let id = ClientMessageId([id; 16]);
        DueKey { at: Timestamp(at), work: Work::Scheduled { conversation, sender: UserId(1), id } }
    }

    fn found(rows: &[DueKey], until: u64) -> Found {
        let engine = Memory::new();
        let mut transaction = Transaction::new(engine.snapshot());
        rows.iter().for_each(|row| transaction.put(row, &Due));
        engine.write(transaction.into_batch().expect("rows"), Durability::Buffered).expect("written");
        Found::read(&View::new(engine.snapshot()), 0..1024, Timestamp(until)).expect("read")
    }

    #[test]
    fn the_first_rows_of_each_slot_are_found_in_order_of_time() {
        let rows = [row(7, 30, 1), row(7, 10, 2), row(7, 40, 3), row(9, 20, 4), row(11, 35, 5)];
        let Found { due, next } = found(&rows, 30);
        let times = |rows: &[DueKey]| rows.iter().map(|row| row.at.0).collect::<Vec<_>>();
        let due: Vec<(u16, Vec<u64>)> = due.iter().map(|(slot, rows)| (slot.0, times(rows))).collect();
        assert_eq!(due, [(7, vec![10, 30]), (9, vec![20])]);
        assert_eq!(next, Some(Timestamp(35)));
        assert!(found(&rows, 5).due.is_empty());
        assert_eq!(found(&[], 5).next, None);
    }

    #[test]
    fn a_flood_of_one_slot_takes_one_share() {
        let flood = (0..100).map(|id| row(7, 10, id));
        let Found { due, .. } = found(&flood.chain([row(9, 20, 1)]).collect::<Vec<_>>(), 30);
        assert_eq!(due.iter().map(|(_, rows)| rows.len()).collect::<Vec<_>>(), [limits::DUE_AT_ONCE, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_looks_at_once_then_when_something_is_due_or_planned() {
        let mut timer = Timer::new(false);
        let now = Timestamp(1_000_000);
        assert_eq!(timer.begin(now, true), Some(Duration::ZERO), "a new leader");
        assert_eq!(timer.begin(now, true), None, "it runs already");
        timer.planned(Timestamp(now.0 + 5_000));
        timer.done(Some(Timestamp(now.0 + 90_000)));
        assert_eq!(timer.begin(now, true), None);
        let soon = Timestamp(now.0 + 4_500);
        assert_eq!(timer.begin(soon, true), Some(Duration::from_millis(500)), "planned during the run");
        timer.done(None);
        assert_eq!(timer.begin(Timestamp(u64::MAX), true), None, "nothing is planned");
        tokio::time::advance(RESCAN).await;
        assert_eq!(timer.begin(now, true), Some(Duration::ZERO), "rows may have come without effects");
    }
}
