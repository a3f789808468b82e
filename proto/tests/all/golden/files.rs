//! Golden bytes of files and uploads.

use bytes::Bytes;
use troupe_core::command::{
    CancelUpload, CreateUpload, HearRoom, KeepPreview, ReserveRoom, SettleRooms, SettledRoom, WriteChunk,
};
use troupe_core::record::{File, FileUsage, OwedRoom, Room, RoomReserved, RoomUsed, Upload};
use troupe_core::{Command, FileHash, Seq, Timestamp};

use super::{ALICE, DIRECT, ID, NOW, record};

const HASH: FileHash = FileHash([0xe5; 32]);

#[test]
fn rows_of_files() {
    let upload = Upload {
        name: "cat.png".into(),
        claimed: "image/png".into(),
        size: 70_000,
        received: 65_536,
        number: 77,
        chain: Some(HASH),
        media_type: "image/png".into(),
        expected: None,
        expires: NOW,
        file: None,
    };
    let whole = Upload { received: 70_000, expected: Some(HASH), file: Some(HASH), ..upload.clone() };
    record("upload", &[("upload", upload), ("whole", whole)]);
    let file = File {
        number: 77,
        size: 70_000,
        name: "cat.png".into(),
        media_type: "image/png".into(),
        by: ALICE,
        time: NOW,
        references: 0,
        seen_at: Seq(0),
        expires: NOW,
        held: 0,
        from: Seq(0),
    };
    let scheduled = File { held: 1, from: Seq(290), expires: Timestamp(0), ..file.clone() };
    let referred = File { references: 2, seen_at: Seq(300), expires: Timestamp(0), ..file.clone() };
    record("file", &[("file", file), ("referred", referred), ("scheduled", scheduled)]);
    let owed = OwedRoom { version: 9, reserved: vec![NOW, Timestamp(NOW.0 + 1)] };
    record("owed_room", &[("owed_room", owed)]);
    record("room", &[("room", Room { bytes: 70_000, reserved: 5, reservations: 1, last: NOW })]);
    record("room_used", &[("room_used", RoomUsed { bytes: 70_000, version: 9 })]);
    record("room_reserved", &[("room_reserved", RoomReserved { bytes: 5 })]);
    record("file_usage", &[("file_usage", FileUsage { bytes: 70_000, open: 1 })]);
}

#[test]
fn commands_of_files() {
    let (conversation, owner, upload) = (DIRECT, ALICE, ID);
    let create = |expected, reserved_until| {
        let (name, claimed) = ("cat.png".into(), "image/png".into());
        let size = 70_000;
        Command::from(CreateUpload { conversation, owner, upload, name, claimed, size, expected, reserved_until })
    };
    let chunk = |offset, media_type: &str| {
        let (bytes, media_type) = (Bytes::from_static(&[0, 1, 255]), media_type.into());
        Command::from(WriteChunk { conversation, owner, upload, offset, bytes, media_type })
    };
    let commands = [
        ("create_upload", create(None, Timestamp(0))),
        ("create_expected", create(Some(HASH), Timestamp(0))),
        ("write_first", chunk(0, "image/png")),
        ("write_chunk", chunk(65_536, "")),
        ("cancel_upload", Command::CancelUpload(CancelUpload { conversation, owner, upload })),
    ];
    record("file_command", &commands);
    let version = 9;
    let rows = vec![SettledRoom { conversation, user: owner, version }];
    let commands = [
        ("create_with_room", create(None, NOW)),
        ("reserve_room", ReserveRoom { user: owner, conversation, bytes: 5, most: 70_000 }.into()),
        ("hear_room", HearRoom { user: owner, conversation, version, bytes: 5, reserved: vec![NOW] }.into()),
        ("keep_preview", KeepPreview { conversation, file: HASH, content: Bytes::from_static(&[255, 216]) }.into()),
        ("settle_rooms", Command::SettleRooms(SettleRooms { slot: owner.slot(), rows })),
    ];
    record("room_command", &commands);
}
