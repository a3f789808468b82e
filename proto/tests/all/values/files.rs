//! Strategies for the commands of uploads.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use troupe_core::command::{
    CancelUpload, CreateUpload, HearRoom, KeepPreview, ReserveRoom, SettleRooms, SettledRoom, WriteChunk,
};
use troupe_core::{Command, FileHash, Timestamp};

use super::{conversation, message_id, number, slot, text, user};

fn file_hash() -> impl Strategy<Value = FileHash> {
    any::<[u8; 32]>().prop_map(FileHash)
}

pub fn command() -> impl Strategy<Value = Command> {
    let of = || (conversation(), user(), message_id());
    prop_oneof![
        (of(), text(), text(), (number(), number()), option::of(file_hash())).prop_map(
            |(of, name, claimed, (size, until), expected)| {
                let ((conversation, owner, upload), reserved_until) = (of, Timestamp(until));
                Command::from(CreateUpload {
                    conversation,
                    owner,
                    upload,
                    name,
                    claimed,
                    size,
                    expected,
                    reserved_until,
                })
            }
        ),
        (of(), number(), number()).prop_map(|((conversation, user, _), bytes, most)| {
            ReserveRoom { user, conversation, bytes, most }.into()
        }),
        (of(), number(), number(), vec(number().prop_map(Timestamp), 0..4)).prop_map(
            |((conversation, user, _), version, bytes, reserved)| {
                HearRoom { user, conversation, version, bytes, reserved }.into()
            }
        ),
        (conversation(), file_hash(), vec(any::<u8>(), 0..40)).prop_map(|(conversation, file, content)| {
            KeepPreview { conversation, file, content: content.into() }.into()
        }),
        (slot(), vec((of(), number()), 0..4)).prop_map(|(slot, rows)| {
            let row = |((conversation, user, _), version)| SettledRoom { conversation, user, version };
            Command::SettleRooms(SettleRooms { slot, rows: rows.into_iter().map(row).collect() })
        }),
        (of(), number(), vec(any::<u8>(), 0..40), text()).prop_map(|(of, offset, bytes, media_type)| {
            let (conversation, owner, upload) = of;
            Command::from(WriteChunk { conversation, owner, upload, offset, bytes: bytes.into(), media_type })
        }),
        of().prop_map(|(conversation, owner, upload)| {
            Command::CancelUpload(CancelUpload { conversation, owner, upload })
        }),
    ]
}
