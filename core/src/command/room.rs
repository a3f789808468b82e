//! The room of a user's files over all conversations: reserved in the slot of the user before an
//! upload, and reported by the slots of conversations.

use crate::id::{ConversationId, Slot, Timestamp, UserId};

/// In the slot of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReserveRoom {
    pub user: UserId,
    pub conversation: ConversationId,
    pub bytes: u64,
    /// The room that the cluster gives each user.
    pub most: u64,
}

/// In the slot of the user: the room that it takes in a conversation, as that shard has it. Applied
/// only if `version` is above the one held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HearRoom {
    pub user: UserId,
    pub conversation: ConversationId,
    pub version: u64,
    pub bytes: u64,
    /// The ends of reservations whose uploads are in these bytes.
    pub reserved: Vec<Timestamp>,
}

/// In a slot of conversations: the shards of the users have committed these versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleRooms {
    pub slot: Slot,
    pub rows: Vec<SettledRoom>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledRoom {
    pub conversation: ConversationId,
    pub user: UserId,
    pub version: u64,
}
