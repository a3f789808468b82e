//! Messages: valid bodies, and the beginning of a direct conversation.

use super::Append;
use super::vanish::retained;
use crate::error::{Refused, Rejection};
use crate::event::{Body, Content, Context, Event, EventKind, KINDS};
use crate::id::{ConversationId, Seq, UserId};
use crate::level::Level;
use crate::limits;
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::{Conversation, Member};
use crate::state::Rows;

pub const NO_SUCH_MESSAGE: Refused = Refused {
    code: "no_such_message",
    text: "there is no message with this number in the conversation that you can see: name one of its history",
};
pub const ERASED: Refused = Refused {
    code: "erased",
    text: "the content of this message is gone, it was recalled or has expired: there is nothing left to change",
};

const BAD_THREAD: Refused =
    Refused { code: "bad_thread", text: "this message is in a thread itself: name the first message of that thread" };
pub(super) const REFUSALS: &[Refused] = &[NO_SUCH_MESSAGE, ERASED, BAD_THREAD];

fn is_later(kind: u32) -> bool {
    KINDS.contains(&kind) && !EventKind::is_known(kind) && !Content::is_known(kind)
}

pub(super) fn check(body: &Body) -> Result<(), Rejection> {
    if body.content.len() > limits::MESSAGE_BYTES {
        return Err(Rejection::TooLarge);
    }
    match body.kind {
        0 => Err(Rejection::BadRequest("a body needs a kind: 1 is text")),
        Body::TEXT if body.content.is_empty() && !body.is_stream() => Err(Rejection::BadRequest("a text is not empty")),
        Body::TEXT if body.as_text().is_none() => Err(Rejection::BadRequest("a text is UTF-8")),
        _ => Ok(()),
    }
}

impl Step<'_> {
    pub(super) fn decide_message(
        &self,
        append: &Append,
        row: &Conversation,
        body: &Body,
    ) -> Result<EventKind, Rejection> {
        let Body { kind, content, context } = body.clone();
        if self.planted(Bug::LaterKind) && is_later(kind) {
            return Ok(EventKind::Unknown { kind, content });
        }
        if let Some(context) = &context {
            self.check_context(append, context)?;
        }
        self.check_files(append, body)?;
        self.check_poll(body)?;
        if body.is_stream() {
            self.check_stream(append, body)?;
        }
        Ok(EventKind::Message(retained(Body { kind, content, context }, row)))
    }

    /// An answer and a thread refer to messages that the sender sees. An import has been judged
    /// where it was decided, and a message that it refers to may be erased since.
    fn check_context(&self, append: &Append, context: &Context) -> Result<(), Rejection> {
        let seen = |seq: u64| self.message_for(append.conversation, append.actor, Seq(seq));
        if self.imports() {
            return Ok(());
        }
        if context.reply_to != 0 {
            seen(context.reply_to)?;
        }
        if context.thread != 0
            && let EventKind::Message(Body { context: Some(context), .. }) = seen(context.thread)?.kind
            && context.thread != 0
        {
            return Err(BAD_THREAD.into());
        }
        Ok(())
    }

    /// The message at this seq, if the user sees it and its content is still there. A member sees
    /// nothing from before it joined, and learns nothing about it. An import goes through what
    /// happened to a message before its recall, and never has its content.
    // Invariant: private.
    pub(super) fn message_for(&self, conversation: ConversationId, user: UserId, seq: Seq) -> Result<Event, Rejection> {
        let event = self.message_seen(conversation, user, seq).ok_or(NO_SUCH_MESSAGE)?;
        let is_over = event.vanishes().is_some_and(|at| at <= self.now());
        let is_there = matches!(event.kind, EventKind::Message(_)) && !is_over || self.imports();
        if is_there { Ok(event) } else { Err(ERASED.into()) }
    }

    /// The message at this seq, erased or not, if the user sees it.
    // Invariant: private.
    pub(crate) fn message_seen(&self, conversation: ConversationId, user: UserId, seq: Seq) -> Option<Event> {
        let since = match conversation {
            ConversationId::Group(_) => self.state.get::<Member>(&(conversation, user)).map(|member| member.since),
            ConversationId::Everyone | ConversationId::Direct { .. } => Some(Seq::ZERO),
        };
        let event = since.filter(|since| seq >= *since).and_then(|_| self.state.get::<Event>(&(conversation, seq)));
        event.filter(|event| event.kind.number() == EventKind::MESSAGE)
    }

    /// The first message of a user in a direct conversation puts it on that user's list. The first
    /// message of all puts it on the other's list too.
    pub(super) fn project_message(&mut self, conversation: ConversationId, row: &mut Conversation, event: &Event) {
        if self.level >= Level::SECOND {
            self.refer_to_files(conversation, event);
            if let EventKind::Message(body) = &event.kind {
                self.list_file(conversation, event.seq, body);
                self.note_mentions(conversation, event.seq, event.sender, body);
                self.project_poll(conversation, event, body);
                self.open_stream(conversation, event, body);
            }
            self.plan_vanishing(conversation, event);
        }
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
