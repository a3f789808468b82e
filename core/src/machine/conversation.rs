//! The log of a conversation: exactly once, one order, one time.
//!
//! Every event of every kind of conversation goes through [`Step::place`], so that seq, time, dedup
//! and chain are kept in one place. [`crate::feature`] has the meaning of intents.

use xxhash_rust::xxh3::xxh3_128;

use super::{Outcome, Step};
use crate::effect::Effect;
use crate::error::Rejection;
use crate::event::{Event, EventKind, Role, Seal};
use crate::feature::{Append, DISBANDED};
use crate::id::{ClientMessageId, ConversationId, Seq, Timestamp, UserId};
use crate::level::Level;
use crate::planted::Bug;
use crate::record::{Conversation, Large, Member, Placed, Table};
use crate::reply::Reply;
use crate::state::Rows;
use crate::unread;

/// The memory of the planted bug `DedupWindow`.
const PLANTED_WINDOW: u64 = 2;

impl Step<'_> {
    pub(crate) fn append(&mut self, c: &Append) -> Outcome {
        c.check()?;
        if self.level >= Level::SECOND {
            c.check_typed()?;
        }
        // Before every check that may have changed its result since: a sender that was acked once
        // is acked again, even if removed meanwhile.
        if let Some(reply) = self.duplicate(c) {
            return Ok(reply);
        }
        let (mut row, role) = self.admit(c)?;
        self.is_taken(c.conversation, c.actor)?;
        // Invariant: device order. Only applied state knows the predecessor.
        if let Some(after) = c.after
            && !self.planted(Bug::IgnoreAfter)
            && self.placed(c.conversation, c.actor, after).is_none()
        {
            return Err(Rejection::OutOfOrder);
        }
        self.may_speak(c, role, &row)?;
        self.was_asked(&c.intent, &row)?;
        let kind = self.decide(c, role, &mut row)?;
        if let EventKind::Banned { user, lifted: false } = kind
            && self.role(c.conversation, user).is_some()
        {
            let removed = EventKind::Removed { user };
            self.place(c.conversation, &mut row, c.actor, id_beside(c.client_message_id), removed)?;
        }
        self.place(c.conversation, &mut row, c.actor, c.client_message_id, kind)
    }

    /// The row of the conversation, a fresh one where the first event creates it, and the role of
    /// the actor in it. `None` is an outsider that the intent lets in.
    pub(crate) fn admit(&self, c: &Append) -> Result<(Conversation, Option<Role>), Rejection> {
        let row = match self.state.get::<Conversation>(&c.conversation) {
            Some(row) => row,
            None if c.conversation.is_group() => return Err(c.intent.outsider()),
            None => new_conversation(self.now),
        };
        let role = self.role(c.conversation, c.actor);
        let planted = self.planted(Bug::RemovedMaySend) && c.intent.is_message();
        let link = |hash: &_| self.link_of(c.conversation, hash).is_some();
        let asked = || self.has_asked(c.conversation, c.actor);
        let is_let_in = role.is_some() || planted || c.intent.opens(&row, link, asked);
        match is_let_in {
            true if row.disbanded => Err(DISBANDED.into()),
            true => Ok((row, role)),
            false => Err(c.intent.outsider()),
        }
    }

    /// The role of a user in a conversation that it is in. All are alike where there are no groups.
    pub(crate) fn role(&self, conversation: ConversationId, user: UserId) -> Option<Role> {
        match conversation {
            ConversationId::Everyone => Some(Role::Member),
            ConversationId::Direct { .. } => conversation.peer_of(user).map(|_| Role::Member),
            ConversationId::Group(_) => self.state.get::<Member>(&(conversation, user)).map(|member| member.role),
        }
    }

    /// The answer to a request that already has a place.
    pub(crate) fn duplicate(&self, c: &Append) -> Option<Reply> {
        let seq = self.placed(c.conversation, c.actor, c.client_message_id)?;
        let time = self.state.get::<Event>(&(c.conversation, seq)).map_or(Timestamp(0), |event| event.time);
        Some(Reply::Placed { seq, time, duplicate: true })
    }

    pub(crate) fn placed(&self, conversation: ConversationId, sender: UserId, id: ClientMessageId) -> Option<Seq> {
        let placed = self.state.get::<Placed>(&(conversation, self.dedup_sender(sender), id)).map(|Placed(seq)| seq);
        let recent = |seq: &Seq| {
            let head = self.state.get::<Conversation>(&conversation).map_or(Seq::ZERO, |row| row.head);
            !self.planted(Bug::DedupWindow) || seq.0 + PLANTED_WINDOW > head.0
        };
        placed.filter(recent)
    }

    /// Two senders may choose the same id without harm, because the sender is part of the key.
    fn dedup_sender(&self, sender: UserId) -> UserId {
        if self.planted(Bug::DedupWithoutSender) { UserId(0) } else { sender }
    }

    /// Gives an event the next place in the log and carries it out. `row` is written beside it. It
    /// fails before it writes, and only in a log that no clock will ever fill.
    pub(crate) fn place(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        sender: UserId,
        id: ClientMessageId,
        kind: EventKind,
    ) -> Outcome {
        let seq = row.head.0.checked_add(1).map(Seq);
        let seq = seq.ok_or(Rejection::BadRequest("this conversation has no places left: start another"))?;
        let time = if self.planted(Bug::TimeGoesBack) { self.now } else { self.time_in(row) };
        self.write(conversation, row, Event { seq, time, sender, client_message_id: id, kind, seal: None }, None);
        Ok(Reply::Placed { seq, time, duplicate: false })
    }

    /// Writes an event at the end of the log and carries it out. `seal` is that of a kind that this
    /// version does not know, or of a content that was erased.
    pub(super) fn write(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        event: Event,
        seal: Option<Seal>,
    ) {
        let content = event.kind.content();
        let mut event = if self.level >= Level::SECOND { event.sealed_over(&content) } else { event };
        event.seal = event.seal.map(|own| seal.unwrap_or(own));
        let (seq, time, sender, id) = (event.seq, event.time, event.sender, event.client_message_id);
        row.head = seq;
        row.time = time;
        row.chain = event.chain(row.chain);
        let value = event.encode_over(&content);
        if self.level >= Level::SECOND {
            if value.len() >= unread::LARGE_BYTES {
                row.large = seq;
                self.state.put(&(conversation, seq), &Large);
            }
            self.number(conversation, row.large, &event);
        }
        self.state.put_value(Event::FAMILY, Event::key(&(conversation, seq)), value);
        self.state.put(&(conversation, self.dedup_sender(sender), id), &Placed(seq));
        // Effects of the event follow its delivery.
        let at = self.effects.len();
        self.project(conversation, row, &event);
        self.state.put(&conversation, row);
        self.effects.insert(at, Effect::Deliver { conversation, event });
    }

    /// Notes how many events are numbered for the same user so far, once in a while. `large` is the
    /// last large event.
    fn number(&mut self, conversation: ConversationId, large: Seq, event: &Event) {
        if self.planted(Bug::UnreadCountsOwn) {
            return;
        }
        let user = unread::numbered_for(event);
        let head = Seq(event.seq.0 - 1);
        let numbering = self.state.numbering(conversation, user, head).next(event.seq, large);
        self.state.put_numbering(conversation, user, numbering);
    }
}

/// The client message id of a second event of the same request: the request with its last bit
/// flipped, hashed (xxh3, 128 bits, big-endian) so that it meets no id that a device counts up to.
pub(crate) fn id_beside(request: ClientMessageId) -> ClientMessageId {
    let mut flipped = request.0;
    flipped[15] ^= 1;
    ClientMessageId(xxh3_128(&flipped).to_be_bytes())
}

/// A conversation before its first event.
pub(super) fn new_conversation(now: Timestamp) -> Conversation {
    Conversation { created: now, ..Conversation::default() }
}
