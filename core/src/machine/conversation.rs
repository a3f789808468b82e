//! The log of a conversation: who may send, exactly once, one order.
//!
//! Every event of every kind of conversation goes through [`Step::append`], so that seq, time,
//! dedup and chain are kept in one place. What changes a group's members is decided in
//! [`super::group`].

use super::{Outcome, Step, somebody};
use crate::command;
use crate::effect::Effect;
use crate::error::Rejection;
use crate::event::{Body, Event, EventKind, KINDS};
use crate::id::{ClientMessageId, ConversationId, Seq, Timestamp, UserId};
use crate::level::Level;
use crate::limits;
use crate::plant::Plant;
use crate::record::Conversation;
use crate::reply::Reply;
use crate::unread;

/// What the planted bug `DedupWindow` remembers.
const PLANTED_WINDOW: u64 = 2;

impl Step<'_> {
    pub(super) fn send(&mut self, c: &command::Send) -> Outcome {
        check_send(c)?;
        // Before anything that may have changed since: who was acked once is acked again, even if
        // removed meanwhile.
        if let Some(reply) = self.duplicate(c.conversation, c.sender, c.client_message_id) {
            return Ok(reply);
        }
        let held = self.admit(c.conversation, c.sender)?;
        // Invariant: device order. Only applied state knows the predecessor.
        if let Some(after) = c.after
            && self.plant != Some(Plant::IgnoreAfter)
            && self.placed(c.conversation, c.sender, after).is_none()
        {
            return Err(Rejection::OutOfOrder);
        }
        let first = held.is_none();
        let mut row = held.unwrap_or_else(|| new_conversation(self.now));
        let begins = if self.level >= Level::SECOND { begin_writing(c, &mut row) } else { first };
        let kind = self.said(&c.body);
        let (seq, time) = self.append(c.conversation, &mut row, c.sender, c.client_message_id, kind)?;
        if let ConversationId::Direct { low, high } = c.conversation
            && begins
        {
            // The sender knows the other from now on; the other hears of the sender with the first
            // message.
            if first {
                self.owe(c.conversation, seq, true, c.sender, &[low, high]);
            } else {
                self.owe(c.conversation, seq, true, c.sender, &[c.sender]);
            }
        }
        Ok(Reply::Placed { seq, time, duplicate: false })
    }

    fn said(&self, body: &Body) -> EventKind {
        let Body { kind, content } = body.clone();
        if self.plant == Some(Plant::LaterKind) && kind > EventKind::ROLE_CHANGED && KINDS.contains(&kind) {
            return EventKind::Unknown { kind, content };
        }
        EventKind::Message(body.clone())
    }

    /// The row of a conversation that `sender` may send to; `None` where the first message creates
    /// it.
    fn admit(&self, conversation: ConversationId, sender: UserId) -> Result<Option<Conversation>, Rejection> {
        let held = self.state.conversation(conversation);
        match conversation {
            ConversationId::Everyone => Ok(held),
            ConversationId::Direct { .. } => {
                conversation.peer_of(sender).ok_or(Rejection::NotMember)?;
                Ok(held)
            }
            ConversationId::Group(_) => {
                // Invariant: private. An outsider gets the same answer whether the group exists or
                // not.
                let row = held.ok_or(Rejection::NotMember)?;
                if self.plant != Some(Plant::RemovedMaySend) {
                    self.state.member(conversation, sender).ok_or(Rejection::NotMember)?;
                }
                Ok(Some(row))
            }
        }
    }

    /// The answer to a request that has its place already.
    pub(super) fn duplicate(&self, conversation: ConversationId, sender: UserId, id: ClientMessageId) -> Option<Reply> {
        let seq = self.placed(conversation, sender, id)?;
        let time = self.state.event(conversation, seq).map_or(Timestamp(0), |event| event.time);
        Some(Reply::Placed { seq, time, duplicate: true })
    }

    fn placed(&self, conversation: ConversationId, sender: UserId, id: ClientMessageId) -> Option<Seq> {
        let placed = self.state.placed(conversation, self.dedup_sender(sender), id);
        let recent = |seq: &Seq| {
            let head = self.state.conversation(conversation).map_or(Seq::ZERO, |row| row.head);
            self.plant != Some(Plant::DedupWindow) || seq.0 + PLANTED_WINDOW > head.0
        };
        placed.filter(recent)
    }

    /// Two senders may choose the same id without harm, because the sender is part of the key.
    fn dedup_sender(&self, sender: UserId) -> UserId {
        if self.plant == Some(Plant::DedupWithoutSender) { UserId(0) } else { sender }
    }

    /// Gives an event the next place in the log and writes `row`, with what the caller changed in
    /// it, beside it. It fails before it writes, and only in a log that no clock will ever fill.
    pub(super) fn append(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        sender: UserId,
        id: ClientMessageId,
        kind: EventKind,
    ) -> Result<(Seq, Timestamp), Rejection> {
        let seq = row.head.0.checked_add(1).map(Seq);
        let seq = seq.ok_or(Rejection::BadRequest("this conversation has no places left: start another"))?;
        let time = if self.plant == Some(Plant::TimeGoesBack) { self.now } else { row.time.max(self.now) };
        let event = Event { seq, time, sender, client_message_id: id, kind, seal: None };
        let event = if self.level >= Level::SECOND { event.sealed() } else { event };
        row.head = seq;
        row.time = time;
        row.chain = event.chain(row.chain);
        if self.level >= Level::SECOND {
            self.number(conversation, &event);
        }
        self.state.put_event(conversation, &event);
        self.state.put_placed(conversation, self.dedup_sender(sender), id, seq);
        self.state.put_conversation(conversation, row);
        self.effects.push(Effect::Deliver { conversation, event });
        Ok((seq, time))
    }

    /// Notes how many events are numbered for the same user so far, once in a while. Before the
    /// event is written, because events behind the last note are counted.
    fn number(&mut self, conversation: ConversationId, event: &Event) {
        if self.plant == Some(Plant::UnreadCountsOwn) {
            return;
        }
        let user = unread::numbered_for(event);
        let numbering = self.state.numbering(conversation, user).next(event.seq);
        self.state.put_numbering(conversation, user, numbering);
    }
}

