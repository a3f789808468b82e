//! Delivers the events of conversations to the receivers of their outgoing hooks.
//!
//! The outbox of a hook is the log of its conversation, and the cursor in the row of the hook. One
//! task per hook reads behind the cursor, delivers event by event, and commits the cursor behind
//! the last one taken. A task ends when the receiver has all, and a moved head begins another one.
//! The leader finds its hooks when it begins, when they change, and part by part with its ticks,
//! because effects may be lost.
//!
//! Invariant: hooks. The cursor never passes an event that the receiver has not taken, unless the
//! event is on the list of dead ones. So none is lost at a failover, and the first deliveries of
//! events are in the order of the log.

use std::collections::BTreeMap;
use std::ops::Range;

use ractor::ActorRef;
use troupe_core::command::{AdvanceHook, GivenUp};
use troupe_core::planted::Bug;
use troupe_core::record::{DeadEvent, Hook, HookKey};
use troupe_core::{Command, ConversationId, Event, ShardId, limits};
use troupe_runtime::Backoff;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::ShardState;
use crate::context::{Asker, NodeContext};
use crate::hooks::{Delivery, Heard};
use crate::message::Refusal;
use crate::protocol::ShardMsg;

/// Ticks in which a leader looks at all of its slots.
const LOOK_TICKS: u64 = 30;
/// Hooks that a leader looks for at once, and so the hooks of one shard that are served.
const HOOKS: usize = 4_096;

/// The outgoing hooks of a shard, and whether a task delivers for each.
#[derive(Debug, Default)]
pub struct Hooks(BTreeMap<HookKey, Running>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Idle,
    Active,
    /// The head moved since it last looked.
    RunAgain,
}

impl ShardState {
    /// Looks for the outgoing hooks of a new leader. State that is not applied yet is looked at
    /// with the ticks.
    pub(super) fn first_hooks(&mut self, myself: &ActorRef<ShardMsg>) {
        self.hooks_in(myself, self.slots.clone());
    }

    /// Looks at a part of the slots, because an effect may be lost.
    pub(super) fn look_for_hooks(&mut self, myself: &ActorRef<ShardMsg>) {
        let part = self.slots.len() as u64 / LOOK_TICKS + 1;
        let from = u64::from(self.slots.start) + self.ticks % LOOK_TICKS * part;
        let end = u64::from(self.slots.end);
        self.hooks_in(myself, from.min(end) as u16..(from + part).min(end) as u16);
    }

    /// A few keys are read, and most slots have none: no task is worth it.
    fn hooks_in(&mut self, myself: &ActorRef<ShardMsg>, slots: Range<u16>) {
        let rows = self.context.view().over_slots::<Hook>(slots, None, HOOKS);
        self.hooks_found(myself, rows);
    }

    /// The hooks of this conversation changed.
    pub(super) fn hooks_changed(&mut self, myself: &ActorRef<ShardMsg>, conversation: ConversationId) {
        let rows = self.context.view().page::<Hook>(&conversation, None, limits::HOOKS_PER_GROUP);
        self.hooks_found(myself, rows);
    }

    fn hooks_found(&mut self, myself: &ActorRef<ShardMsg>, rows: Result<Vec<(HookKey, Hook)>, EngineError>) {
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => return tracing::error!(%error, "applied state cannot be read"),
        };
        for (key, _) in rows.into_iter().filter(|(_, hook)| hook.kind == Hook::OUTGOING) {
            self.hooks.0.entry(key).or_insert(Running::Idle);
            self.run_hook(myself, key);
        }
    }

    /// The conversation has new events.
    pub(super) fn wake_hooks(&mut self, myself: &ActorRef<ShardMsg>, conversation: ConversationId) {
        let keys: Vec<HookKey> =
            self.hooks.0.range((conversation, 0)..=(conversation, u64::MAX)).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.run_hook(myself, key));
    }

    fn run_hook(&mut self, myself: &ActorRef<ShardMsg>, key: HookKey) {
        let Some(running) = self.hooks.0.get_mut(&key) else { return };
        if *running != Running::Idle {
            *running = Running::RunAgain;
            return;
        }
        *running = Running::Active;
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(run(self.context.clone(), self.shard, key, myself.clone()));
    }

    /// `ended`: the hook has no row.
    pub(super) fn hook_idle(&mut self, myself: &ActorRef<ShardMsg>, key: HookKey, ended: bool) {
        let before = self.hooks.0.remove(&key);
        if ended && before != Some(Running::RunAgain) {
            return;
        }
        self.hooks.0.insert(key, Running::Idle);
        if before == Some(Running::RunAgain) {
            self.run_hook(myself, key);
        }
    }
}

/// The next work of a hook.
#[derive(Debug, Default)]
struct Work {
    hook: Option<Hook>,
    events: Vec<Event>,
    /// Dead events to try again.
    again: Vec<Event>,
}

