//! Recalls: the content of a message is erased on every replica.
//!
//! The same commit erases the content and places the event of the recall, which shows devices which
//! message to drop.

use super::Append;
use super::edit::{Edits, NOT_YOUR_MESSAGE};
use super::policy::{Act, permit};
use crate::error::{Refused, Rejection};
use crate::event::{EventKind, Role};
use crate::id::{ConversationId, Seq};
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::Conversation;
use crate::state::Rows;

const TOO_LATE: Refused =
    Refused { code: "recall_too_late", text: "the time for recalling this message is over: ask an admin of the group" };
const NOT_ERASABLE: Refused = Refused {
    code: "not_erasable",
    text: "this message is from feature level 1, whose log cannot lose content: it stays",
};
pub(super) const REFUSALS: &[Refused] = &[TOO_LATE, NOT_ERASABLE];

impl Step<'_> {
    /// The sender has so many milliseconds by the times of the log. Members that may recall the
    /// messages of others have no limit.
    pub(super) fn decide_recall(
        &self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
        to: Seq,
        within_ms: u64,
    ) -> Result<EventKind, Rejection> {
        let event = self.message_for(append.conversation, append.actor, to)?;
        if !append.conversation.is_group() || permit(role, row, Act::Recall).is_err() {
            if event.sender != append.actor {
                return Err(NOT_YOUR_MESSAGE.into());
            }
            // The limit at the time of an imported recall is not known any more.
            if !self.imports() && self.time_in(row).0.saturating_sub(event.time.0) > within_ms {
                return Err(TOO_LATE.into());
            }
        }
        if event.seal.is_some() { Ok(EventKind::Recalled { to }) } else { Err(NOT_ERASABLE.into()) }
    }

    pub(super) fn project_recalled(&mut self, conversation: ConversationId, row: &mut Conversation, to: Seq) {
        if self.planted(Bug::RecallKeepsContent) {
            self.forget_of_message(conversation, row, to);
            return self.state.delete::<Edits>(&(conversation, to));
        }
        self.erase_message(conversation, row, to);
    }
}
