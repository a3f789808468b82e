//! Delivered and read positions of each member, forward only.
//!
//! Cursors may arrive late, twice or with invented values, without harm. A move that does not fit
//! is ignored and never refused: the others in the same command still count.

use super::{Outcome, Step};
use crate::command::{AdvanceCursors, CursorMove};
use crate::effect::Effect;
use crate::id::{ConversationId, Seq, UserId};
use crate::planted::Bug;
use crate::record::{Conversation, Cursor, Member};
use crate::reply::Reply;
use crate::state::Rows;

impl Step<'_> {
    pub(super) fn advance_cursors(&mut self, c: &AdvanceCursors) -> Outcome {
        // Without a row there is nothing to move in; what the conversation's actor waits for is
        // done.
        let Some(row) = self.state.get::<Conversation>(&c.conversation) else { return Ok(Reply::Done) };
        let head = row.head;
        for step in &c.moves {
            if !self.takes_part(c.conversation, step.user) {
                continue;
            }
            let held = self.state.get::<Cursor>(&(c.conversation, step.user)).unwrap_or_default();
            let back = self.planted(Bug::CursorGoesBack);
            let cursor = advanced(if back { Cursor::default() } else { held }, step, head);
            if cursor != held {
                self.state.put(&(c.conversation, step.user), &cursor);
                self.effects.push(Effect::CursorMoved {
                    conversation: c.conversation,
                    user: step.user,
                    delivered: cursor.delivered,
                    read: cursor.read,
                    read_moved: cursor.read != held.read,
                });
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn takes_part(&self, conversation: ConversationId, user: UserId) -> bool {
        match conversation {
            ConversationId::Everyone => user != UserId(0),
            ConversationId::Direct { .. } => conversation.peer_of(user).is_some(),
            ConversationId::Group(_) => self.state.get::<Member>(&(conversation, user)).is_some(),
        }
    }
}

/// Each position counts separately, and read implies delivered.
fn advanced(held: Cursor, to: &CursorMove, head: Seq) -> Cursor {
    let reach = |held: Seq, to: Seq| if to > head { held } else { held.max(to) };
    let read = reach(held.read, to.read);
    Cursor { delivered: reach(held.delivered, to.delivered).max(read), read }
}