impl Work {
    fn read(view: &View, (conversation, hook): HookKey) -> Result<Work, EngineError> {
        let Some(row) = view.get::<Hook>(&(conversation, hook))? else { return Ok(Work::default()) };
        let events = view.events(conversation, row.delivered, limits::HOOK_EVENTS, limits::PAGE_BYTES)?;
        let mut again = Vec::new();
        for ((_, _, seq), dead) in view.page::<DeadEvent>(&(conversation, hook), None, limits::HOOK_DEAD)? {
            if dead.again && again.len() < limits::HOOK_EVENTS {
                again.extend(view.event(conversation, seq)?);
            }
        }
        Ok(Work { hook: Some(row), events, again })
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.again.is_empty()
    }
}

/// Delivers until the receiver has all events, then reports to the shard.
async fn run(context: NodeContext, shard: ShardId, hook: HookKey, parent: ActorRef<ShardMsg>) {
    let patience = context.hooks.patience();
    let mut pause = Backoff::new(patience.first, patience.longest);
    let ended = loop {
        match step(&context, shard, hook).await {
            Ok(Step::Delivered) => pause.reset(),
            Ok(Step::Complete) => break false,
            Ok(Step::Ended) => break true,
            // Another node leads, nothing is committed at present, or the cursor waits.
            Err(_) => tokio::time::sleep(pause.pause(&context.platform.rng)).await,
        }
    };
    let _ = parent.send_message(ShardMsg::HookIdle { hook, ended });
}

enum Step {
    Delivered,
    Complete,
    /// There is no such hook any more.
    Ended,
}

/// Delivers one page, and commits how far the receiver is.
async fn step(context: &NodeContext, shard: ShardId, key: HookKey) -> Result<Step, Refusal> {
    let work = context.read(shard, Asker::Node, move |view| Work::read(view, key).map(Ok)).await?;
    let Some(hook) = &work.hook else { return Ok(Step::Ended) };
    if work.is_empty() {
        return Ok(Step::Complete);
    }
    let (conversation, id) = key;
    let mut done = AdvanceHook { conversation, hook: id, to: hook.delivered, dead: Vec::new(), taken: Vec::new() };
    for event in work.again {
        let seq = event.seq;
        match deliver(context, key, hook, event, 1).await {
            Ok(()) => done.taken.push(seq),
            Err(given_up) => done.dead.push(given_up),
        }
    }
    let mut room = limits::HOOK_DEAD.saturating_sub(hook.dead as usize);
    let attempts = context.hooks.patience().attempts;
    if context.platform.planted(Bug::HookCursorEarly)
        && let Some(last) = work.events.last()
    {
        let early = AdvanceHook { to: last.seq, ..done.clone() };
        context.propose(shard, vec![Command::from(early)]).await?;
    }
    for event in work.events {
        let seq = event.seq;
        if context.platform.planted(Bug::HookSkipsOne) && seq.0.is_multiple_of(5) {
            done.to = seq;
            continue;
        }
        match deliver(context, key, hook, event, attempts).await {
            Ok(()) => {}
            Err(given_up) if room > 0 => {
                room -= 1;
                done.dead.push(given_up);
            }
            // The cursor waits, so that no event is lost.
            Err(_) => {
                tracing::warn!(hook = %id, %conversation, %seq, "the list of dead events is full: the hook waits");
                break;
            }
        }
        done.to = seq;
    }
    let moved = done.to > hook.delivered || !done.taken.is_empty() || !done.dead.is_empty();
    context.propose(shard, vec![Command::from(done)]).await?;
    if moved { Ok(Step::Delivered) } else { Err(Refusal::Unavailable) }
}

/// Tries one event as often as it may be tried.
async fn deliver(
    context: &NodeContext,
    (conversation, id): HookKey,
    hook: &Hook,
    event: Event,
    attempts: u32,
) -> Result<(), GivenUp> {
    let patience = context.hooks.patience();
    let mut pause = Backoff::new(patience.first, patience.longest);
    let seq = event.seq;
    let mut attempt = 1;
    loop {
        let delivery = Delivery {
            conversation,
            hook: id,
            by: hook.by,
            url: hook.url.clone(),
            key: hook.key.clone(),
            event: event.clone(),
            attempt,
            now: context.platform.clock.now(),
        };
        let (status, why): (u32, String) = match context.hooks.deliver(delivery).await {
            Heard::Taken => return Ok(()),
            Heard::Not { status, why } => (status, why.chars().take(limits::HOOK_WHY_CHARS).collect()),
        };
        tracing::debug!(hook = %id, %conversation, %seq, attempt, status, %why, "a receiver did not take an event");
        if attempt >= attempts {
            return Err(GivenUp { seq, attempts: attempt, status, why });
        }
        attempt += 1;
        tokio::time::sleep(pause.pause(&context.platform.rng)).await;
    }
}
