//! The actor of one conversation: the order in which things are proposed, and the fan-out of what
//! was committed.
//!
//! It keeps no log and no members: those are applied state, and the rules about them are core's.
//! What it knows by itself may be lost with it: recent acks, which nodes are interested, cursors
//! that wait to be written.

mod cursors;
mod frames;
mod recent;
mod waiter;

use std::collections::BTreeSet;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use troupe_core::plant::Plant;
use troupe_core::{
    ClientMessageId, Command, ConversationId, Effect, Event, EventKind, NodeId, Seq, ShardId, UserId, limits,
};
use troupe_proto::client;

use crate::conversation::cursors::Cursors;
use crate::conversation::recent::Recent;
use crate::conversation::waiter::Waiter;
use crate::message::{Answer, Push, Refusal, say};
use crate::proposals::Proposals;
use crate::reply::ReplyTo;
use crate::shard::{ShardMsg, reads};
use crate::world::{World, answer_of};

pub use frames::{news, push_frame};

/// How long cursors wait for others to be written with them.
const CURSOR_FLUSH: Duration = Duration::from_millis(150);

pub enum ConversationMsg {
    Propose {
        command: Command,
        reply: ReplyTo,
    },
    /// Answered when it is noted; it is written later, with others.
    Delivered {
        user: UserId,
        seq: Seq,
        reply: ReplyTo,
    },
    Read {
        user: UserId,
        seq: Seq,
        reply: ReplyTo,
    },
    /// The nodes that want to hear of this conversation, all of them.
    Interest(BTreeSet<NodeId>),
    FlushCursors,
    /// A proposal has ended, and those who waited are answered. What listeners are shown of it is
    /// this actor's to tell.
    Committed {
        shown: Vec<Effect>,
        acked: Vec<(UserId, ClientMessageId, Answer)>,
    },
}

impl ractor::Message for ConversationMsg {}

pub struct Conversation;

pub struct ConversationArgs {
    pub world: World,
    pub shard: ShardId,
    pub conversation: ConversationId,
    pub interest: BTreeSet<NodeId>,
}

pub struct ConversationState {
    world: World,
    shard: ShardId,
    conversation: ConversationId,
    interest: BTreeSet<NodeId>,
    proposals: Proposals<Waiter>,
    recent: Recent,
    cursors: Cursors<ReplyTo>,
    /// At most the head: what was last seen of it.
    known: Seq,
}

impl Actor for Conversation {
    type Msg = ConversationMsg;
    type State = ConversationState;
    type Arguments = ConversationArgs;

