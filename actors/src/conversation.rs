//! The actor of one conversation: it orders proposals and fans out committed events to nodes.
//!
//! It keeps no log and no members: those are applied state under the rules of core. Its own state
//! may be lost with it: recent acks, subscribed nodes, cursors that wait for a flush.

mod cursors;
mod recent;
mod waiter;

use std::collections::BTreeSet;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use troupe_core::command::Said;
use troupe_core::planted::Bug;
use troupe_core::{Command, ConversationId, Effect, Event, EventKind, NodeId, Seq, ShardId, UserId, limits};
use troupe_proto::client;
use troupe_runtime::trace::{At, Stage, Subject};

use crate::context::{NodeContext, answer_of};
use crate::conversation::cursors::Cursors;
use crate::conversation::recent::Recent;
use crate::conversation::waiter::Waiter;
use crate::message::{Answer, CursorPush, EventPush, Push, Refusal};
use crate::proposals::Proposals;
use crate::protocol::{ConversationMsg, Cursor, ShardMsg};
use crate::reply::ReplyTo;
use crate::shard::is_missed;
use crate::visible::head_for;

/// How long a cursor waits for others, so that one command carries many.
const CURSOR_FLUSH: Duration = Duration::from_millis(150);

pub struct Conversation;

pub struct ConversationArgs {
    pub context: NodeContext,
    pub shard: ShardId,
    pub conversation: ConversationId,
    pub interest: BTreeSet<NodeId>,
}

