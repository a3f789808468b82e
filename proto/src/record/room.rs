//! Commands of the room of a user's files.

use troupe_core::command::{HearRoom, ReserveRoom, SettleRooms, SettledRoom};
use troupe_core::form::DecodeError;
use troupe_core::{Timestamp, UserId};

use crate::field;
use crate::wire::record as wire;

impl From<&ReserveRoom> for wire::ReserveRoom {
    fn from(c: &ReserveRoom) -> Self {
        wire::ReserveRoom { user: c.user.0, conversation: c.conversation.to_string(), bytes: c.bytes, most: c.most }
    }
}

impl TryFrom<wire::ReserveRoom> for ReserveRoom {
    type Error = DecodeError;

    fn try_from(c: wire::ReserveRoom) -> Result<Self, DecodeError> {
        Ok(ReserveRoom {
            user: UserId(c.user),
            conversation: field::conversation("reserve_room.conversation", &c.conversation)?,
            bytes: c.bytes,
            most: c.most,
        })
    }
}

impl From<&HearRoom> for wire::HearRoom {
    fn from(c: &HearRoom) -> Self {
        wire::HearRoom {
            user: c.user.0,
            conversation: c.conversation.to_string(),
            version: c.version,
            bytes: c.bytes,
            reserved: c.reserved.iter().map(|until| until.0).collect(),
        }
    }
}

impl TryFrom<wire::HearRoom> for HearRoom {
    type Error = DecodeError;

    fn try_from(c: wire::HearRoom) -> Result<Self, DecodeError> {
        Ok(HearRoom {
            user: UserId(c.user),
            conversation: field::conversation("hear_room.conversation", &c.conversation)?,
            version: c.version,
            bytes: c.bytes,
            reserved: c.reserved.into_iter().map(Timestamp).collect(),
        })
    }
}

impl From<&SettleRooms> for wire::SettleRooms {
    fn from(c: &SettleRooms) -> Self {
        let row = |row: &SettledRoom| {
            let SettledRoom { conversation, user, version } = *row;
            wire::SettledRoom { conversation: conversation.to_string(), user: user.0, version }
        };
        wire::SettleRooms { slot: c.slot.0.into(), rows: c.rows.iter().map(row).collect() }
    }
}

impl TryFrom<wire::SettleRooms> for SettleRooms {
    type Error = DecodeError;

    fn try_from(c: wire::SettleRooms) -> Result<Self, DecodeError> {
        let row = |row: wire::SettledRoom| {
            let wire::SettledRoom { conversation, user, version } = row;
            let conversation = field::conversation("settle_rooms.conversation", &conversation)?;
            Ok(SettledRoom { conversation, user: UserId(user), version })
        };
        let slot = field::slot("settle_rooms.slot", c.slot)?;
        Ok(SettleRooms { slot, rows: c.rows.into_iter().map(row).collect::<Result<_, DecodeError>>()? })
    }
}
