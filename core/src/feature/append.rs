//! An intent with its actor and its place, and what holds for every intent.

use super::{Intent, forward, join_request, link};
use crate::error::Rejection;
use crate::id::{ClientMessageId, ConversationId, TokenHash, UserId};
use crate::level::Level;
use crate::machine::somebody;
use crate::record::Conversation;

/// Gives an intent its place in a conversation's log, once per actor and client message id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    pub conversation: ConversationId,
    pub actor: UserId,
    pub client_message_id: ClientMessageId,
    /// The message of the same device that must already be in the log.
    pub after: Option<ClientMessageId>,
    pub intent: Intent,
}

impl Append {
    /// Whether 74c331d has a form for it: a message, or a change of a group without a predecessor.
    pub fn is_of_first_level(&self) -> bool {
        match self.intent {
            Intent::Message(ref body) => body.is_of_first_level(),
            _ => self.intent.since() == Level::FIRST && self.after.is_none() && self.conversation.is_group(),
        }
    }

    pub(crate) fn level(&self) -> Level {
        if self.is_of_first_level() { Level::FIRST } else { self.intent.since().max(Level::SECOND) }
    }

    /// Rules of level 2 for messages, which level 1 had already: replicas of 0.1 do not know them.
    pub(crate) fn check_typed(&self) -> Result<(), Rejection> {
        match &self.intent {
            Intent::Message(body) | Intent::Edit { body, .. } => {
                forward::check_written(body)?;
                body.check_typed()
            }
            Intent::Bundle(body) => body.check_typed(),
            _ => Ok(()),
        }
    }

    /// Refusals that need no state, checked before the dedup.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        somebody(self.actor)?;
        if let ConversationId::Direct { low, high } = self.conversation
            && (low == UserId(0) || low >= high)
        {
            return Err(Rejection::BadRequest("a direct conversation names two different users, the lower id first"));
        }
        if self.after == Some(self.client_message_id) {
            return Err(Rejection::BadRequest("a message cannot follow itself: name the one before it"));
        }
        if self.intent.is_of_groups() && !self.conversation.is_group() {
            return Err(Rejection::NotAGroup);
        }
        self.intent.check(self)
    }
}

impl Intent {
    /// Whether it is for outsiders: it lets its actor in, or asks for that.
    pub fn lets_in(&self) -> bool {
        matches!(self, Intent::Join | Intent::JoinByLink { .. } | Intent::AskToJoin { .. } | Intent::Withdraw)
    }

    /// Whether it lets an outsider of this group try. `link`: whether a code is that of a link.
    /// `asked`: whether the actor has an open request to join.
    pub fn opens(
        &self,
        row: &Conversation,
        link: impl FnOnce(&TokenHash) -> bool,
        asked: impl FnOnce() -> bool,
    ) -> bool {
        match self {
            Intent::Join => row.open,
            Intent::JoinByLink { hash } => link(hash),
            Intent::AskToJoin { .. } => row.asks,
            Intent::Withdraw => asked(),
            _ => false,
        }
    }

    /// The one answer for a conversation that is missing and for one that the actor is not in.
    // Invariant: private. The ids of groups can be enumerated, so a difference would reveal which
    // of them exist.
    pub fn outsider(&self) -> Rejection {
        match self {
            Intent::Join | Intent::AskToJoin { .. } => Rejection::NotOpen,
            Intent::JoinByLink { .. } => link::BAD_LINK.into(),
            Intent::Withdraw => join_request::NO_SUCH_REQUEST.into(),
            _ => Rejection::NotMember,
        }
    }
}
