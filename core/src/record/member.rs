//! The members of a group. The id of a direct conversation names its members, and `everyone` has no
//! member rows.

use super::table;
use crate::event::Role;
use crate::form::record;
use crate::id::{ConversationId, Seq, UserId};

record! {
    "member";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Member {
        pub role: Role = 1,
        /// The event that made them a member.
        pub since: Seq = 2,
    }
}

table!(Member, Conversations, Some(b'm'), (ConversationId, UserId));
