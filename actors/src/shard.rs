//! The actor of a shard that this node leads: it admits requests, passes them to entities, answers
//! reads, and executes effects.
//!
//! It lives as long as one leadership. It is the only sender to its entities, so it can bound the
//! requests in flight at each. It keeps their volatile state (interested nodes, live connections),
//! so that idle entities can be passivated. [`requests`] admits requests, [`standing`] refuses what
//! applied state refuses, [`reads`] composes answers, [`outbox_relay`] relays rows to other shards,
//! [`due`] does work at its time, [`before`] asks hooks before a message is proposed, [`absent`]
//! tells the shards of members that are not connected, [`online`] keeps live connections,
//! [`watches`] tells those that watch them.

mod absent;
mod before;
mod due;
mod entities;
mod heads;
mod hooks;
mod leading;
mod online;
mod outbox_relay;
mod reads;
mod requests;
mod signals;
mod standing;
pub(crate) mod touch;
mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use troupe_core::planted::Bug;
use troupe_core::record::OutboxKey;
use troupe_core::{ConversationId, Effect, Epoch, EventKind, NodeId, Seq, ShardId, UserId, limits};
use troupe_proto::client;

use crate::admission::Bound;
use crate::context::NodeContext;
use crate::message::{Push, ServerMessage, wire};
use crate::ops::list_online::Names;
use crate::presence::Presence;
use crate::protocol::{ConversationMsg, ShardMsg, UserMsg};
use crate::shard::entities::Entities;
use crate::watchers::Watchers;

/// Between two checks of entities, sessions and heads.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two exchanges of heads.
const DIGEST_TICKS: u64 = 3;
/// Exchanges that repeat a moved head, because the first may be lost too.
const TOLD: u8 = 2;
/// A new leader refuses a second login only after all nodes have reported their connections, or
/// after this time.
const HEARING: Duration = Duration::from_secs(5);

pub(crate) use before::is_missed;

pub struct Shard;

pub struct ShardArgs {
    pub context: NodeContext,
    pub shard: ShardId,
    pub epoch: Epoch,
}

pub struct ShardState {
    context: NodeContext,
    shard: ShardId,
    slots: std::ops::Range<u16>,
    since: Instant,
    in_flight: Bound,
    entities: Entities,
    /// Nodes subscribed to each conversation.
    interest: BTreeMap<ConversationId, BTreeSet<NodeId>>,
    presence: Presence,
    /// Names of online users.
    names: Names,
    watchers: Watchers,
    /// Whether rows of watched users are being read.
    looking: bool,
    /// Heads that moved, and how many more exchanges repeat them.
    moved: BTreeMap<ConversationId, (Seq, u8)>,
    ticks: u64,
    /// When sessions in use were last recorded, and whether a sweep is running.
    touches: touch::Sweep,
    outbox_relay: OutboxRelay,
    due: due::Timer,
    hooks: hooks::Hooks,
    questions: before::Questions,
    unseen: absent::Unseen,
    /// Chunks of files that wait for their turn, or have it. One at a time is in the log, so that a
    /// message waits for one chunk at most.
    chunks: Bound,
    chunk_turn: Arc<Semaphore>,
    /// The timer, due work and the outbox relay; aborted with this actor.
    tasks: JoinSet<()>,
}

/// Whether the outbox relay runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OutboxRelay {
    Idle,
    Running,
    /// Rows were enqueued since it last looked.
    RunAgain,
}

impl Actor for Shard {
    type Msg = ShardMsg;
    type State = ShardState;
    type Arguments = ShardArgs;

