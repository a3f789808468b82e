//! The hub of a node: which of its connections follow which conversation, and what they are handed,
//! in order.
//!
//! It subscribes to the leaders for all connections of the node together, in one batch per shard,
//! and says again after each change of leader; the heads in the answers show what was missed.
//! [`leaders`] does that, [`link`] holds what waits to be said to one shard; [`connections`] come
//! and go, and follow no more than they may; [`flow`] keeps the order of one conversation,
//! [`followed`] its listeners.

mod connections;
mod flow;
mod followed;
mod inboxes;
mod leaders;
mod link;

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
use crate::hub::connections::Added;
use crate::hub::followed::Followed;
use crate::hub::inboxes::Inboxes;
use crate::hub::link::{Interests, Link};
use crate::message::{Answer, News, Outcome, Push, Request, Session};
use crate::router::PATIENCE;
use crate::world::World;

const TICK: Duration = Duration::from_secs(1);
/// Ticks between two times that everything is said again about who is online: a lost word does not
/// last.
const REPORT_TICKS: u64 = 60;

pub enum HubMsg {
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

impl ractor::Message for HubMsg {}

pub struct Hub;

pub struct HubState {
    world: World,
    connections: BTreeMap<ConnectionId, Local>,
    users: BTreeMap<UserId, BTreeSet<ConnectionId>>,
    conversations: BTreeMap<ConversationId, Followed>,
    links: BTreeMap<ShardId, Link>,
    inboxes: Inboxes,
    /// Events handed out so far, of any conversation: how recently something happened is told by
    /// it.
    handed_out: u64,
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

impl Actor for Hub {
    type Msg = HubMsg;
    type State = HubState;
    type Arguments = World;

