//! Acts of users on their own state and on each other, and acts of bots.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactAct {
    Ask,
    Accept,
    End,
    Block,
    Unblock,
}

/// A change of a user's own state of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Personal {
    /// By a device that has seen the pin `was` at that version. No two changes set the same.
    Pin { seen: Option<u64>, was: u64, to: u64 },
    /// The history up to a seq.
    Clear { to: u64 },
    /// One message, for the user alone.
    Delete { seq: u64 },
    /// A message is saved, or is no more.
    Save { seq: u64, removed: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Asked,
    Done,
    /// It was not applied and never will be.
    Refused,
}

/// The part of a request that a bot's token must have, or [`BotAct::Enter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotAct {
    /// Opens a connection by the token.
    Enter,
    Read,
    Send,
    Manage,
    /// An act of users, which no token is for.
    OfUsers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotAnswer {
    /// Done, or refused for a reason behind the scopes.
    Passed,
    NotForBots,
    /// The token has ended.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BotStep {
    /// The owner receives the token.
    Given { read: bool, send: bool, manage: bool },
    /// The owner learns that the token has ended.
    Ended,
    /// The answer to a request that the bot made at `asked`, with the token alone.
    Answered { asked: u64, act: BotAct, answer: BotAnswer },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ApartStep {
    /// These users are plain members of the group and share no other one. Before this none of them
    /// has written to another one, or asked it for a contact.
    Begun { users: Vec<u64> },
    /// A user has received the names of members.
    Shown { user: u64 },
    /// A user learns that its message to another one, or its request for a contact, is there.
    Reached { user: u64, other: u64 },
    /// The same was refused for the rule of the group.
    Refused { user: u64, other: u64 },
}
