//! Uploads, from their announcement to the file.

use bytes::Bytes;

use crate::file::FileHash;
use crate::id::{ClientMessageId, ConversationId, Timestamp, UserId};

/// Announces a file of a conversation. A repeat with the same `upload` finds the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateUpload {
    pub conversation: ConversationId,
    pub owner: UserId,
    pub upload: ClientMessageId,
    pub name: String,
    /// The media type that the owner claims.
    pub claimed: String,
    pub size: u64,
    /// The name that the file must get, if the owner knows it already.
    pub expected: Option<FileHash>,
    /// Its bytes are reserved in the slot of the owner until then. Zero: they are not.
    pub reserved_until: Timestamp,
}

/// Continues an upload. The bytes stay within one chunk. A repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteChunk {
    pub conversation: ConversationId,
    pub owner: UserId,
    pub upload: ClientMessageId,
    pub offset: u64,
    pub bytes: Bytes,
    /// The media type that the first bytes show; empty elsewhere. The proposer finds it, so that
    /// replicas of all versions agree.
    pub media_type: String,
}

/// A preview of an image, made outside. The first of a file stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepPreview {
    pub conversation: ConversationId,
    pub file: FileHash,
    /// A JPEG; empty: the file has none.
    pub content: Bytes,
}

/// Ends an upload. A file that has come of it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelUpload {
    pub conversation: ConversationId,
    pub owner: UserId,
    pub upload: ClientMessageId,
}