    async fn pre_start(&self, myself: ActorRef<ShardMsg>, args: ShardArgs) -> Result<ShardState, ActorProcessingErr> {
        let ShardArgs { context, shard, epoch } = args;
        let map = context.router.routing().shards.ok_or("a shard is led before the shard map is known")?;
        let (from, to) = map.slots(shard);
        tracing::info!(%shard, %epoch, "leads the shard");
        context.platform.metrics.actors.up();
        let mut tasks = JoinSet::new();
        let clock = myself.clone();
        let mut interval = context.platform.beat.interval(TICK);
        tasks.spawn(async move {
            loop {
                interval.tick().await;
                if clock.send_message(ShardMsg::Tick).is_err() {
                    return;
                }
            }
        });
        let forgets = context.platform.planted(Bug::DueForgotten);
        let mut state = ShardState {
            entities: Entities::new(context.clone(), shard),
            context,
            shard,
            slots: from..to,
            since: Instant::now(),
            in_flight: Bound::new(limits::SHARD_IN_FLIGHT),
            interest: BTreeMap::new(),
            presence: Presence::default(),
            names: Names::default(),
            watchers: Watchers::default(),
            looking: false,
            moved: BTreeMap::new(),
            ticks: 0,
            touches: touch::Sweep::default(),
            outbox_relay: OutboxRelay::Idle,
            due: due::Timer::new(forgets),
            hooks: hooks::Hooks::default(),
            questions: before::Questions::default(),
            unseen: absent::Unseen::default(),
            chunks: Bound::new(limits::CHUNKS_WAITING),
            chunk_turn: Arc::new(Semaphore::new(1)),
            tasks,
        };
        // The previous leader may have left rows.
        state.relay_outbox(&myself);
        state.first_hooks(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<ShardMsg>,
        message: ShardMsg,
        state: &mut ShardState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ShardMsg::Request { request, reply } => state.admit(&myself, request, reply),
            ShardMsg::LetIn { task, reply } => state.dispatch(&myself, task, reply),
            ShardMsg::Removed { conversation, user } => state.entities.forget(conversation, user),
            ShardMsg::ExecuteEffects { effects } => state.execute_effects(&myself, effects),
            ShardMsg::Opened(session) => state.attach(session),
            ShardMsg::Moved { conversation, head } => {
                state.moved(conversation, head);
                state.wake_hooks(&myself, conversation);
                state.mark_unseen(&myself, conversation, head);
            }
            ShardMsg::Asked { command, reply } => state.commit(&myself, command, reply),
            ShardMsg::HookMissed { conversation } => state.entities.forget_before(conversation),
            ShardMsg::Looked => state.looked(&myself),
            ShardMsg::HookIdle { hook, ended } => state.hook_idle(&myself, hook, ended),
            ShardMsg::Complete(answer) => answer(&state.presence),
            ShardMsg::OutboxEmpty => state.outbox_empty(&myself),
            ShardMsg::Seen { facts, asked_by } => state.seen(facts, asked_by),
            ShardMsg::Gone(users) => users.into_iter().for_each(|user| state.watchers.changed(user)),
            ShardMsg::NodeDown(node) => state.node_down(node),
            ShardMsg::DueRan { effects, committed_us } => state.due_ran(&myself, effects, committed_us),
            ShardMsg::DueDone { next } => state.due_done(next),
            ShardMsg::Tick => state.tick(&myself),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<ShardMsg>,
        event: SupervisionEvent,
        state: &mut ShardState,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(who, error) = event {
            // The next request activates it again from applied state.
            tracing::error!(shard = %state.shard, %error, "an entity failed");
            state.entities.failed(who.get_id());
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<ShardMsg>, state: &mut ShardState) -> Result<(), ActorProcessingErr> {
        state.entities.stop_all();
        state.context.platform.metrics.actors.down();
        tracing::info!(shard = %state.shard, "no longer leads the shard");
        Ok(())
    }
}

impl ShardState {
    /// Executes effects. Effects are idempotent and may be lost.
    fn execute_effects(&mut self, myself: &ActorRef<ShardMsg>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::InboxChanged { user, conversation, present, version } => {
                    let push = Push::Inbox { user, conversation, present, version };
                    self.context.router.push_all(self.presence.nodes(user), self.shard, &push);
                }
                Effect::Invited { user, conversation, by } => {
                    let push = Push::Invitation { user, conversation, by };
                    self.context.router.push_all(self.presence.nodes(user), self.shard, &push);
                }
                Effect::ProfileChanged { user, profile } => {
                    let profile = Some((*profile).into());
                    self.tell_own(user, ServerMessage::Profile(wire::ProfilePush { profile }));
                }
                Effect::PresenceShown { user } => self.watchers.changed(user),
                Effect::ContactChanged { user, other, contact, blocked } => {
                    self.watchers.changed(user);
                    let contact = Some(client::contact(other, *contact, blocked));
                    self.tell_own(user, ServerMessage::ContactChanged(wire::ContactPush { contact }));
                }
                Effect::FavouriteChanged { user, conversation, seq, removed, version } => {
                    let (conversation, seq) = (conversation.to_string(), seq.0);
                    let push = wire::FavouritePush { conversation, seq, removed, version };
                    self.tell_own(user, ServerMessage::FavouriteChanged(push));
                }
                Effect::PersonalChanged { conversation, user, row, head, read } => {
                    let personal = Some(client::personal(conversation, *row, head, read));
                    let message = ServerMessage::PersonalChanged(wire::PersonalPush { personal });
                    // The user's shard knows its nodes; this one knows those of the conversation.
                    let nodes = self.interest.get(&conversation).into_iter().flatten().copied();
                    let push = Push::Own { user, message: Box::new(message) };
                    self.context.router.push_all(nodes, self.shard, &push);
                }
                Effect::InvitationExpired { user, conversation, version } => {
                    let key = OutboxKey { slot: conversation.slot(), conversation, version, user };
                    let context = self.context.clone();
                    tokio::spawn(async move { outbox_relay::leave(&context, key).await });
                }
                Effect::SessionEnded { user, token, why, .. } => {
                    for session in self.presence.of_token(user, &token) {
                        self.end(session, why.into());
                    }
                }
                Effect::OutboxFilled { .. } => self.relay_outbox(myself),
                Effect::HooksChanged { conversation } => {
                    self.entities.forget_before(conversation);
                    self.hooks_changed(myself, conversation);
                }
                Effect::AskHook { conversation, sender, id } => self.ask_scheduled(myself, conversation, sender, id),
                Effect::DuePlanned { at } => self.due.planned(at),
                Effect::Grown { signal } => {
                    let nodes = self.interest.get(&signal.conversation).into_iter().flatten().copied();
                    self.context.router.push_all(nodes, self.shard, &Push::Signal(signal));
                }
                // The conversation's actor pushes events. The shard gets this effect if that actor
                // has timed out, and for a new group.
                Effect::Deliver { conversation, event } => {
                    if let EventKind::Removed { user } = event.kind {
                        self.entities.forget(conversation, user);
                    }
                    self.moved(conversation, event.seq);
                    self.wake_hooks(myself, conversation);
                    self.mark_unseen(myself, conversation, event.seq);
                }
                Effect::CursorMoved { .. } => {}
            }
        }
    }

