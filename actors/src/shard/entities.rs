//! The active entities of a shard: a user or conversation is activated by a request and passivated
//! when it is idle.
//!
//! A passive entity costs nothing: its durable state is applied state, and the shard keeps its
//! volatile state.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ractor::{ActorId, ActorRef, ActorRuntime};
use tokio::time::Instant;
use troupe_core::{ConversationId, NodeId, ShardId, UserId, limits};

use crate::admission::{Bound, Permit};
use crate::context::NodeContext;
use crate::conversation::{Conversation, ConversationArgs};
use crate::message::{Refusal, Session};
use crate::protocol::{ConversationMsg, ShardMsg, UserMsg};
use crate::reply::ReplyTo;
use crate::user::{User, UserArgs};

/// An entity without a request for this long is passivated.
const IDLE: Duration = Duration::from_secs(30);
/// The same, while most places for entities of this node are taken.
const CROWDED_IDLE: Duration = Duration::from_secs(2);
/// Entities that a shard may keep active even if all places of the node are taken, so that a crowd
/// in one shard does not stop the others.
const ALWAYS: usize = 16;
/// Entities that are passivated together when another one needs a place.
const MAKE_ROOM: usize = 64;
/// Users of one conversation whose membership is cached. At the limit the cache is cleared.
const KNOWN: usize = 4_096;
/// Ticks of the shard between two searches for idle entities.
const SWEEP_TICKS: u64 = 10;

pub struct Entities {
    context: NodeContext,
    shard: ShardId,
    users: BTreeMap<UserId, Active<UserMsg>>,
    conversations: BTreeMap<ConversationId, Active<ConversationMsg>>,
}

/// Busy entities take all places.
struct Full;

struct Active<M: ractor::Message> {
    actor: ActorRef<M>,
    in_flight: Bound,
    last_asked: Instant,
    /// Users found to be members since the activation.
    known: BTreeSet<UserId>,
    /// The hook that is asked before each message, zero: none, as of the last look.
    before: Option<u64>,
    /// Among the entities of this node.
    _place: Option<Permit>,
}

impl<M: ractor::Message> Active<M> {
    fn new(actor: ActorRef<M>, place: Option<Permit>) -> Active<M> {
        let in_flight = Bound::new(limits::ENTITY_IN_FLIGHT);
        Active { actor, in_flight, last_asked: Instant::now(), known: BTreeSet::new(), before: None, _place: place }
    }

    fn ask(&mut self, reply: ReplyTo, message: impl FnOnce(ReplyTo) -> M) {
        let Some(permit) = self.in_flight.enter() else { return reply.refuse(Refusal::OVERLOADED) };
        self.last_asked = Instant::now();
        // A failed actor drops the message with its reply, and the caller retries.
        let _ = self.actor.send_message(message(reply.holding(permit)));
    }

    fn is_idle(&self, time: Duration) -> bool {
        self.in_flight.in_flight() == 0 && self.last_asked.elapsed() >= time
    }

    /// The actor handles the messages in its mailbox, then stops.
    fn passivate(&self) {
        let _ = self.actor.drain();
    }
}

impl Entities {
    pub fn new(context: NodeContext, shard: ShardId) -> Entities {
        Entities { context, shard, users: BTreeMap::new(), conversations: BTreeMap::new() }
    }

    pub fn ask_user(
        &mut self,
        shard: &ActorRef<ShardMsg>,
        user: UserId,
        online: impl FnOnce() -> Vec<Session>,
        reply: ReplyTo,
        message: impl FnOnce(ReplyTo) -> UserMsg,
    ) {
        if !self.users.contains_key(&user) {
            let Ok(place) = self.place() else { return reply.refuse(Refusal::OVERLOADED) };
            let args = UserArgs { context: self.context.clone(), shard: self.shard, user, online: online() };
            match ActorRuntime::spawn_linked_instant(None, User, args, shard.get_cell()) {
                Ok((actor, _)) => drop(self.users.insert(user, Active::new(actor, place))),
                Err(error) => tracing::error!(%user, %error, "the actor of a user cannot be started"),
            }
        }
        match self.users.get_mut(&user) {
            Some(active) => active.ask(reply, message),
            None => reply.refuse(Refusal::OVERLOADED),
        }
    }

