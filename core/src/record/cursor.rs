//! How far a member has got. Where there is no row, nothing has been delivered or read.

use super::table;
use crate::form::record;
use crate::id::{ConversationId, Seq, UserId};

record! {
    "cursor";
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Cursor {
        pub delivered: Seq = 1,
        pub read: Seq = 2,
    }
}

table!(Cursor, Conversations, Some(b'r'), (ConversationId, UserId));
