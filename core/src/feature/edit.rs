//! Edits: the sender of a message gives it another body.
//!
//! Each edit is an event of the log with the new body, so the log has all versions. One row per
//! edited message has the seqs of its edits; the body of the last one is its present state. A body
//! is in the log only, so a recall has one place to erase.

use prost::Message;

use super::Append;
use super::message::{self, ERASED};
use super::poll::{self, POLL_STAYS};
use super::stream::OpenStream;
use crate::error::{Refused, Rejection};
use crate::event::{Body, Event, EventKind};
use crate::id::{ConversationId, Seq};
use crate::limits;
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::{Conversation, table};
use crate::state::Rows;
use crate::text::clean;

pub(super) const NOT_YOUR_MESSAGE: Refused =
    Refused { code: "not_your_message", text: "another user has sent this message: only its sender may change it" };
const ANOTHER_KIND: Refused = Refused {
    code: "another_kind",
    text: "an edit keeps the kind of the body: send a new message for one of another kind",
};
const STREAM_OPEN: Refused =
    Refused { code: "stream_open", text: "this message still grows: end the stream, then edit it" };
const TOO_MANY_EDITS: Refused =
    Refused { code: "too_many_edits", text: "this message was edited as often as a message may be: send a new one" };
pub(super) const REFUSALS: &[Refused] = &[NOT_YOUR_MESSAGE, ANOTHER_KIND, TOO_MANY_EDITS, STREAM_OPEN];

/// The edits of a message. A message without any has no row.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Edits {
    /// Of its [`EventKind::Edited`] events, in order. The last has its present body.
    #[prost(uint64, repeated, tag = "1")]
    pub seqs: Vec<u64>,
}

table!(message Edits, Conversations, Some(0x44), (ConversationId, Seq));

/// The rules of a message. Its references stay as they were sent.
pub(super) fn check(body: &Body) -> Result<(), Rejection> {
    message::check(body)?;
    match body.context {
        Some(_) => Err(Rejection::BadRequest("an edit changes the body only: give no answer, thread and mentions")),
        None => Ok(()),
    }
}

pub(super) fn words(to: Seq, body: &Body) -> String {
    match body.as_text() {
        Some(text) => format!("edited {to}: {}", clean(text)),
        None => format!("edited {to}"),
    }
}

impl Step<'_> {
    pub(super) fn decide_edit(
        &self,
        append: &Append,
        row: &Conversation,
        to: Seq,
        body: &Body,
    ) -> Result<EventKind, Rejection> {
        let conversation = append.conversation;
        let event = self.message_for(conversation, append.actor, to)?;
        if event.sender != append.actor && !self.planted(Bug::EditByAnother) {
            return Err(NOT_YOUR_MESSAGE.into());
        }
        match &event.kind {
            EventKind::Message(held) if poll::of(held).is_some() => return Err(POLL_STAYS.into()),
            EventKind::Message(held) if held.kind == body.kind => {}
            EventKind::Message(_) => return Err(ANOTHER_KIND.into()),
            _ => return Err(ERASED.into()),
        }
        let edits = self.state.get::<Edits>(&(conversation, to)).unwrap_or_default();
        if edits.seqs.len() >= limits::EDITS_PER_MESSAGE {
            return Err(TOO_MANY_EDITS.into());
        }
        if self.state.get::<OpenStream>(&(conversation, to)).is_some() {
            return Err(STREAM_OPEN.into());
        }
        self.check_files(append, body)?;
        Ok(EventKind::Edited { to, body: self.expiring_with(&event, row, body.clone()) })
    }

    pub(super) fn project_edited(&mut self, conversation: ConversationId, event: &Event, to: Seq) {
        let key = (conversation, to);
        let mut edits = self.state.get::<Edits>(&key).unwrap_or_default();
        edits.seqs.push(event.seq.0);
        self.state.put(&key, &edits);
        self.refer_to_files(conversation, event);
    }
}
