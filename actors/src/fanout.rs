//! The fan-out of a node: which of its connections follow which conversation, and what they are handed,
//! in order.
//!
//! It subscribes to the leaders for all connections of the node together, in one batch per shard,
//! and says again after each change of leader; the heads in the answers show what was missed.
//! [`leaders`] does that, [`leader_requests`] holds what waits to be said to one shard; [`connections`] come
//! and go, and follow no more than they may; [`resequencer`] keeps the order of one conversation,
//! [`subscription`] its listeners.

mod connections;
mod inboxes;
mod leader_requests;
mod leaders;
mod resequencer;
mod subscription;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinSet;
use troupe_core::plant::Plant;
use troupe_core::{ConversationId, NodeId, ShardId, UserId, limits};

use crate::connection::{ConnectionId, Outbox};
use crate::conversation::news;
use crate::edge::EdgeMsg;
use crate::fanout::connections::Added;
use crate::fanout::inboxes::Inboxes;
use crate::fanout::leader_requests::{Interests, LeaderRequests};
use crate::fanout::subscription::Subscription;
use crate::message::{Answer, News, Outcome, Push, Request, Session};
use crate::router::PATIENCE;
use crate::world::World;

const TICK: Duration = Duration::from_secs(1);
/// Ticks between two times that everything is said again about who is online: a lost word does not
/// last.
const REPORT_TICKS: u64 = 60;

pub enum FanoutMsg {
    /// From a leader.
    Push(Push),
    /// A connection has logged in.
    Attach {
        id: ConnectionId,
        session: Session,
        outbox: Arc<Outbox>,
        edge: ActorRef<EdgeMsg>,
    },
    Detach {
        id: ConnectionId,
    },
    Follow {
        id: ConnectionId,
        conversations: Vec<ConversationId>,
    },
    Subscribed {
        shard: ShardId,
        asked: Interests,
        outcome: Outcome,
    },
    Attached {
        shard: ShardId,
        whole: bool,
        asked: Vec<Session>,
        outcome: Outcome,
    },
    Filled {
        conversation: ConversationId,
        outcome: Outcome,
    },
    /// A user's conversation list, or that it cannot be read now.
    Inbox {
        user: UserId,
        conversations: Option<Vec<ConversationId>>,
    },
    RoutingChanged,
    NodeDown(NodeId),
    Tick,
}

impl ractor::Message for FanoutMsg {}

pub struct Fanout;

pub struct FanoutState {
    world: World,
    connections: BTreeMap<ConnectionId, Local>,
    users: BTreeMap<UserId, BTreeSet<ConnectionId>>,
    conversations: BTreeMap<ConversationId, Subscription>,
    leader_requests: BTreeMap<ShardId, LeaderRequests>,
    inboxes: Inboxes,
    /// Events handed out so far, of any conversation: how recently something happened is told by
    /// it.
    delivered: u64,
    /// Gaps whose fetch has failed.
    unfilled: BTreeSet<ConversationId>,
    ticks: u64,
    /// The timer and the watch on the routing; aborted with this actor.
    _tasks: JoinSet<()>,
}

struct Local {
    session: Session,
    outbox: Arc<Outbox>,
    edge: ActorRef<EdgeMsg>,
    follows: BTreeSet<ConversationId>,
}

impl Actor for Fanout {
    type Msg = FanoutMsg;
    type State = FanoutState;
    type Arguments = World;