/// A conversation before its first event.
pub(super) fn new_conversation(now: Timestamp) -> Conversation {
    Conversation { created: now, ..Conversation::default() }
}

/// Whether this is the first message of its sender in a direct conversation.
fn begin_writing(c: &command::Send, row: &mut Conversation) -> bool {
    let ConversationId::Direct { low, .. } = c.conversation else { return false };
    let wrote = if c.sender == low { &mut row.low_wrote } else { &mut row.high_wrote };
    !std::mem::replace(wrote, true)
}

/// What is refused whatever the state, so that it can be checked before the dedup.
pub(super) fn check_send(c: &command::Send) -> Result<(), Rejection> {
    somebody(c.sender)?;
    if let ConversationId::Direct { low, high } = c.conversation
        && (low == UserId(0) || low >= high)
    {
        return Err(Rejection::BadRequest("a direct conversation names two different users, the lower id first"));
    }
    if c.after == Some(c.client_message_id) {
        return Err(Rejection::BadRequest("a message cannot follow itself: name the one before it"));
    }
    if c.body.content.len() > limits::MESSAGE_BYTES {
        return Err(Rejection::TooLarge);
    }
    match c.body.kind {
        0 => Err(Rejection::BadRequest("a body needs a kind: 1 is text")),
        Body::TEXT if c.body.content.is_empty() => Err(Rejection::BadRequest("a text is not empty")),
        Body::TEXT if c.body.as_text().is_none() => Err(Rejection::BadRequest("a text is UTF-8")),
        _ => Ok(()),
    }
}
