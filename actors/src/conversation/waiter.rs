//! Callers that wait for a proposal of a conversation.

use troupe_core::{ClientMessageId, UserId};

use crate::message::{Answer, Outcome, Refusal};
use crate::reply::ReplyTo;

pub enum Waiter {
    /// With the key of its exactly-once entry, for the recent acks.
    Placed(UserId, ClientMessageId, ReplyTo),
    Cursors(Vec<ReplyTo>),
}

impl Waiter {
    /// Answers the caller. Returns the ack to cache.
    pub fn answer(self, outcome: Outcome) -> Option<(UserId, ClientMessageId, Answer)> {
        match self {
            Waiter::Placed(sender, id, reply) => {
                reply.send(outcome.clone());
                outcome.ok().map(|answer| (sender, id, answer))
            }
            Waiter::Cursors(replies) => {
                replies.into_iter().for_each(|reply| reply.send(outcome.clone()));
                None
            }
        }
    }

    pub fn refuse(self, refusal: Refusal) {
        self.answer(Err(refusal));
    }
}
