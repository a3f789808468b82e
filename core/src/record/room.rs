//! The room that the files of a user take over all conversations.

use super::table;
use crate::form::record;
use crate::id::{ConversationId, Timestamp, UserId};

record! {
    "owed_room";
    /// The shard of the user has not heard how much room the user takes in this conversation.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct OwedRoom {
        /// Of the newest change; later ones are larger.
        pub version: u64 = 1,
        /// Of uploads that were taken since: the ends of their reservations, which are over.
        pub reserved: Vec<Timestamp> = 2,
    }
}

record! {
    "room";
    /// The room of a user over all conversations.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Room {
        /// Of files and uploads, as their shards have said.
        pub bytes: u64 = 1,
        /// For uploads whose shard has not said so.
        pub reserved: u64 = 2,
        /// The number of those uploads.
        pub reservations: u32 = 3,
        /// The end of the newest reservation. Each has another end, which names it.
        pub last: Timestamp = 4,
    }
}

record! {
    "room_used";
    /// The room of a user in one conversation. It stays when it is zero, so that a late word of its
    /// shard changes nothing.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct RoomUsed {
        pub bytes: u64 = 1,
        pub version: u64 = 2,
    }
}

record! {
    "room_reserved";
    /// Room for an upload that is on its way to the shard of its conversation.
    /// That shard takes the upload until the time in the key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RoomReserved {
        pub bytes: u64 = 1,
    }
}

table!(OwedRoom, Conversations, Some(0x95), (ConversationId, UserId));
table!(Room, Users, Some(0x96), UserId);
table!(RoomUsed, Users, Some(0x97), (UserId, ConversationId));
table!(RoomReserved, Users, Some(0x98), (UserId, ConversationId, Timestamp));
