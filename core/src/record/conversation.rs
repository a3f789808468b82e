//! The present state of a conversation.

use super::table;
use crate::form::{Fixed, record};
use crate::id::{ConversationId, Seq, Timestamp};

record! {
    "conversation";
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Conversation {
        /// Groups only; empty otherwise.
        pub name: String = 1,
        pub open: bool = 2,
        pub head: Seq = 3,
        /// Time of the event at `head`.
        pub time: Timestamp = 4,
        /// Member rows. Only a group has them: the ends of a direct conversation are in its id, a
        /// channel is everyone's.
        pub members: u32 = 5,
        /// Running hash over all events, equal on every replica at the same head.
        pub chain: u64 = 6 as Fixed,
        pub created: Timestamp = 7,
        /// Members that are owners. Zero in a row of 74c331d: they are counted when the number is
        /// first needed.
        pub owners: u32 = 40,
        /// Of a direct conversation: the lower, or the higher, of its users has written here. False
        /// in rows of 74c331d until that user's next message.
        pub low_wrote: bool = 41,
        pub high_wrote: bool = 42,
        /// The last large event, from level 2 on: [`crate::unread`].
        pub large: Seq = 43,
        /// Seconds between two messages of a member of a group; zero: no slow mode.
        pub slow_seconds: u32 = 50,
        /// Until then only admins speak.
        pub muted_until: Timestamp = 51,
        /// Rows of muted users, and of banned ones.
        pub mutes: u32 = 52,
        pub bans: u32 = 53,
        /// [`crate::feature::Policy`].
        pub policy: u64 = 54,
        /// Newcomers see everything.
        pub shows_history: bool = 55,
        /// It takes no event any more.
        pub disbanded: bool = 56,
        /// Rows of invite links.
        pub links: u32 = 57,
        /// Outsiders may ask to join.
        pub asks: bool = 58,
        /// Rows of such requests that are open.
        pub join_requests: u32 = 59,
        /// Pinned messages.
        pub pins: u32 = 60,
        /// Members may not get to know each other.
        pub no_contact: bool = 61,
        /// New messages vanish after so many seconds; zero: they stay.
        pub retention_seconds: u32 = 100,
        /// The first and the last of a run of vanished messages. Between them stands nothing to
        /// read.
        pub vanished_from: Seq = 101,
        pub vanished_to: Seq = 102,
        /// The hook that is asked before each message; zero: none.
        pub before: u64 = 110,
    }
}

impl Conversation {
    /// The run of vanished messages, if there is one.
    pub fn vanished(&self) -> Option<(Seq, Seq)> {
        (self.vanished_to > Seq::ZERO).then_some((self.vanished_from, self.vanished_to))
    }
}

table!(Conversation, Conversations, Some(b'c'), ConversationId);
