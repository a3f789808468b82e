//! Visibility of conversations, by applied state.

use troupe_core::record::Personal;
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

/// The first event that is shown to this user, which may have cleared the history before it, and
/// the messages behind it that the user has deleted for itself.
pub fn shown_from(
    view: &View,
    conversation: ConversationId,
    user: UserId,
) -> Result<Option<(Seq, Vec<Seq>)>, EngineError> {
    let Some(first) = visible_from(view, conversation, user)? else { return Ok(None) };
    let Personal { cleared, deleted, .. } = view.get::<Personal>(&(conversation, user))?.unwrap_or_default();
    Ok(Some((first.max(cleared.next()), deleted)))
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
