//! Bots of a user. All rows are in the slot of the owner.

use crate::id::{ClientMessageId, TokenHash, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeBot {
    pub owner: UserId,
    pub request: ClientMessageId,
    pub change: BotChange,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BotChange {
    /// A repeat with the same `request` is the same bot, and its token is the one of the repeat.
    Create { name: String, token: TokenHash, scopes: u32 },
    /// Ends the token that the bot has.
    Rotate { bot: UserId, token: TokenHash },
    /// Its messages stay.
    End { bot: UserId },
}