    async fn pre_start(&self, myself: ActorRef<FanoutMsg>, world: World) -> Result<FanoutState, ActorProcessingErr> {
        world.stats.actors.up();
        let mut tasks = JoinSet::new();
        let (clock, mut routing) = (myself, world.cluster.routing());
        tasks.spawn(async move {
            let mut interval = tokio::time::interval(TICK);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
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
            world,
            connections: BTreeMap::new(),
            users: BTreeMap::new(),
            conversations: BTreeMap::new(),
            leader_requests: BTreeMap::new(),
            inboxes: Inboxes::default(),
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
            FanoutMsg::Attach { id, session, outbox, edge } => state.attach(&myself, id, session, outbox, edge),
            FanoutMsg::Detach { id } => state.detach(id),
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
                state.look_at_leaders();
                state.flush(&myself);
            }
            FanoutMsg::NodeDown(node) => {
                state.leader_requests.values_mut().for_each(|requests| requests.lost(node));
                // The leader has not changed, but what it knew of this node is gone: say it again
                // when it is back.
                state.look_at_leaders();
                state.flush(&myself);
            }
            FanoutMsg::Tick => state.tick(&myself),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<FanoutMsg>, state: &mut FanoutState) -> Result<(), ActorProcessingErr> {
        state.world.stats.actors.down();
        Ok(())
    }
}

/// What leaders push, and how it reaches connections.
impl FanoutState {
    fn pushed(&mut self, myself: &ActorRef<FanoutMsg>, push: Push) {
        match push {
            Push::Event(news) => {
                let conversation = news.conversation;
                let careless = self.world.ctx.planted(Plant::IgnoreFanOutGap);
                let Some(subscription) = self.conversations.get_mut(&conversation) else { return };
                let out = if careless {
                    subscription.resequencer.offer_regardless(news)
                } else {
                    subscription.resequencer.offer(news)
                };
                self.deliver(conversation, out);
                self.fill(myself, conversation);
            }
            Push::Cursor { conversation, only, frame } => self.tell_cursor(conversation, only, &frame),
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
            Push::User { user, frame } => {
                for id in self.users.get(&user).into_iter().flatten() {
                    if let Some(local) = self.connections.get(id) {
                        local.push(&self.world, frame.clone());
                    }
                }
            }
            Push::SessionEnded { session, code } => self.end_session(&session, &code),
        }
    }

    fn tell_cursor(&self, conversation: ConversationId, only: Option<UserId>, frame: &bytes::Bytes) {
        let Some(subscription) = self.conversations.get(&conversation) else { return };
        let tell = |id: ConnectionId| {
            if let Some(local) = self.connections.get(&id) {
                local.push(&self.world, frame.clone());
            }
        };
        match only {
            Some(user) => {
                let own = self.users.get(&user).into_iter().flatten().copied();
                own.filter(|id| subscription.listens(*id)).for_each(tell);
            }
            None => subscription.listeners().for_each(tell),
        }
    }

    /// To every listener, as the same bytes.
    // Invariant: one_order.
    fn deliver(&mut self, conversation: ConversationId, out: Vec<News>) {
        let Some(subscription) = self.conversations.get_mut(&conversation) else { return };
        if !out.is_empty() {
            self.delivered += 1;
            subscription.active = self.delivered;
        }
        for news in out {
            let removed = news.removed.filter(|_| !self.world.ctx.planted(Plant::RemovedStillFannedOut));
            let to = subscription.deliver(&News { removed, ..news.clone() });
            self.world.stats.deliveries.add(to.len() as u64);
            for id in to {
                if let Some(local) = self.connections.get(&id) {
                    local.push(&self.world, news.frame.clone());
                }
            }
        }
    }

    /// Fetches what is missing, if something is.
    fn fill(&mut self, myself: &ActorRef<FanoutMsg>, conversation: ConversationId) {
        let Some(subscription) = self.conversations.get_mut(&conversation) else { return };
        let Some(seq) = subscription.resequencer.wants_fill() else { return };
        self.world.stats.gaps.up();
        let limit = limits::EVENTS_HELD_BACK;
        let request = Request::Fetch { conversation, reader: None, seq, backward: false, limit };
        let answer = self.world.router.ask(conversation.slot(), request, PATIENCE);
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
        let out =
            events.into_iter().flat_map(|event| subscription.resequencer.offer(news(conversation, event))).collect();
        let moved = subscription.resequencer.fill_ended();
        self.deliver(conversation, out);
        if moved {
            self.fill(myself, conversation);
        } else {
            // Tried again with the next tick.
            self.unfilled.insert(conversation);
        }
    }

    fn end_session(&mut self, ended: &Session, code: &str) {
        for id in self.users.get(&ended.user).into_iter().flatten() {
            if let Some(local) = self.connections.get(id)
                && local.session.token == ended.token
            {
                local.kick(code);
            }
        }
    }
}

impl Local {
    fn push(&self, world: &World, frame: bytes::Bytes) {
        if !self.outbox.push(frame) {
            world.stats.slow_consumers.up();
        }
    }

    fn kick(&self, code: &str) {
        // An edge that has ended is kicked already.
        let _ = self.edge.send_message(EdgeMsg::Kick { code: code.to_owned() });
    }
}
