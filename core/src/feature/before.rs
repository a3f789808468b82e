//! The hook that a group asks before a message has its place.
//!
//! The leader of the shard asks, outside of the log, and stamps the command with the hook that it
//! has asked. `apply` refuses a message without the stamp of the present hook. So each way into the
//! log is covered, and a message that was proposed just before the hook was made is covered too.
//!
//! Messages, edits, pieces and ends of streams are asked about. An event that says nothing, such as
//! a reaction, a vote or a recall, is not.

use super::Intent;
use crate::command::{JudgeScheduled, Said, Vetted};
use crate::error::{Refused, Rejection};
use crate::machine::{Outcome, Step};
use crate::planted::Bug;
use crate::record::Conversation;
use crate::reply::Reply;

pub const REFUSED_BY_HOOK: Refused =
    Refused { code: "refused_by_hook", text: "the hook of this group refuses this message: change it" };
/// A client sends the message again in a moment.
pub const HOOK_UNAVAILABLE: Refused = Refused {
    code: "hook_unavailable",
    text: "the hook of this group has not answered, and no message passes without it: send it again in a moment",
};
pub(super) const BEFORE_HOOK_EXISTS: Refused =
    Refused { code: "before_hook_exists", text: "this group has a hook that is asked before: end that one first" };
pub(super) const REFUSALS: &[Refused] = &[REFUSED_BY_HOOK, HOOK_UNAVAILABLE, BEFORE_HOOK_EXISTS];

impl Intent {
    /// Whether the hook of the group is asked about it.
    pub fn is_asked_about(&self) -> bool {
        match self {
            Intent::Message(_) | Intent::Bundle(_) | Intent::Edit { .. } => true,
            // Without a text it is the sum of pieces that were asked about.
            Intent::EndStream { text, .. } => !text.is_empty(),
            _ => false,
        }
    }
}

pub(crate) fn check_vetted(c: &Vetted) -> Result<(), Rejection> {
    match &c.said {
        Said::Append(append) => append.check().and_then(|()| append.check_typed()),
        Said::Post(post) => super::check_post(post),
        Said::Piece(piece) => super::check_piece(piece),
    }
}

impl Step<'_> {
    /// Refuses a message whose hook was not asked.
    // Invariant: hooks. No message has a place that the hook of its group was not asked about.
    pub(crate) fn was_asked(&self, intent: &Intent, row: &Conversation) -> Result<(), Rejection> {
        if intent.is_asked_about() { self.was_asked_about_piece(row) } else { Ok(()) }
    }

    pub(super) fn was_asked_about_piece(&self, row: &Conversation) -> Result<(), Rejection> {
        let is_free = row.before == 0 || row.before == self.asked || self.imports();
        if is_free || self.planted(Bug::BeforeHookSkipped) { Ok(()) } else { Err(HOOK_UNAVAILABLE.into()) }
    }

    pub(crate) fn vetted(&mut self, c: &Vetted) -> Outcome {
        self.asked = c.hook;
        match &c.said {
            Said::Append(append) => self.append(append),
            Said::Post(post) => self.post_hook(post),
            Said::Piece(piece) => self.write_piece(piece),
        }
    }

    pub(crate) fn judge_scheduled(&mut self, c: &JudgeScheduled) -> Outcome {
        self.asked = c.hook;
        let refused = Some(c.refused.as_str()).filter(|code| !code.is_empty());
        self.place_scheduled((c.conversation, c.sender, c.client_message_id), refused);
        Ok(Reply::Done)
    }
}
