//! The references of a message besides its content: the message that it answers, its thread, and
//! the users that it mentions. All kinds of bodies have it alike.

use std::collections::BTreeSet;

use prost::Message;

use crate::error::{Refused, Rejection};
use crate::limits;

pub(super) const BAD_MENTIONS: Refused = Refused {
    code: "bad_mentions",
    text: "a message mentions at most 50 users, each once and by its id: mention fewer, or everyone",
};

/// `Context` of `content.proto`.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Context {
    /// The seq of the message that this one answers; zero: none.
    #[prost(uint64, tag = "1")]
    pub reply_to: u64,
    /// The seq of the message at the root of the thread; zero: it is in none.
    #[prost(uint64, tag = "2")]
    pub thread: u64,
    /// A mention of a user that is no member has no effect.
    #[prost(uint64, repeated, tag = "3")]
    pub mentions: Vec<u64>,
    #[prost(bool, tag = "4")]
    pub mentions_everyone: bool,
}

impl Context {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let mentions = &self.mentions;
        let distinct = || mentions.iter().collect::<BTreeSet<_>>().len() == mentions.len();
        if mentions.len() > limits::MENTIONS || mentions.contains(&0) || !distinct() {
            return Err(BAD_MENTIONS.into());
        }
        Ok(())
    }
}
