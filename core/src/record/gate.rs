//! Whether a user takes messages in a direct conversation. The row is in the conversation's slot,
//! so that `apply` judges each message by it.

use super::table;
use crate::form::record;
use crate::id::{ConversationId, UserId};

record! {
    "gate";
    /// It is kept when it is open again, so that a late row stays late.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Gate {
        /// Of the user's contact row.
        pub version: u64 = 1,
        /// The user takes nothing from the other one.
        pub closed: bool = 2,
    }
}

table!(Gate, Conversations, Some(0xa0), (ConversationId, UserId));
