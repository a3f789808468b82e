//! Commands of uploads.

use bytes::Bytes;
use troupe_core::command::{CancelUpload, CreateUpload, KeepPreview, WriteChunk};
use troupe_core::{Timestamp, UserId};

use crate::field;
use crate::wire::record as wire;
use troupe_core::form::DecodeError;

impl From<&CreateUpload> for wire::CreateUpload {
    fn from(c: &CreateUpload) -> Self {
        wire::CreateUpload {
            conversation: c.conversation.to_string(),
            owner: c.owner.0,
            upload: Bytes::copy_from_slice(&c.upload.0),
            name: c.name.clone(),
            claimed: c.claimed.clone(),
            size: c.size,
            expected: c.expected.map(|hash| Bytes::copy_from_slice(&hash.0)).unwrap_or_default(),
            reserved_until: c.reserved_until.0,
        }
    }
}

impl TryFrom<wire::CreateUpload> for CreateUpload {
    type Error = DecodeError;

    fn try_from(c: wire::CreateUpload) -> Result<Self, DecodeError> {
        Ok(CreateUpload {
            conversation: field::conversation("create_upload.conversation", &c.conversation)?,
            owner: UserId(c.owner),
            upload: field::client_message_id("create_upload.upload", &c.upload)?,
            name: c.name,
            claimed: c.claimed,
            size: c.size,
            expected: match &c.expected[..] {
                [] => None,
                bytes => Some(field::file_hash("create_upload.expected", bytes)?),
            },
            reserved_until: Timestamp(c.reserved_until),
        })
    }
}

impl From<&WriteChunk> for wire::WriteChunk {
    fn from(c: &WriteChunk) -> Self {
        wire::WriteChunk {
            conversation: c.conversation.to_string(),
            owner: c.owner.0,
            upload: Bytes::copy_from_slice(&c.upload.0),
            offset: c.offset,
            content: c.bytes.clone(),
            media_type: c.media_type.clone(),
        }
    }
}

impl TryFrom<wire::WriteChunk> for WriteChunk {
    type Error = DecodeError;

    fn try_from(c: wire::WriteChunk) -> Result<Self, DecodeError> {
        Ok(WriteChunk {
            conversation: field::conversation("write_chunk.conversation", &c.conversation)?,
            owner: UserId(c.owner),
            upload: field::client_message_id("write_chunk.upload", &c.upload)?,
            offset: c.offset,
            bytes: c.content,
            media_type: c.media_type,
        })
    }
}

impl From<&CancelUpload> for wire::CancelUpload {
    fn from(c: &CancelUpload) -> Self {
        wire::CancelUpload {
            conversation: c.conversation.to_string(),
            owner: c.owner.0,
            upload: Bytes::copy_from_slice(&c.upload.0),
        }
    }
}

impl TryFrom<wire::CancelUpload> for CancelUpload {
    type Error = DecodeError;

    fn try_from(c: wire::CancelUpload) -> Result<Self, DecodeError> {
        Ok(CancelUpload {
            conversation: field::conversation("cancel_upload.conversation", &c.conversation)?,
            owner: UserId(c.owner),
            upload: field::client_message_id("cancel_upload.upload", &c.upload)?,
        })
    }
}

impl From<&KeepPreview> for wire::KeepPreview {
    fn from(c: &KeepPreview) -> Self {
        wire::KeepPreview {
            conversation: c.conversation.to_string(),
            file: Bytes::copy_from_slice(&c.file.0),
            content: c.content.clone(),
        }
    }
}

impl TryFrom<wire::KeepPreview> for KeepPreview {
    type Error = DecodeError;

    fn try_from(c: wire::KeepPreview) -> Result<Self, DecodeError> {
        Ok(KeepPreview {
            conversation: field::conversation("keep_preview.conversation", &c.conversation)?,
            file: field::file_hash("keep_preview.file", &c.file)?,
            content: c.content,
        })
    }
}
