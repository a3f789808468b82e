//! The messages that a user has saved, in the slot of the user. A row has no content: it is read
//! where the message is, so that a recall erases it here, too.

use super::{Change, number, table};
use crate::form::record;
use crate::id::{ConversationId, Seq, Timestamp, UserId};

record! {
    "favourite";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Favourite {
        pub conversation: ConversationId = 1,
        pub seq: Seq = 2,
        pub saved: Timestamp = 3,
    }
}

table!(Favourite, Users, Some(0xb2), (UserId, u64));

/// The number of a favourite, by its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FavouriteOf(pub u64);

number!(FavouriteOf, Users, Some(0xb3), (UserId, ConversationId, Seq));

record! {
    "favourite_book";
    /// The numbers of a user's favourites.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct FavouriteBook {
        /// The last number that was given out. They are in the order of saving.
        pub last: u64 = 1,
        pub count: u32 = 2,
        /// Counts the changes, so that a device recognises a late push.
        pub version: u64 = 3,
        /// The last changes, the newest at the end.
        pub changes: Vec<Change> = 4,
    }
}

table!(FavouriteBook, Users, Some(0xb4), UserId);
