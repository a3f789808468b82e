//! A group that a stranger has added a user to, or a direct conversation that a stranger has begun.
//! It is in no conversation list before the user accepts.

use super::table;
use crate::form::record;
use crate::id::{ConversationId, Seq, Timestamp, UserId};

record! {
    "invitation";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Invitation {
        pub conversation: ConversationId = 1,
        /// The stranger.
        pub by: UserId = 2,
        /// The event that added the user.
        pub version: Seq = 3,
        pub created: Timestamp = 4,
    }
}

table!(Invitation, Users, Some(0x40), (UserId, ConversationId));
