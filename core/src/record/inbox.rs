//! One line of a user's conversation list. It stays with `present: false` after leaving, so that a
//! late row stays late.

use super::table;
use crate::form::record;
use crate::id::{ConversationId, Seq, UserId};

record! {
    "inbox_entry";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct InboxEntry {
        pub conversation: ConversationId = 1,
        pub present: bool = 2,
        pub version: Seq = 3,
        /// A direct conversation in which only the other user has written: that user is a stranger
        /// still. Rows of 74c331d say it of none.
        pub unanswered: bool = 40,
    }
}

table!(InboxEntry, Users, Some(b'i'), (UserId, ConversationId));
