//! The references of a message besides its content: the message that it answers, its thread, and
//! the users that it mentions; and the time after which it vanishes. All kinds of bodies have it
//! alike.

use std::collections::BTreeSet;

use prost::Message;

use crate::error::{Refused, Rejection};
use crate::limits;

pub(super) const BAD_MENTIONS: Refused = Refused {
    code: "bad_mentions",
    text: "a message mentions at most 50 users, each once and by its id: mention fewer, or everyone",
};

pub(super) const BAD_EXPIRY: Refused = Refused {
    code: "bad_expiry",
    text: "a message vanishes one second to 366 days after it is sent: name a time between, or 0 for never",
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
    /// The content vanishes so many milliseconds after the time of its event; zero: it stays.
    #[prost(uint64, tag = "100")]
    pub expires_in_ms: u64,
    /// The message grows by pieces until its end.
    #[prost(bool, tag = "150")]
    pub stream: bool,
}

impl Context {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let mentions = &self.mentions;
        let distinct = || mentions.iter().collect::<BTreeSet<_>>().len() == mentions.len();
        if mentions.len() > limits::MENTIONS || mentions.contains(&0) || !distinct() {
            return Err(BAD_MENTIONS.into());
        }
        match self.expires_in_ms {
            0 => Ok(()),
            after if (limits::EXPIRES_MIN_MS..=limits::EXPIRES_MAX_MS).contains(&after) => Ok(()),
            _ => Err(BAD_EXPIRY.into()),
        }
    }
}
