//! The fan-out of a node: it delivers the events of a conversation, in order, to the connections of
//! this node that follow it.
//!
//! It subscribes to the leaders once for all connections of the node, with one batch per shard, and
//! again after each change of leader; the heads in the answers reveal lost pushes. [`leaders`]
//! sends these requests and [`leader_requests`] queues them per shard. [`connections`] bounds what
//! a connection follows. [`subscription`] holds the listeners of one conversation, [`resequencer`]
//! the order of its events.

mod connections;
mod inboxes;
mod leader_requests;
mod leaders;
mod resequencer;
mod signals;
mod subscription;
mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinSet;
use troupe_core::planted::Bug;
use troupe_core::{ConversationId, ShardId, UserId, limits};
use troupe_proto::client::EndReason;
use troupe_runtime::trace::{At, Stage, Subject};

use crate::context::NodeContext;
use crate::fanout::connections::Added;
use crate::fanout::inboxes::Inboxes;
use crate::fanout::leader_requests::LeaderRequests;
use crate::fanout::subscription::Subscription;
use crate::fanout::watches::Watched;
use crate::message::{Answer, EventPush, Outcome, Push, Request, Session};
use crate::protocol::FanoutMsg;
use crate::router::PATIENCE;
use crate::sink::{ConnectionId, Delivery, Pushed, Sink};

const TICK: Duration = Duration::from_secs(1);
/// Ticks between two complete reports of live connections, which correct a lost one.
const REPORT_TICKS: u64 = 60;

pub struct Fanout;

pub struct FanoutState {
    context: NodeContext,
    connections: BTreeMap<ConnectionId, Local>,
    users: BTreeMap<UserId, BTreeSet<ConnectionId>>,
    conversations: BTreeMap<ConversationId, Subscription>,
    leader_requests: BTreeMap<ShardId, LeaderRequests>,
    inboxes: Inboxes,
    watched: Watched,
    /// Events delivered so far, of any conversation: a clock of recent activity.
    delivered: u64,
    /// Gaps whose fetch has failed.
    unfilled: BTreeSet<ConversationId>,
    ticks: u64,
    /// The timer and the watch on the routing; aborted with this actor.
    _tasks: JoinSet<()>,
}

struct Local {
    session: Session,
    sink: Arc<dyn Sink>,
    follows: BTreeSet<ConversationId>,
}

impl Actor for Fanout {
    type Msg = FanoutMsg;
    type State = FanoutState;
    type Arguments = NodeContext;

