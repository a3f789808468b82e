//! Messages: valid bodies, and the beginning of a direct conversation.

use crate::error::Rejection;
use crate::event::{Body, Event, EventKind, KINDS};
use crate::id::{ConversationId, Seq};
use crate::level::Level;
use crate::limits;
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::Conversation;

pub(super) fn check(body: &Body) -> Result<(), Rejection> {
    if body.content.len() > limits::MESSAGE_BYTES {
        return Err(Rejection::TooLarge);
    }
    match body.kind {
        0 => Err(Rejection::BadRequest("a body needs a kind: 1 is text")),
        Body::TEXT if body.content.is_empty() => Err(Rejection::BadRequest("a text is not empty")),
        Body::TEXT if body.as_text().is_none() => Err(Rejection::BadRequest("a text is UTF-8")),
        _ => Ok(()),
    }
}

impl Step<'_> {
    pub(super) fn decide_message(&self, body: &Body) -> EventKind {
        let Body { kind, content } = body.clone();
        if self.planted(Bug::LaterKind) && KINDS.contains(&kind) && !EventKind::is_known(kind) {
            return EventKind::Unknown { kind, content };
        }
        EventKind::Message(Body { kind, content })
    }

    /// The first message of a user in a direct conversation puts it on that user's list. The first
    /// message of all puts it on the other's list too.
    pub(super) fn project_message(&mut self, conversation: ConversationId, row: &mut Conversation, event: &Event) {
        let ConversationId::Direct { low, high } = conversation else {
            return self.note_speech(conversation, row, event.sender);
        };
        let first = event.seq == Seq(1);
        let begins = if self.level >= Level::SECOND {
            let wrote = if event.sender == low { &mut row.low_wrote } else { &mut row.high_wrote };
            !std::mem::replace(wrote, true)
        } else {
            first
        };
        match (begins, first) {
            (true, true) => self.enqueue(conversation, event.seq, true, event.sender, &[low, high]),
            (true, false) => self.enqueue(conversation, event.seq, true, event.sender, &[event.sender]),
            (false, _) => {}
        }
    }
}