    async fn pre_start(
        &self,
        _: ActorRef<ConversationMsg>,
        args: ConversationArgs,
    ) -> Result<ConversationState, ActorProcessingErr> {
        let ConversationArgs { world, shard, conversation, interest } = args;
        world.stats.actors.up();
        Ok(ConversationState {
            world,
            shard,
            conversation,
            interest,
            proposals: Proposals::default(),
            recent: Recent::default(),
            cursors: Cursors::default(),
            known: Seq::ZERO,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<ConversationMsg>,
        message: ConversationMsg,
        state: &mut ConversationState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ConversationMsg::Propose { command, reply } => state.admit(&myself, command, reply),
            ConversationMsg::Delivered { user, seq, reply } => {
                reply.send(Ok(Answer::Done));
                let ahead = state.is_ahead(seq);
                state.cursors.delivered(user, seq, ahead);
                state.schedule_flush(&myself);
            }
            ConversationMsg::Read { user, seq, reply } => state.read(&myself, user, seq, reply),
            ConversationMsg::Interest(nodes) => state.interest = nodes,
            ConversationMsg::FlushCursors => state.flush_cursors(&myself),
            ConversationMsg::Committed { shown, acked } => {
                for (sender, id, answer) in acked {
                    let planted = state.world.ctx.planted(Plant::RecentWithoutSender);
                    state.recent.insert(if planted { UserId(0) } else { sender }, id, answer);
                }
                state.show(shown);
                state.proposals.finished();
                state.propose(&myself);
            }
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<ConversationMsg>,
        state: &mut ConversationState,
    ) -> Result<(), ActorProcessingErr> {
        // Never proposed, so the next leader may be asked at once.
        for waiter in state.proposals.abandon() {
            waiter.refuse(Refusal::NotOwner { hint: None });
        }
        for reply in state.cursors.abandon() {
            reply.refuse(Refusal::NotOwner { hint: None });
        }
        state.world.stats.actors.down();
        Ok(())
    }
}

impl ConversationState {
    fn admit(&mut self, myself: &ActorRef<ConversationMsg>, command: Command, reply: ReplyTo) {
        let (sender, id) = match &command {
            Command::Send(send) => (send.sender, send.client_message_id),
            Command::ChangeGroup(change) => (change.actor, change.request),
            _ => return reply.refuse(Refusal::rejected("bad_request", "not a command of a conversation")),
        };
        // Invariant: exactly_once. Only committed places are in here; all others are decided by
        // apply.
        let known_as = if self.world.ctx.planted(Plant::RecentWithoutSender) { UserId(0) } else { sender };
        if let Some(answer) = self.recent.get(known_as, id) {
            return reply.send(Ok(answer));
        }
        if self.world.ctx.planted(Plant::AckBeforeCommit) && matches!(command, Command::Send(_)) {
            return self.ack_before_commit(myself, command, reply);
        }
        self.proposals.push(command, Waiter::Placed(sender, id, reply));
        self.propose(myself);
    }

    /// One proposal at a time keeps the order of arrival; what waits goes with the next.
    fn propose(&mut self, myself: &ActorRef<ConversationMsg>) {
        let Some((commands, waiters)) = self.proposals.take_batch() else { return };
        let (world, shard, conversation) = (self.world.clone(), self.shard, self.conversation);
        let myself = myself.clone();
        tokio::spawn(async move {
            let (mut effects, mut acked) = (Vec::new(), Vec::new());
            match world.propose(shard, commands).await {
                Ok(outcomes) => {
                    // Before the answers: what comes from them next is looked at again.
                    for user in outcomes.iter().flat_map(|outcome| &outcome.effects).filter_map(removed) {
                        world.router.tell_shard(shard, ShardMsg::Removed { conversation, user });
                    }
                    for (waiter, outcome) in waiters.into_iter().zip(outcomes) {
                        effects.extend(outcome.effects);
                        acked.extend(waiter.answer(answer_of(outcome.reply)));
                    }
                }
                Err(refusal) => waiters.into_iter().for_each(|waiter| waiter.refuse(refusal.clone())),
            }
            let (shown, rest): (Vec<Effect>, Vec<Effect>) = effects
                .into_iter()
                .partition(|effect| matches!(effect, Effect::Deliver { .. } | Effect::CursorMoved { .. }));
            // Not by way of this actor, nor to the shard's that it belongs to: both may have
            // stopped, while this node leads again and has told its listeners a head below this
            // one. Duplicates too: what was committed after its proposer had given it up was told
            // nobody.
            if let Some(head) = acked.iter().filter_map(|(_, _, answer)| seq(answer)).max()
                && !world.ctx.planted(Plant::LostPushUnnoticed)
            {
                world.router.tell_shard(shard, ShardMsg::Moved { conversation, head });
            }
            if !rest.is_empty() {
                world.router.tell_shard(shard, ShardMsg::ExecuteEffects { effects: rest });
            }
            // If the actor has stopped, its fan-out is lost without harm: the head is told.
            let _ = myself.send_message(ConversationMsg::Committed { shown, acked });
        });
    }

    fn read(&mut self, myself: &ActorRef<ConversationMsg>, user: UserId, seq: Seq, reply: ReplyTo) {
        match reads::head_for(&self.world.view(), self.conversation, user) {
            Ok(Ok(head)) if seq <= head => {}
            Ok(Ok(_)) => return reply.refuse(client::Refusal::SeqBeyondHead.into()),
            Ok(Err(refusal)) => return reply.refuse(refusal),
            Err(_) => return reply.refuse(Refusal::Unavailable),
        }
        match self.cursors.read(user, seq, reply) {
            Ok(()) => self.schedule_flush(myself),
            Err(reply) => reply.refuse(Refusal::OVERLOADED),
        }
    }

    /// Whether there is no such event yet, as far as is applied here. Looks only for what is newer
    /// than the last look.
    fn is_ahead(&mut self, seq: Seq) -> bool {
        if seq > self.known {
            self.known = self.head();
        }
        seq > self.known
    }

    fn head(&self) -> Seq {
        self.world.view().conversation(self.conversation).ok().flatten().map_or(Seq::ZERO, |row| row.head)
    }

    /// The planted bug: the promise of durability, broken.
    fn ack_before_commit(&mut self, myself: &ActorRef<ConversationMsg>, command: Command, reply: ReplyTo) {
        let head = self.head();
        let time = self.world.ctx.clock.now();
        let (sender, id) = match &command {
            Command::Send(send) => (send.sender, send.client_message_id),
            _ => return reply.refuse(Refusal::Unavailable),
        };
        reply.send(Ok(Answer::Placed { seq: head.next(), time, duplicate: false }));
        self.proposals.push(command, Waiter::Placed(sender, id, ReplyTo::nobody()));
        self.propose(myself);
    }

    fn show(&mut self, effects: Vec<Effect>) {
        let mut cursors = Vec::new();
        for effect in effects {
            match effect {
                Effect::Deliver { event, .. } => self.fan_out(event),
                Effect::CursorMoved { user, delivered, read, read_moved, .. } => {
                    cursors.push((user, delivered, read, read_moved));
                }
                // The shard's.
                Effect::InboxChanged { .. }
                | Effect::Invited { .. }
                | Effect::InvitationExpired { .. }
                | Effect::SessionEnded { .. }
                | Effect::OutboxFilled { .. } => {}
            }
        }
        if cursors.is_empty() {
            return;
        }
        // Above the bound only the reader's own devices hear of it, and only of what was read: one
        // push per node.
        let all = self.shows_cursors();
        for (user, delivered, read, read_moved) in cursors {
            if all || read_moved {
                self.tell_cursor(user, delivered, read, Some(user).filter(|_| !all));
            }
        }
    }

    /// To nodes, not members, and encoded once for all of them.
    // Invariant: one_order. Outcomes come in the order of the log, so each node is told in the
    // order of seq.
    fn fan_out(&self, event: Event) {
        if self.interest.is_empty() {
            return;
        }
        let careless =
            [Plant::IgnoreFanOutGap, Plant::LostPushUnnoticed].into_iter().any(|it| self.world.ctx.planted(it));
        if careless && event.seq.0.is_multiple_of(20) {
            // The mesh may lose a push. With these bugs planted it surely does, so that the
            // careless fan-out is put to the test.
            return;
        }
        let news = news(self.conversation, say::Event::from(&event));
        for node in &self.interest {
            self.world.router.push(*node, self.shard, Push::Event(news.clone()));
        }
    }

    /// Positions of others are not pushed in groups above `MEMBERS_SEEING_CURSORS`.
    fn shows_cursors(&self) -> bool {
        match self.conversation {
            ConversationId::Everyone => false,
            ConversationId::Direct { .. } => true,
            ConversationId::Group(_) => {
                let row = self.world.view().conversation(self.conversation).ok().flatten();
                row.is_some_and(|row| row.members as usize <= limits::MEMBERS_SEEING_CURSORS)
            }
        }
    }

    fn tell_cursor(&self, user: UserId, delivered: Seq, read: Seq, only: Option<UserId>) {
        let push = say::CursorPush {
            conversation: self.conversation.to_string(),
            user_id: user.0,
            delivered: delivered.0,
            read: read.0,
        };
        let frame = push_frame(say::server_frame::Message::Cursor(push));
        for node in &self.interest {
            let push = Push::Cursor { conversation: self.conversation, only, frame: frame.clone() };
            self.world.router.push(*node, self.shard, push);
        }
    }

    fn schedule_flush(&mut self, myself: &ActorRef<ConversationMsg>) {
        if self.cursors.wants_flush() {
            let myself = myself.clone();
            tokio::spawn(async move {
                tokio::time::sleep(CURSOR_FLUSH).await;
                // An actor that has stopped has refused its readers already.
                let _ = myself.send_message(ConversationMsg::FlushCursors);
            });
        }
    }

    fn flush_cursors(&mut self, myself: &ActorRef<ConversationMsg>) {
        if let Some((command, replies)) = self.cursors.take(self.conversation) {
            self.proposals.push(command, Waiter::Cursors(replies));
            self.propose(myself);
        }
    }
}

/// Who is no longer in the conversation after it.
fn removed(effect: &Effect) -> Option<UserId> {
    match effect {
        Effect::Deliver { event: Event { kind: EventKind::Removed { user }, .. }, .. } => Some(*user),
        _ => None,
    }
}

/// Where it was placed.
fn seq(answer: &Answer) -> Option<Seq> {
    match answer {
        Answer::Placed { seq, .. } => Some(*seq),
        _ => None,
    }
}