    /// Pushes a message of the protocol to all devices of a user.
    fn tell_own(&self, user: UserId, message: ServerMessage) {
        let push = Push::Own { user, message: Box::new(message) };
        self.context.router.push_all(self.presence.nodes(user), self.shard, &push);
    }

    fn tell_interest(&self, conversation: ConversationId) {
        let interest = || self.interest.get(&conversation).cloned().unwrap_or_default();
        self.entities.tell_conversation(conversation, || ConversationMsg::Interest(interest()));
    }

    fn lose_interest(&mut self, conversation: ConversationId, node: NodeId) {
        let Some(nodes) = self.interest.get_mut(&conversation) else { return };
        if nodes.remove(&node) {
            if nodes.is_empty() {
                self.interest.remove(&conversation);
            }
            self.tell_interest(conversation);
        }
    }

    fn relay_outbox(&mut self, myself: &ActorRef<ShardMsg>) {
        if self.outbox_relay != OutboxRelay::Idle {
            self.outbox_relay = OutboxRelay::RunAgain;
            return;
        }
        self.outbox_relay = OutboxRelay::Running;
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(outbox_relay::run(self.context.clone(), self.shard, self.slots.clone(), myself.clone()));
    }

    fn outbox_empty(&mut self, myself: &ActorRef<ShardMsg>) {
        let again = self.outbox_relay == OutboxRelay::RunAgain;
        self.outbox_relay = OutboxRelay::Idle;
        if again {
            self.relay_outbox(myself);
        }
    }

    fn node_down(&mut self, node: NodeId) {
        self.watchers.forget(node);
        for user in self.presence.forget(node) {
            self.entities.tell_user(user, || UserMsg::Online(self.presence.sessions(user).to_vec()));
        }
        let interested: Vec<ConversationId> =
            self.interest.iter().filter(|(_, nodes)| nodes.contains(&node)).map(|(id, _)| *id).collect();
        for conversation in interested {
            self.lose_interest(conversation, node);
        }
    }

    fn tick(&mut self, myself: &ActorRef<ShardMsg>) {
        self.ticks += 1;
        self.run_due(myself);
        self.touches.begin_if_due(&self.context, self.shard, self.since, || self.presence.all());
        self.entities.passivate_some(self.ticks);
        self.note_seen();
        self.look_at_watched();
        self.look_for_hooks(myself);
        self.questions.sweep();
        if self.ticks.is_multiple_of(DIGEST_TICKS) {
            self.tell_heads();
        }
    }
}
