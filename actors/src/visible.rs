//! Visibility of conversations, by applied state.

use troupe_core::{ConversationId, Rejection, Seq, UserId};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::message::Refusal;

/// The first event that this user may see; `None` for one who may see nothing.
// Invariant: private. A member sees from the event on that made them one.
pub fn visible_from(view: &View, conversation: ConversationId, user: UserId) -> Result<Option<Seq>, EngineError> {
    Ok(match conversation {
        ConversationId::Everyone => Some(Seq(1)),
        ConversationId::Direct { .. } => conversation.peer_of(user).map(|_| Seq(1)),
        ConversationId::Group(_) => view.member(conversation, user)?.map(|member| member.since),
    })
}

/// Whether this user is in the conversation.
pub fn is_in(view: &View, conversation: ConversationId, user: UserId) -> Result<bool, EngineError> {
    Ok(match conversation {
        ConversationId::Everyone => true,
        ConversationId::Direct { .. } => conversation.peer_of(user).is_some(),
        ConversationId::Group(_) => view.member(conversation, user)?.is_some(),
    })
}

/// The head of a conversation, for a user who may see it: an outsider learns neither its length nor
/// its existence.
// Invariant: private.
pub fn head_for(view: &View, conversation: ConversationId, user: UserId) -> Result<Result<Seq, Refusal>, EngineError> {
    if visible_from(view, conversation, user)?.is_none() {
        return Ok(Err(Rejection::NotMember.into()));
    }
    Ok(Ok(view.conversation(conversation)?.map_or(Seq::ZERO, |row| row.head)))
}