    async fn pre_start(&self, myself: ActorRef<HubMsg>, world: World) -> Result<HubState, ActorProcessingErr> {
        world.stats.actors.up();
        let mut tasks = JoinSet::new();
        let (clock, mut routing) = (myself, world.cluster.routing());
        tasks.spawn(async move {
            let mut interval = tokio::time::interval(TICK);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let message = tokio::select! {
                    _ = interval.tick() => HubMsg::Tick,
                    changed = routing.changed() => match changed {
                        Ok(()) => HubMsg::RoutingChanged,
                        Err(_) => return,
                    },
                };
                if clock.send_message(message).is_err() {
                    return;
                }
            }
        });
        Ok(HubState {
            world,
            connections: BTreeMap::new(),
            users: BTreeMap::new(),
            conversations: BTreeMap::new(),
            links: BTreeMap::new(),
            inboxes: Inboxes::default(),
            handed_out: 0,
            unfilled: BTreeSet::new(),
            ticks: 0,
            _tasks: tasks,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<HubMsg>,
        message: HubMsg,
        state: &mut HubState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            HubMsg::Push(push) => state.pushed(&myself, push),
            HubMsg::Attach { id, session, outbox, edge } => state.attach(&myself, id, session, outbox, edge),
            HubMsg::Detach { id } => state.detach(id),
            HubMsg::Follow { id, conversations } => {
                conversations.into_iter().for_each(|conversation| state.follow(id, conversation, Added::BEFORE));
                state.speak(&myself);
            }
            HubMsg::Subscribed { shard, asked, outcome } => {
                state.subscribed(&myself, shard, asked, outcome);
                state.speak_to(&myself, shard);
            }
            HubMsg::Attached { shard, whole, asked, outcome } => {
                state.attached(shard, whole, asked, outcome);
                state.read_inboxes(&myself);
                state.speak_to(&myself, shard);
            }
            HubMsg::Filled { conversation, outcome } => state.filled(&myself, conversation, outcome),
            HubMsg::Inbox { user, conversations } => {
                state.inbox_read(user, conversations);
                state.read_inboxes(&myself);
                state.speak(&myself);
            }
            HubMsg::RoutingChanged => {
                state.look_at_leaders();
                state.speak(&myself);
            }
            HubMsg::NodeDown(node) => {
                state.links.values_mut().for_each(|link| link.lost(node));
                // The leader has not changed, but what it knew of this node is gone: say it again
                // when it is back.
                state.look_at_leaders();
                state.speak(&myself);
            }
            HubMsg::Tick => state.tick(&myself),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<HubMsg>, state: &mut HubState) -> Result<(), ActorProcessingErr> {
        state.world.stats.actors.down();
        Ok(())
    }
}

/// What leaders push, and how it reaches connections.
impl HubState {
    fn pushed(&mut self, myself: &ActorRef<HubMsg>, push: Push) {
        match push {
            Push::Event(news) => {
                let conversation = news.conversation;
                let careless = self.world.ctx.planted(Plant::IgnoreFanOutGap);
                let Some(followed) = self.conversations.get_mut(&conversation) else { return };
                let out = if careless { followed.flow.offer_regardless(news) } else { followed.flow.offer(news) };
                self.hand_out(conversation, out);
                self.fill(myself, conversation);
            }
            Push::Cursor { conversation, only, frame } => self.tell_cursor(conversation, only, &frame),
            Push::Heads(heads) => {
                for (conversation, head) in heads {
                    if let Some(followed) = self.conversations.get_mut(&conversation) {
                        followed.flow.heard_head(head);
                        self.fill(myself, conversation);
                    }
                }
            }
            Push::Inbox { user, conversation, present, version } => {
                self.inbox_changed(user, conversation, present, version);
                self.speak(myself);
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
        let Some(followed) = self.conversations.get(&conversation) else { return };
        let tell = |id: ConnectionId| {
            if let Some(local) = self.connections.get(&id) {
                local.push(&self.world, frame.clone());
            }
        };
        match only {
            Some(user) => {
                let own = self.users.get(&user).into_iter().flatten().copied();
                own.filter(|id| followed.listens(*id)).for_each(tell);
            }
            None => followed.listeners().for_each(tell),
        }
    }

    /// To every listener, as the same bytes.
    // Invariant: one_order.
    fn hand_out(&mut self, conversation: ConversationId, out: Vec<News>) {
        let Some(followed) = self.conversations.get_mut(&conversation) else { return };
        if !out.is_empty() {
            self.handed_out += 1;
            followed.active = self.handed_out;
        }
        for news in out {
            let removed = news.removed.filter(|_| !self.world.ctx.planted(Plant::RemovedStillFannedOut));
            let to = followed.hand_out(&News { removed, ..news.clone() });
            self.world.stats.deliveries.add(to.len() as u64);
            for id in to {
                if let Some(local) = self.connections.get(&id) {
                    local.push(&self.world, news.frame.clone());
                }
            }
        }
    }

    /// Fetches what is missing, if something is.
    fn fill(&mut self, myself: &ActorRef<HubMsg>, conversation: ConversationId) {
        let Some(followed) = self.conversations.get_mut(&conversation) else { return };
        let Some(seq) = followed.flow.wants_fill() else { return };
        self.world.stats.gaps.up();
        let limit = limits::EVENTS_HELD_BACK;
        let request = Request::Fetch { conversation, reader: None, seq, backward: false, limit };
        let answer = self.world.router.ask(conversation.slot(), request, PATIENCE);
        let myself = myself.clone();
        tokio::spawn(async move {
            let outcome = answer.await;
            let _ = myself.send_message(HubMsg::Filled { conversation, outcome });
        });
    }

    fn filled(&mut self, myself: &ActorRef<HubMsg>, conversation: ConversationId, outcome: Outcome) {
        let Some(followed) = self.conversations.get_mut(&conversation) else { return };
        let events = match outcome {
            Ok(Answer::Page(page)) => page.events,
            _ => Vec::new(),
        };
        let out = events.into_iter().flat_map(|event| followed.flow.offer(news(conversation, event))).collect();
        let moved = followed.flow.fill_ended();
        self.hand_out(conversation, out);
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
