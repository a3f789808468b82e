//! The state of a conversation that is of one user only, and the mentions that this user counts.

use super::{Change, number, table};
use crate::form::record;
use crate::id::{ConversationId, Seq, Timestamp, UserId};

record! {
    "personal";
    /// The default is the state of a user that has set nothing. Each property has the version of
    /// its last change.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Personal {
        /// Counts the changes, so that a device recognises a late push.
        pub version: u64 = 1,
        /// The place among the pinned conversations. Zero: not pinned.
        pub pin: u64 = 2,
        pub pin_version: u64 = 3,
        /// Zero: not muted.
        pub muted_until: Timestamp = 4,
        pub muted_version: u64 = 5,
        pub archived: bool = 6,
        pub archived_version: u64 = 7,
        /// The first event with which a hidden conversation is shown again. Zero: not hidden.
        pub hidden_before: Seq = 8,
        pub hidden_version: u64 = 9,
        pub draft: String = 10,
        pub draft_version: u64 = 11,
        /// The read position with which a conversation marked as unread is read again. Zero: not
        /// marked.
        pub marked_before: Seq = 12,
        pub marked_version: u64 = 13,
        /// The history up to here is not shown to the user. It only rises, so it needs no version.
        pub cleared: Seq = 14,
        /// Messages behind the cleared history that the user has deleted for itself, ascending.
        pub deleted: Vec<Seq> = 15,
        /// Those of them that an unread count would count.
        pub deleted_unread: Vec<Seq> = 16,
        /// The last changes, the newest at the end.
        pub changes: Vec<Change> = 17,
    }
}

table!(Personal, Conversations, Some(0xb0), (ConversationId, UserId));

impl Personal {
    /// Until there is a later event.
    pub fn is_hidden(&self, head: Seq) -> bool {
        head < self.hidden_before
    }

    /// Until the user has read further.
    pub fn is_marked(&self, read: Seq) -> bool {
        read < self.marked_before
    }
}

/// A message mentions a user, or everyone as user 0. The number is its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mention(pub u64);

number!(Mention, Conversations, Some(0xb1), (ConversationId, UserId, Seq));
