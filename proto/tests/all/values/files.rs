//! Strategies for the commands of uploads.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use troupe_core::command::{CancelUpload, CreateUpload, WriteChunk};
use troupe_core::{Command, FileHash};

use super::{conversation, message_id, number, text, user};

fn file_hash() -> impl Strategy<Value = FileHash> {
    any::<[u8; 32]>().prop_map(FileHash)
}

pub fn command() -> impl Strategy<Value = Command> {
    let of = || (conversation(), user(), message_id());
    prop_oneof![
        (of(), text(), text(), number(), option::of(file_hash())).prop_map(|(of, name, claimed, size, expected)| {
            let (conversation, owner, upload) = of;
            Command::from(CreateUpload { conversation, owner, upload, name, claimed, size, expected })
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
