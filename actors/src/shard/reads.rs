//! Reads of applied state for nodes: functions of a view.

use troupe_core::{ConversationId, Seq, UserId};
use troupe_store::rows::View;

use crate::message::{Answer, Session, SubscriptionState};
use crate::ops::Found;
use crate::ops::resume::held;
use crate::visible::visible_from;

/// Those of these sessions that have ended.
pub fn ended(view: &View, sessions: Vec<Session>) -> Found<Answer> {
    let mut ended = Vec::new();
    for session in sessions {
        if held(view, &session)?.is_none() {
            ended.push(session);
        }
    }
    Ok(Ok(Answer::Ended(ended)))
}

/// The heads of these conversations, and those of the named users that may not see them.
pub fn subscription_states(view: &View, interests: Vec<(ConversationId, Vec<UserId>)>) -> Found<Answer> {
    let mut states = Vec::with_capacity(interests.len());
    for (conversation, users) in interests {
        let head = view.conversation(conversation)?.map_or(Seq::ZERO, |row| row.head);
        let mut refused = Vec::new();
        for user in users {
            if visible_from(view, conversation, user)?.is_none() {
                refused.push(user);
            }
        }
        states.push(SubscriptionState { conversation, head, refused });
    }
    Ok(Ok(Answer::Subscribed(states)))
}
