//! The bots of a user. They are accounts in the slot of their owner, so that they begin, and end
//! with it, in one commit.

use super::{number, table};
use crate::form::record;
use crate::id::{ClientMessageId, Timestamp, UserId};

record! {
    "bot";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Bot {
        /// Unique among the bots of its owner.
        pub name: String = 1,
        /// Of its token: see [`Bot::READ`] and the others.
        pub scopes: u32 = 2,
        pub created: Timestamp = 3,
        /// When it got its present token.
        pub token_set: Timestamp = 4,
        /// That created it, so that a repeat finds it.
        pub request: ClientMessageId = 5,
    }
}

impl Bot {
    /// History, lists and the stream of events.
    pub const READ: u32 = 1;
    /// Messages, edits, reactions, signals and files.
    pub const SEND: u32 = 2;
    /// Groups: their members, settings and links.
    pub const MANAGE: u32 = 4;
    pub const ALL: u32 = Bot::READ | Bot::SEND | Bot::MANAGE;
    /// The device of the session that a token is.
    pub const DEVICE: &str = "bot";

    /// Whether the token may do what needs these scopes.
    pub fn may(&self, scopes: u32) -> bool {
        self.scopes & scopes == scopes
    }
}

table!(Bot, Users, Some(0xc0), (UserId, UserId));

/// The owner of a bot. It stays when the bot has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BotOwner(pub UserId);

number!(BotOwner, Users, Some(0xc1), UserId);

/// The number of bots that a user has made. Ended ones count, because their accounts stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BotsMade(pub u64);

number!(BotsMade, Users, Some(0xc2), UserId);
