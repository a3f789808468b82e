//! Hooks of a conversation, and events that their receivers did not take.

use super::table;
use crate::form::record;
use crate::id::{ClientMessageId, ConversationId, Seq, Timestamp, TokenHash, UserId};

record! {
    "hook";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Hook {
        /// [`Hook::INCOMING`], [`Hook::OUTGOING`] or [`Hook::BEFORE`].
        pub kind: u32 = 1,
        pub name: String = 2,
        /// The member that made it, and the sender of each message that an incoming hook posts.
        pub by: UserId = 3,
        pub created: Timestamp = 4,
        /// Of its secret.
        pub hash: TokenHash = 5,
        /// The secret itself, where the cluster signs with it.
        pub key: String = 6,
        pub url: String = 7,
        /// The events up to this one are with the receiver, or on the list of the dead ones.
        pub delivered: Seq = 8,
        /// Events on that list.
        pub dead: u32 = 9,
        /// That made it, so that a repeat is answered alike.
        pub request: ClientMessageId = 10,
        /// Of a hook that is asked before: messages are refused while it does not answer.
        pub closed: bool = 11,
    }
}

impl Hook {
    /// A URL that posts to the conversation.
    pub const INCOMING: u32 = 1;
    /// A URL that gets the events of the conversation.
    pub const OUTGOING: u32 = 2;
    /// A URL that is asked before a message has its place. A group has one at most.
    pub const BEFORE: u32 = 3;

    /// Whether the cluster connects to its URL.
    pub fn has_receiver(kind: u32) -> bool {
        matches!(kind, Hook::OUTGOING | Hook::BEFORE)
    }
}

/// By the first bytes of the hash of its secret.
pub type HookKey = (ConversationId, u64);

table!(Hook, Conversations, Some(0xc3), HookKey);

record! {
    "dead_event";
    /// An event that the receiver did not take in all attempts.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DeadEvent {
        pub attempts: u32 = 1,
        /// Of its last answer; zero: there was none.
        pub status: u32 = 2,
        /// Why, for people.
        pub why: String = 3,
        pub at: Timestamp = 4,
        /// The leader tries it again.
        pub again: bool = 5,
    }
}

table!(DeadEvent, Conversations, Some(0xc4), (ConversationId, u64, Seq));