pub struct ConversationState {
    context: NodeContext,
    shard: ShardId,
    conversation: ConversationId,
    interest: BTreeSet<NodeId>,
    proposals: Proposals<Waiter>,
    recent: Recent,
    cursors: Cursors<ReplyTo>,
    /// The head at the last look; the present one may be higher.
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
        let ConversationArgs { context, shard, conversation, interest } = args;
        context.platform.metrics.actors.up();
        Ok(ConversationState {
            context,
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
            ConversationMsg::Move { cursor: Cursor { user, seq, read: false, .. }, reply } => {
                reply.send(Ok(Answer::Done));
                let ahead = state.is_ahead(seq);
                state.cursors.delivered(user, seq, ahead);
                state.schedule_flush(&myself);
            }
            ConversationMsg::Move { cursor: Cursor { user, seq, read: true, .. }, reply } => {
                state.read(&myself, user, seq, reply);
            }
            ConversationMsg::ProposeWaiting => state.propose(&myself),
            ConversationMsg::Interest(nodes) => state.interest = nodes,
            ConversationMsg::FlushCursors => state.flush_cursors(&myself),
            ConversationMsg::Committed { at_us, pushed, acked } => {
                for (sender, id, answer) in acked {
                    let planted = state.context.platform.planted(Bug::RecentWithoutSender);
                    state.recent.insert(if planted { UserId(0) } else { sender }, id, answer);
                }
                state.push(pushed, at_us);
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
        // These were never proposed, so the caller may ask the next leader at once.
        for waiter in state.proposals.abandon() {
            waiter.refuse(Refusal::NotOwner { hint: None });
        }
        for reply in state.cursors.abandon() {
            reply.refuse(Refusal::NotOwner { hint: None });
        }
        state.context.platform.metrics.actors.down();
        Ok(())
    }
}

impl ConversationState {
    fn admit(&mut self, myself: &ActorRef<ConversationMsg>, command: Command, reply: ReplyTo) {
        let (sender, id) = match &command {
            Command::Append(append) => (append.actor, append.client_message_id),
            // The row of the hook has its author; no user has this id.
            Command::PostHook(post) => (UserId(0), post.id),
            Command::Vetted(vetted) => match &vetted.said {
                Said::Append(append) => (append.actor, append.client_message_id),
                Said::Post(post) => (UserId(0), post.id),
                Said::Piece(_) => return reply.refuse(Refusal::rejected("bad_request", "a piece has no place")),
            },
            _ => return reply.refuse(Refusal::rejected("bad_request", "not a command of a conversation")),
        };
        let message = Subject::message(self.conversation, sender, id);
        self.context.platform.hop(message, Stage::Conversation, At::shard(self.shard));
        // Invariant: exactly_once. The cache holds committed places only; apply decides all others.
        let known_as = if self.context.platform.planted(Bug::RecentWithoutSender) { UserId(0) } else { sender };
        if let Some(answer) = self.recent.get(known_as, id) {
            return reply.send(Ok(answer));
        }
        #[cfg(feature = "planted-bugs")]
        if self.context.platform.planted(Bug::AckBeforeCommit) && is_message(&command) {
            return self.ack_before_commit(myself, command, reply);
        }
        self.proposals.push(command, Waiter::Placed(sender, id, reply));
        if self.proposals.begins() {
            // Behind the commands that are in the mailbox already, which share the proposal. An
            // actor that has stopped abandons them.
            let _ = myself.send_message(ConversationMsg::ProposeWaiting);
        }
    }

    /// One proposal at a time keeps the order of arrival. Waiting commands share the next one.
    fn propose(&mut self, myself: &ActorRef<ConversationMsg>) {
        let Some((commands, waiters)) = self.proposals.take_batch() else { return };
        let (context, shard, conversation) = (self.context.clone(), self.shard, self.conversation);
        let myself = myself.clone();
        tokio::spawn(async move {
            let (mut effects, mut acked) = (Vec::new(), Vec::new());
            let outcome = context.propose(shard, commands).await;
            let at_us = context.platform.clock.micros();
            match outcome {
                Ok(outcomes) => {
                    // Before the answers, so that the next request of a removed user is checked.
                    for user in outcomes.iter().flat_map(|outcome| &outcome.effects).filter_map(removed) {
                        context.router.tell_shard(shard, ShardMsg::Removed { conversation, user });
                    }
                    if outcomes.iter().any(|outcome| is_missed(&outcome.reply)) {
                        context.router.tell_shard(shard, ShardMsg::HookMissed { conversation });
                    }
                    for (waiter, outcome) in waiters.into_iter().zip(outcomes) {
                        effects.extend(outcome.effects);
                        acked.extend(waiter.answer(answer_of(outcome.reply)));
                    }
                }
                Err(refusal) => waiters.into_iter().for_each(|waiter| waiter.refuse(refusal.clone())),
            }
            let (pushed, rest): (Vec<Effect>, Vec<Effect>) = effects
                .into_iter()
                .partition(|effect| matches!(effect, Effect::Deliver { .. } | Effect::CursorMoved { .. }));
            // To the present shard actor, not by way of this actor or its parent: both may have
            // stopped, and this node may lead again with subscribers at a lower head. Duplicates
            // count too: an event that commits after its proposer timed out was never pushed.
            if let Some(head) = acked.iter().filter_map(|(_, _, answer)| seq(answer)).max()
                && !context.platform.planted(Bug::LostPushUnnoticed)
            {
                context.router.tell_shard(shard, ShardMsg::Moved { conversation, head });
            }
            if !rest.is_empty() {
                context.router.tell_shard(shard, ShardMsg::ExecuteEffects { effects: rest });
            }
            // If this actor has stopped, its pushes are lost without harm: the shard repeats the
            // head.
            let _ = myself.send_message(ConversationMsg::Committed { at_us, pushed, acked });
        });
    }

    fn read(&mut self, myself: &ActorRef<ConversationMsg>, user: UserId, seq: Seq, reply: ReplyTo) {
        match head_for(&self.context.view(), self.conversation, user) {
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

    /// Whether applied state has no such event yet. It is read only for seqs above the last look.
    fn is_ahead(&mut self, seq: Seq) -> bool {
        if seq > self.known {
            self.known = self.head();
        }
        seq > self.known
    }

    fn head(&self) -> Seq {
        self.context.view().conversation(self.conversation).ok().flatten().map_or(Seq::ZERO, |row| row.head)
    }

    /// The planted bug: acknowledges before the commit.
    #[cfg(feature = "planted-bugs")]
    fn ack_before_commit(&mut self, myself: &ActorRef<ConversationMsg>, command: Command, reply: ReplyTo) {
        let head = self.head();
        let time = self.context.platform.clock.now();
        let (sender, id) = match &command {
            Command::Append(append) => (append.actor, append.client_message_id),
            _ => return reply.refuse(Refusal::Unavailable),
        };
        reply.send(Ok(Answer::Placed { seq: head.next(), time, duplicate: false }));
        self.proposals.push(command, Waiter::Placed(sender, id, ReplyTo::none()));
        self.propose(myself);
    }

    fn push(&mut self, effects: Vec<Effect>, committed_us: u64) {
        let mut cursors = Vec::new();
        for effect in effects {
            match effect {
                Effect::Deliver { event, .. } => self.fan_out(event, committed_us),
                Effect::CursorMoved { user, delivered, read, read_moved, .. } => {
                    cursors.push((user, delivered, read, read_moved));
                }
                // The shard executes these.
                Effect::InboxChanged { .. }
                | Effect::Invited { .. }
                | Effect::ProfileChanged { .. }
                | Effect::ContactChanged { .. }
                | Effect::PresenceShown { .. }
                | Effect::PersonalChanged { .. }
                | Effect::FavouriteChanged { .. }
                | Effect::InvitationExpired { .. }
                | Effect::SessionEnded { .. }
                | Effect::HooksChanged { .. }
                | Effect::AskHook { .. }
                | Effect::DuePlanned { .. }
                | Effect::Grown { .. }
                | Effect::OutboxFilled { .. } => {}
            }
        }
        if cursors.is_empty() {
            return;
        }
        // Above the bound only the reader's own devices get the cursor, and only if it was read, so
        // that there is one push per node.
        let all = self.shows_cursors();
        for (user, delivered, read, read_moved) in cursors {
            if all || read_moved {
                self.push_cursor(user, delivered, read, Some(user).filter(|_| !all));
            }
        }
    }

    /// Encodes the event once and pushes it to nodes, not to members.
    // Invariant: one_order. Outcomes come in the order of the log, so each node gets the events in
    // the order of seq.
    fn fan_out(&self, event: Event, committed_us: u64) {
        if self.interest.is_empty() {
            return;
        }
        let careless =
            [Bug::IgnoreFanOutGap, Bug::LostPushUnnoticed].into_iter().any(|it| self.context.platform.planted(it));
        if careless && event.seq.0.is_multiple_of(20) {
            // The mesh may lose a push. With these bugs planted it always loses some, so that the
            // careless fan-out is tested.
            return;
        }
        let at = At::shard(self.shard).detail(self.interest.len() as u64);
        self.context.platform.hop(Subject::event(self.conversation, event.seq), Stage::Pushed, at);
        let push = Push::Event(EventPush { committed_us, ..EventPush::new(self.conversation, &event) });
        self.context.router.push_all(self.interest.iter().copied(), self.shard, &push);
    }

    /// Positions of others are not pushed in groups above `MEMBERS_SEEING_CURSORS`, and in those
    /// that hide their members.
    fn shows_cursors(&self) -> bool {
        match self.conversation {
            ConversationId::Everyone => false,
            ConversationId::Direct { .. } => true,
            ConversationId::Group(_) => {
                let row = self.context.view().conversation(self.conversation).ok().flatten();
                row.is_some_and(|row| row.members as usize <= limits::MEMBERS_SEEING_CURSORS && !row.no_contact)
            }
        }
    }

    fn push_cursor(&self, user: UserId, delivered: Seq, read: Seq, only: Option<UserId>) {
        let cursor = CursorPush { conversation: self.conversation, user, delivered, read };
        let push = Push::Cursor { only, cursor };
        self.context.router.push_all(self.interest.iter().copied(), self.shard, &push);
    }

    fn schedule_flush(&mut self, myself: &ActorRef<ConversationMsg>) {
        if self.cursors.wants_flush() {
            let myself = myself.clone();
            tokio::spawn(async move {
                tokio::time::sleep(CURSOR_FLUSH).await;
                // An actor that has stopped has refused its waiting readers.
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

#[cfg(feature = "planted-bugs")]
fn is_message(command: &Command) -> bool {
    matches!(command, Command::Append(append) if matches!(append.intent, troupe_core::Intent::Message(_)))
}

/// The user that this effect removes from the conversation.
fn removed(effect: &Effect) -> Option<UserId> {
    match effect {
        Effect::Deliver { event: Event { kind: EventKind::Removed { user }, .. }, .. } => Some(*user),
        _ => None,
    }
}

/// The place of an acknowledged event.
fn seq(answer: &Answer) -> Option<Seq> {
    match answer {
        Answer::Placed { seq, .. } => Some(*seq),
        _ => None,
    }
}
