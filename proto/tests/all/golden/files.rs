//! Golden bytes of files and uploads.

use bytes::Bytes;
use troupe_core::command::{CancelUpload, CreateUpload, WriteChunk};
use troupe_core::record::{File, FileUsage, Upload};
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
    };
    let referred = File { references: 2, seen_at: Seq(300), expires: Timestamp(0), ..file.clone() };
    record("file", &[("file", file), ("referred", referred)]);
    record("file_usage", &[("file_usage", FileUsage { bytes: 70_000, open: 1 })]);
}

#[test]
fn commands_of_files() {
    let (conversation, owner, upload) = (DIRECT, ALICE, ID);
    let create = |expected| {
        let (name, claimed) = ("cat.png".into(), "image/png".into());
        Command::from(CreateUpload { conversation, owner, upload, name, claimed, size: 70_000, expected })
    };
    let chunk = |offset, media_type: &str| {
        let (bytes, media_type) = (Bytes::from_static(&[0, 1, 255]), media_type.into());
        Command::from(WriteChunk { conversation, owner, upload, offset, bytes, media_type })
    };
    let commands = [
        ("create_upload", create(None)),
        ("create_expected", create(Some(HASH))),
        ("write_first", chunk(0, "image/png")),
        ("write_chunk", chunk(65_536, "")),
        ("cancel_upload", Command::CancelUpload(CancelUpload { conversation, owner, upload })),
    ];
    record("file_command", &commands);
}