    async fn pre_start(
        &self,
        myself: ActorRef<FanoutMsg>,
        context: NodeContext,
    ) -> Result<FanoutState, ActorProcessingErr> {
        context.platform.metrics.actors.up();
        let mut tasks = JoinSet::new();
        let (clock, mut routing) = (myself, context.cluster.routing());
        let mut interval = context.platform.beat.interval(TICK);
        tasks.spawn(async move {
            loop {
                let message = tokio::select! {
                    _ = interval.tick() => FanoutMsg::Tick,
                    changed = routing.changed() => match changed {
                        Ok(()) => FanoutMsg::RoutingChanged,
                        Err(_) => return,
                    },
                };
                if clock.send_message(message).is_err() {
                    return;
                }
            }
        });
        Ok(FanoutState {
            context,
            connections: BTreeMap::new(),
            users: BTreeMap::new(),
            conversations: BTreeMap::new(),
            leader_requests: BTreeMap::new(),
            inboxes: Inboxes::default(),
            watched: Watched::default(),
            delivered: 0,
            unfilled: BTreeSet::new(),
            ticks: 0,
            _tasks: tasks,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<FanoutMsg>,
        message: FanoutMsg,
        state: &mut FanoutState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            FanoutMsg::Push(push) => state.pushed(&myself, push),
            FanoutMsg::Attach { id, session, sink } => state.attach(&myself, id, session, sink),
            FanoutMsg::Detach { id } => {
                state.detach(id);
                state.flush(&myself);
            }
            FanoutMsg::Watch { session, users } => {
                state.watch(&session, &users);
                state.flush(&myself);
            }
            FanoutMsg::Watched { shard, asked, outcome } => {
                state.watched(shard, asked, outcome);
                state.flush_to(&myself, shard);
            }
            FanoutMsg::Follow { id, conversations } => {
                conversations.into_iter().for_each(|conversation| state.follow(id, conversation, Added::BEFORE));
                state.flush(&myself);
            }
            FanoutMsg::Subscribed { shard, asked, outcome } => {
                state.subscribed(&myself, shard, asked, outcome);
                state.flush_to(&myself, shard);
            }
            FanoutMsg::Attached { shard, whole, asked, outcome } => {
                state.attached(shard, whole, asked, outcome);
                state.read_inboxes(&myself);
                state.flush_to(&myself, shard);
            }
            FanoutMsg::Filled { conversation, outcome } => state.filled(&myself, conversation, outcome),
            FanoutMsg::Inbox { user, conversations } => {
                state.inbox_read(user, conversations);
                state.read_inboxes(&myself);
                state.flush(&myself);
            }
            FanoutMsg::RoutingChanged => {
                state.check_leaders();
                state.flush(&myself);
            }
            FanoutMsg::NodeDown(node) => {
                state.leader_requests.values_mut().for_each(|requests| requests.lost(node));
                // The leader is the same but has forgotten this node: subscribe again when the
                // link is back.
                state.check_leaders();
                state.flush(&myself);
            }
            FanoutMsg::Tick => state.tick(&myself),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<FanoutMsg>, state: &mut FanoutState) -> Result<(), ActorProcessingErr> {
        state.context.platform.metrics.actors.down();
        Ok(())
    }
}

/// Pushes from leaders, and their delivery to connections.
impl FanoutState {
    fn pushed(&mut self, myself: &ActorRef<FanoutMsg>, push: Push) {
        match push {
            Push::Event(push) => {
                let conversation = push.conversation;
                self.context.platform.hop(Subject::event(conversation, push.seq), Stage::FanOut, At::default());
                #[cfg(feature = "planted-bugs")]
                let careless = self.context.platform.planted(Bug::IgnoreFanOutGap);
                let Some(subscription) = self.conversations.get_mut(&conversation) else { return };
                #[cfg(feature = "planted-bugs")]
                if careless {
                    let out = subscription.resequencer.offer_regardless(push);
                    self.deliver(conversation, out);
                    return self.fill(myself, conversation);
                }
                let out = subscription.resequencer.offer(push);
                self.deliver(conversation, out);
                self.fill(myself, conversation);
            }
            Push::Cursor { only, cursor } => {
                self.deliver_cursor(only, &Delivery::new(Pushed::Cursor(cursor)), cursor.conversation)
            }
            Push::Heads(heads) => {
                for (conversation, head) in heads {
                    if let Some(subscription) = self.conversations.get_mut(&conversation) {
                        subscription.resequencer.heard_head(head);
                        self.fill(myself, conversation);
                    }
                }
            }
            Push::Inbox { user, conversation, present, version } => {
                self.inbox_changed(user, conversation, present, version);
                self.flush(myself);
            }
            Push::Invitation { user, conversation, by } => {
                let delivery = Delivery::new(Pushed::Invitation { conversation, by });
                for id in self.users.get(&user).into_iter().flatten() {
                    self.deliver_to(*id, &delivery);
                }
            }
            Push::Own { user, message } => {
                let delivery = Delivery::new(Pushed::Own(message));
                for id in self.users.get(&user).into_iter().flatten() {
                    self.deliver_to(*id, &delivery);
                }
            }
            Push::Signal(signal) => self.signalled(signal),
            Push::Watch { session, users } => {
                self.watch(&session, &users.into_iter().collect());
                self.flush(myself);
            }
            Push::Presences(news) => news.into_iter().for_each(|news| self.presence_heard(news)),
            Push::SessionEnded { session, reason } => self.end_session(&session, &reason),
        }
    }

    fn deliver_cursor(&self, only: Option<UserId>, delivery: &Delivery, conversation: ConversationId) {
        let Some(subscription) = self.conversations.get(&conversation) else { return };
        match only {
            Some(user) => {
                let own = self.users.get(&user).into_iter().flatten().copied();
                own.filter(|id| subscription.listens(*id)).for_each(|id| self.deliver_to(id, delivery));
            }
            None => subscription.listeners().for_each(|id| self.deliver_to(id, delivery)),
        }
    }

    fn deliver_to(&self, id: ConnectionId, delivery: &Delivery) {
        let Some(local) = self.connections.get(&id) else { return };
        if local.sink.deliver(delivery).is_err() {
            self.context.platform.metrics.slow_consumers.up();
        }
    }

    /// To every listener. Connections of one edge kind share one frame.
    // Invariant: one_order.
    fn deliver(&mut self, conversation: ConversationId, out: Vec<EventPush>) {
        let Some(subscription) = self.conversations.get_mut(&conversation) else { return };
        if !out.is_empty() {
            self.delivered += 1;
            subscription.active = self.delivered;
        }
        for EventPush { conversation, seq, removed, event, committed_us } in out {
            let Some(subscription) = self.conversations.get_mut(&conversation) else { return };
            let removed = removed.filter(|_| !self.context.platform.planted(Bug::RemovedStillFannedOut));
            let to = subscription.deliver(seq, removed);
            self.context.platform.metrics.deliveries.add(to.len() as u64);
            let delivery = Delivery::new(Pushed::Event { conversation, seq, event });
            let count = to.len() as u64;
            to.into_iter().for_each(|id| self.deliver_to(id, &delivery));
            self.record(Subject::event(conversation, seq), count, committed_us);
        }
    }

    fn record(&self, event: Subject, connections: u64, committed_us: u64) {
        let platform = &self.context.platform;
        platform.hop(event, Stage::Connection, At::default().detail(connections));
        // Fetched events and those of nodes of 0.1 have no time of commit.
        if committed_us > 0 && connections > 0 {
            let lasted = platform.clock.micros().saturating_sub(committed_us);
            platform.metrics.delivery.duration(Duration::from_micros(lasted));
        }
    }

    /// Fetches missing events, if there are any.
    fn fill(&mut self, myself: &ActorRef<FanoutMsg>, conversation: ConversationId) {
        let Some(subscription) = self.conversations.get_mut(&conversation) else { return };
        let Some(seq) = subscription.resequencer.wants_fill() else { return };
        self.context.platform.metrics.gaps.up();
        let limit = limits::EVENTS_HELD_BACK;
        let request = Request::Fill { conversation, after: seq, limit };
        let answer = self.context.router.ask(conversation.slot(), request, PATIENCE);
        let myself = myself.clone();
        tokio::spawn(async move {
            let outcome = answer.await;
            let _ = myself.send_message(FanoutMsg::Filled { conversation, outcome });
        });
    }

    fn filled(&mut self, myself: &ActorRef<FanoutMsg>, conversation: ConversationId, outcome: Outcome) {
        let Some(subscription) = self.conversations.get_mut(&conversation) else { return };
        let events = match outcome {
            Ok(Answer::Page(page)) => page.events,
            _ => Vec::new(),
        };
        let out = events
            .into_iter()
            .flat_map(|event| subscription.resequencer.offer(EventPush::fetched(conversation, event)))
            .collect();
        let moved = subscription.resequencer.fill_ended();
        self.deliver(conversation, out);
        if moved {
            self.fill(myself, conversation);
        } else {
            // The next tick tries again.
            self.unfilled.insert(conversation);
        }
    }

    fn end_session(&mut self, ended: &Session, reason: &EndReason) {
        for id in self.users.get(&ended.user).into_iter().flatten() {
            if let Some(local) = self.connections.get(id)
                && local.session.token == ended.token
            {
                local.sink.end(reason.clone());
            }
        }
    }
}
