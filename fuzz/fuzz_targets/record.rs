//! Rows, commands and batches: what decodes has a form that decodes to the same.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use troupe_core::form::Record as Row;
use troupe_core::{Command, Event};
use troupe_core::record::{
    AuditRow, Conversation, Cursor, File, FileUsage, InboxEntry, Invite, Member, OutboxRow, OwedRoom,
    Reservation, Room, RoomReserved, RoomUsed, Session, Upload, User,
};
use troupe_proto::{Record, StampedBatch};

fuzz_target!(|data: &[u8]| {
    if let Ok(value) = Command::decode(data) {
        assert_eq!(Command::decode(&value.encode()), Ok(value));
    }
    if let Ok(value) = StampedBatch::decode(data) {
        assert_eq!(StampedBatch::decode(&value.encode()), Ok(value));
    }
    settled::<Event>(data);
    settled::<User>(data);
    settled::<Session>(data);
    settled::<InboxEntry>(data);
    settled::<Conversation>(data);
    settled::<Member>(data);
    settled::<Cursor>(data);
    settled::<OutboxRow>(data);
    settled::<AuditRow>(data);
    settled::<Invite>(data);
    settled::<Reservation>(data);
    settled::<Upload>(data);
    settled::<File>(data);
    settled::<FileUsage>(data);
    settled::<OwedRoom>(data);
    settled::<Room>(data);
    settled::<RoomUsed>(data);
    settled::<RoomReserved>(data);
});

fn settled<T: Row + PartialEq + Debug>(data: &[u8]) {
    if let Ok(value) = T::decode(data) {
        assert_eq!(T::decode(&value.encode()), Ok(value));
    }
}