    pub fn ask_conversation(
        &mut self,
        shard: &ActorRef<ShardMsg>,
        conversation: ConversationId,
        interest: impl FnOnce() -> BTreeSet<NodeId>,
        reply: ReplyTo,
        message: impl FnOnce(ReplyTo) -> ConversationMsg,
    ) {
        if !self.conversations.contains_key(&conversation) {
            let Ok(place) = self.place() else { return reply.refuse(Refusal::OVERLOADED) };
            let args = ConversationArgs {
                context: self.context.clone(),
                shard: self.shard,
                conversation,
                interest: interest(),
            };
            match ActorRuntime::spawn_linked_instant(None, Conversation, args, shard.get_cell()) {
                Ok((actor, _)) => drop(self.conversations.insert(conversation, Active::new(actor, place))),
                Err(error) => tracing::error!(%conversation, %error, "the actor of a conversation cannot be started"),
            }
        }
        match self.conversations.get_mut(&conversation) {
            Some(active) => active.ask(reply, message),
            None => reply.refuse(Refusal::OVERLOADED),
        }
    }

    /// Only to an active entity: one activated later gets the value with its arguments.
    pub fn tell_user(&self, user: UserId, message: impl FnOnce() -> UserMsg) {
        if let Some(active) = self.users.get(&user) {
            let _ = active.actor.send_message(message());
        }
    }

    /// Only to an active entity: one activated later gets the value with its arguments.
    pub fn tell_conversation(&self, conversation: ConversationId, message: impl FnOnce() -> ConversationMsg) {
        if let Some(active) = self.conversations.get(&conversation) {
            let _ = active.actor.send_message(message());
        }
    }

    pub fn passivate_some(&mut self, tick: u64) {
        if !tick.is_multiple_of(SWEEP_TICKS) {
            return;
        }
        let idle = if self.context.entities.is_crowded() { CROWDED_IDLE } else { IDLE };
        self.users.extract_if(.., |_, active| active.is_idle(idle)).for_each(|(_, active)| active.passivate());
        self.conversations.extract_if(.., |_, active| active.is_idle(idle)).for_each(|(_, active)| active.passivate());
    }

    /// A place for one more entity. If there is none, those idle for longest are passivated first.
    fn place(&mut self) -> Result<Option<Permit>, Full> {
        if let Some(place) = self.context.entities.enter() {
            return Ok(Some(place));
        }
        self.make_room();
        match self.context.entities.enter() {
            Some(place) => Ok(Some(place)),
            None if self.users.len() + self.conversations.len() < ALWAYS => Ok(None),
            None => Err(Full),
        }
    }

    fn make_room(&mut self) {
        let users = self.users.values().filter(|it| it.is_idle(Duration::ZERO)).map(|it| it.last_asked);
        let conversations = self.conversations.values().filter(|it| it.is_idle(Duration::ZERO)).map(|it| it.last_asked);
        let mut idle: Vec<Instant> = users.chain(conversations).collect();
        idle.sort_unstable();
        let Some(&last) = idle.get(MAKE_ROOM.min(idle.len()).saturating_sub(1)) else { return };
        let oldest = |asked: Instant, idle: bool| idle && asked <= last;
        self.users
            .extract_if(.., |_, it| oldest(it.last_asked, it.is_idle(Duration::ZERO)))
            .for_each(|(_, active)| active.passivate());
        self.conversations
            .extract_if(.., |_, it| oldest(it.last_asked, it.is_idle(Duration::ZERO)))
            .for_each(|(_, active)| active.passivate());
    }

    /// Whether this user was a member at the last lookup and has not been removed since.
    pub fn knows(&self, conversation: ConversationId, user: UserId) -> bool {
        self.conversations.get(&conversation).is_some_and(|active| active.known.contains(&user))
    }

    pub fn remember(&mut self, conversation: ConversationId, user: UserId) {
        if let Some(active) = self.conversations.get_mut(&conversation) {
            if active.known.len() >= KNOWN {
                active.known.clear();
            }
            active.known.insert(user);
        }
    }

    pub fn forget(&mut self, conversation: ConversationId, user: UserId) {
        if let Some(active) = self.conversations.get_mut(&conversation) {
            active.known.remove(&user);
        }
    }

    /// The hook that is asked before each message there, if this was looked up.
    pub fn before(&self, conversation: ConversationId) -> Option<u64> {
        self.conversations.get(&conversation).and_then(|active| active.before)
    }

    pub fn remember_before(&mut self, conversation: ConversationId, hook: u64) {
        if let Some(active) = self.conversations.get_mut(&conversation) {
            active.before = Some(hook);
        }
    }

    pub fn forget_before(&mut self, conversation: ConversationId) {
        if let Some(active) = self.conversations.get_mut(&conversation) {
            active.before = None;
        }
    }

    pub fn failed(&mut self, actor: ActorId) {
        self.users.retain(|_, active| active.actor.get_id() != actor);
        self.conversations.retain(|_, active| active.actor.get_id() != actor);
    }

    pub fn stop_all(&mut self) {
        std::mem::take(&mut self.users).values().for_each(Active::passivate);
        std::mem::take(&mut self.conversations).values().for_each(Active::passivate);
    }
}
