//! The room of a user's files over all conversations.
//!
//! Each conversation counts the bytes of its members, and the shard of the user holds the sum: an
//! account with many groups has the room of one account. An upload reserves its bytes there first,
//! and its conversation takes it only while the reservation lasts. The conversation then reports
//! its count by the outbox, as a state with a version: repeats and late words change nothing. The
//! report names the reservations whose uploads it contains, so that a byte may count twice for a
//! moment, and is never missed. A reservation ends by time where no report names it: no upload
//! came, or its report is late by two minutes, and the user may take this room once more.

use super::{Outcome, Step, somebody};
use crate::command::{HearRoom, ReserveRoom, SettleRooms};
use crate::effect::Effect;
use crate::error::{Refused, Rejection};
use crate::id::{ConversationId, Timestamp, UserId};
use crate::limits;
use crate::planted::Bug;
use crate::record::{Counter, OwedRoom, Room, RoomReserved, RoomUsed, Work};
use crate::reply::Reply;
use crate::state::Rows;

pub const FILES_QUOTA: Refused = Refused {
    code: "files_quota",
    text: "your files in all conversations take all the room that you may use: recall some, or ask an administrator",
};
const RESERVATION_OVER: Refused =
    Refused { code: "reservation_over", text: "the upload came too late to its conversation: announce it again" };
const TOO_MANY_RESERVATIONS: Refused = Refused {
    code: "too_many_reservations",
    text: "you announce more uploads than are taken: wait two minutes, and announce fewer at once",
};
pub const REFUSALS: &[Refused] = &[FILES_QUOTA, RESERVATION_OVER, TOO_MANY_RESERVATIONS];

/// When the row of a reservation goes: behind all times at which its upload is taken, also by a
/// clock that is behind.
fn end_of(until: Timestamp) -> Timestamp {
    Timestamp(until.0.saturating_add(limits::ROOM_GRACE_MS))
}

impl Step<'_> {
    /// A repeat reserves once more: the conversation may have taken the upload, or another one of
    /// the same id, and only its report tells.
    pub(super) fn reserve_room(&mut self, c: &ReserveRoom) -> Outcome {
        somebody(c.user)?;
        let room = self.state.get::<Room>(&c.user).unwrap_or_default();
        let reserved = room.reserved.saturating_add(c.bytes);
        if room.bytes.saturating_add(reserved) > c.most {
            return Err(FILES_QUOTA.into());
        }
        if room.reservations >= limits::ROOM_RESERVATIONS {
            return Err(TOO_MANY_RESERVATIONS.into());
        }
        let end = self.now.0.saturating_add(limits::ROOM_RESERVED_MS);
        let until = Timestamp(end.max(room.last.0.saturating_add(1)));
        self.plan(end_of(until), Work::Room { user: c.user, conversation: c.conversation, until });
        self.state.put(&(c.user, c.conversation, until), &RoomReserved { bytes: c.bytes });
        let reservations = room.reservations.saturating_add(1);
        self.state.put(&c.user, &Room { reserved, reservations, last: until, ..room });
        Ok(Reply::Room { bytes: room.bytes, reserved, until })
    }

    /// The bytes of the upload are counted by its conversation now, or by nothing.
    pub(super) fn release_room(&mut self, user: UserId, conversation: ConversationId, until: Timestamp) {
        let key = (user, conversation, until);
        let Some(held) = self.state.get::<RoomReserved>(&key) else { return };
        self.state.delete::<RoomReserved>(&key);
        self.unplan(end_of(until), Work::Room { user, conversation, until });
        let room = self.state.get::<Room>(&user).unwrap_or_default();
        let reserved = room.reserved.saturating_sub(held.bytes);
        let reservations = room.reservations.saturating_sub(1);
        self.state.put(&user, &Room { reserved, reservations, ..room });
    }

    pub(super) fn hear_room(&mut self, c: &HearRoom) -> Outcome {
        let key = (c.user, c.conversation);
        let held = self.state.get::<RoomUsed>(&key).unwrap_or_default();
        if c.version > held.version {
            let bytes = if self.planted(Bug::RoomNotFreed) { c.bytes.max(held.bytes) } else { c.bytes };
            let room = self.state.get::<Room>(&c.user).unwrap_or_default();
            let sum = room.bytes.saturating_sub(held.bytes).saturating_add(bytes);
            self.state.put(&c.user, &Room { bytes: sum, ..room });
            self.state.put(&key, &RoomUsed { bytes, version: c.version });
        }
        for until in &c.reserved {
            self.release_room(c.user, c.conversation, *until);
        }
        Ok(Reply::Done)
    }

    /// The user's shard is owed the count of this conversation, with the end of a reservation whose
    /// upload it contains.
    pub(super) fn owe_room(&mut self, conversation: ConversationId, user: UserId, reserved: Option<Timestamp>) {
        let key = (conversation, user);
        let slot = conversation.slot();
        let mut owed = self.state.get::<OwedRoom>(&key).unwrap_or_default();
        // A row that comes again has a later version than all before it.
        let Counter(last) = self.state.get(&slot).unwrap_or(Counter(0));
        owed.version = last.saturating_add(1);
        self.state.put(&slot, &Counter(owed.version));
        // More than these end by time.
        if owed.reserved.len() < limits::ROOM_RESERVATIONS as usize {
            owed.reserved.extend(reserved.filter(|until| until.0 > 0 && !owed.reserved.contains(until)));
        }
        self.state.put(&key, &owed);
        let filled = Effect::OutboxFilled { slot };
        if !self.effects.contains(&filled) {
            self.effects.push(filled);
        }
    }

    pub(super) fn settle_rooms(&mut self, c: &SettleRooms) -> Outcome {
        for row in c.rows.iter().filter(|row| row.conversation.slot() == c.slot) {
            let key = (row.conversation, row.user);
            // A later version is owed still.
            if self.state.get::<OwedRoom>(&key).is_some_and(|owed| owed.version <= row.version) {
                self.state.delete::<OwedRoom>(&key);
            }
        }
        Ok(Reply::Done)
    }

    /// Whether an upload may begin that has room until then.
    pub(super) fn has_room(&self, until: Timestamp) -> Result<(), Rejection> {
        match until {
            Timestamp(0) => Err(FILES_QUOTA.into()),
            until if until < self.now => Err(RESERVATION_OVER.into()),
            _ => Ok(()),
        }
    }
}
