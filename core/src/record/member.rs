//! The members of a group. The id of a direct conversation names its members, and `everyone` has no
//! member rows.

use super::table;
use crate::event::Role;
use crate::form::record;
use crate::id::{ConversationId, Seq, Timestamp, UserId};

record! {
    "member";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Member {
        pub role: Role = 1,
        /// The first event that they see: the one that made them a member, or the first of all.
        pub since: Seq = 2,
        /// In slow mode: the time of their last message. Zero: none.
        pub spoke: Timestamp = 50,
    }
}

impl Member {
    pub fn new(role: Role, since: Seq) -> Member {
        Member { role, since, spoke: Timestamp(0) }
    }
}

table!(Member, Conversations, Some(b'm'), (ConversationId, UserId));
