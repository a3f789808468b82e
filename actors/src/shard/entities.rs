//! The users and conversations that are awake: started when something is asked of them, sent to
//! rest when idle.
//!
//! An entity that rests costs nothing: what is durable is applied state, what is volatile is the
//! shard's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ractor::{ActorId, ActorRef, ActorRuntime};
use tokio::time::Instant;
use troupe_core::{ConversationId, NodeId, ShardId, UserId, limits};

use super::ShardMsg;
use crate::admission::{Bound, Permit};
use crate::conversation::{Conversation, ConversationArgs, ConversationMsg};
use crate::message::{Refusal, Session};
use crate::reply::ReplyTo;
use crate::user::{User, UserArgs, UserMsg};
use crate::world::World;

/// An entity that was asked nothing for so long goes to rest.
const IDLE: Duration = Duration::from_secs(30);
/// As above, while most places for entities of this node are taken.
const CROWDED_IDLE: Duration = Duration::from_secs(2);
/// Entities of one shard that may be awake however many others are: a crowd in one shard stops no
/// other.
const ALWAYS: usize = 16;
/// Entities that go to rest together when another one needs a place.
const MAKE_ROOM: usize = 64;
/// Users of one conversation who are known to be in it; beyond that they are looked up again.
const KNOWN: usize = 4_096;
/// Ticks of the shard between two looks for idle entities.
const SWEEP_TICKS: u64 = 10;

pub struct Entities {
    world: World,
    shard: ShardId,
    users: BTreeMap<UserId, Awake<UserMsg>>,
    conversations: BTreeMap<ConversationId, Awake<ConversationMsg>>,
}

/// All places for entities are taken by those that have something to do.
struct Full;

struct Awake<M: ractor::Message> {
    actor: ActorRef<M>,
    in_flight: Bound,
    last_asked: Instant,
    /// Who was found to be in the conversation since it is awake.
    known: BTreeSet<UserId>,
    /// Among the entities of this node.
    _place: Option<Permit>,
}

impl<M: ractor::Message> Awake<M> {
    fn new(actor: ActorRef<M>, place: Option<Permit>) -> Awake<M> {
        let in_flight = Bound::new(limits::ENTITY_IN_FLIGHT);
        Awake { actor, in_flight, last_asked: Instant::now(), known: BTreeSet::new(), _place: place }
    }

    fn ask(&mut self, reply: ReplyTo, message: impl FnOnce(ReplyTo) -> M) {
        let Some(permit) = self.in_flight.enter() else { return reply.refuse(Refusal::OVERLOADED) };
        self.last_asked = Instant::now();
        // If it has just failed, the reply is dropped with the message and the asker asks again.
        let _ = self.actor.send_message(message(reply.holding(permit)));
    }

    fn is_idle(&self, time: Duration) -> bool {
        self.in_flight.in_flight() == 0 && self.last_asked.elapsed() >= time
    }

    /// Handles what it has, then ends.
    fn rest(&self) {
        let _ = self.actor.drain();
    }
}

impl Entities {
    pub fn new(world: World, shard: ShardId) -> Entities {
        Entities { world, shard, users: BTreeMap::new(), conversations: BTreeMap::new() }
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
            let args = UserArgs { world: self.world.clone(), shard: self.shard, user, online: online() };
            match ActorRuntime::spawn_linked_instant(None, User, args, shard.get_cell()) {
                Ok((actor, _)) => drop(self.users.insert(user, Awake::new(actor, place))),
                Err(error) => tracing::error!(%user, %error, "a user's actor does not start"),
            }
        }
        match self.users.get_mut(&user) {
            Some(awake) => awake.ask(reply, message),
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
            let args =
                ConversationArgs { world: self.world.clone(), shard: self.shard, conversation, interest: interest() };
            match ActorRuntime::spawn_linked_instant(None, Conversation, args, shard.get_cell()) {
                Ok((actor, _)) => drop(self.conversations.insert(conversation, Awake::new(actor, place))),
                Err(error) => tracing::error!(%conversation, %error, "a conversation's actor does not start"),
            }
        }
        match self.conversations.get_mut(&conversation) {
            Some(awake) => awake.ask(reply, message),
            None => reply.refuse(Refusal::OVERLOADED),
        }
    }

    /// Only if it is awake: who starts later is told at the start.
    pub fn tell_user(&self, user: UserId, message: impl FnOnce() -> UserMsg) {
        if let Some(awake) = self.users.get(&user) {
            let _ = awake.actor.send_message(message());
        }
    }

    /// Only if it is awake: who starts later is told at the start.
    pub fn tell_conversation(&self, conversation: ConversationId, message: impl FnOnce() -> ConversationMsg) {
        if let Some(awake) = self.conversations.get(&conversation) {
            let _ = awake.actor.send_message(message());
        }
    }

    pub fn passivate_some(&mut self, tick: u64) {
        if !tick.is_multiple_of(SWEEP_TICKS) {
            return;
        }
        let idle = if self.world.entities.is_crowded() { CROWDED_IDLE } else { IDLE };
        self.users.extract_if(.., |_, awake| awake.is_idle(idle)).for_each(|(_, awake)| awake.rest());
        self.conversations.extract_if(.., |_, awake| awake.is_idle(idle)).for_each(|(_, awake)| awake.rest());
    }

    /// A place for one more. Where there is none, those that were asked nothing for the longest
    /// time go to rest first.
    fn place(&mut self) -> Result<Option<Permit>, Full> {
        if let Some(place) = self.world.entities.enter() {
            return Ok(Some(place));
        }
        self.make_room();
        match self.world.entities.enter() {
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
            .for_each(|(_, awake)| awake.rest());
        self.conversations
            .extract_if(.., |_, it| oldest(it.last_asked, it.is_idle(Duration::ZERO)))
            .for_each(|(_, awake)| awake.rest());
    }

    /// Whether this user was in the conversation when it was last looked up, and has not been
    /// removed since.
    pub fn knows(&self, conversation: ConversationId, user: UserId) -> bool {
        self.conversations.get(&conversation).is_some_and(|awake| awake.known.contains(&user))
    }

    pub fn remember(&mut self, conversation: ConversationId, user: UserId) {
        if let Some(awake) = self.conversations.get_mut(&conversation) {
            if awake.known.len() >= KNOWN {
                awake.known.clear();
            }
            awake.known.insert(user);
        }
    }

    pub fn forget(&mut self, conversation: ConversationId, user: UserId) {
        if let Some(awake) = self.conversations.get_mut(&conversation) {
            awake.known.remove(&user);
        }
    }

    pub fn failed(&mut self, actor: ActorId) {
        self.users.retain(|_, awake| awake.actor.get_id() != actor);
        self.conversations.retain(|_, awake| awake.actor.get_id() != actor);
    }

    pub fn stop_all(&mut self) {
        std::mem::take(&mut self.users).values().for_each(Awake::rest);
        std::mem::take(&mut self.conversations).values().for_each(Awake::rest);
    }
}
