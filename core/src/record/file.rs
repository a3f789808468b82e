//! Files of conversations, and the uploads that they come from.

use super::{Family, Table, number, table};
use crate::file::FileHash;
use crate::form::{DecodeError, record};
use crate::id::{ClientMessageId, ConversationId, Seq, Timestamp, UserId};

record! {
    "upload";
    /// An upload, also for a while after its last byte, so that a repeat finds its answer.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Upload {
        pub name: String = 1,
        pub claimed: String = 2,
        pub size: u64 = 3,
        /// Bytes that are kept.
        pub received: u64 = 4,
        /// Of its chunks.
        pub number: u64 = 5,
        /// Over the whole chunks until now.
        pub chain: Option<FileHash> = 6,
        pub media_type: String = 7,
        pub expected: Option<FileHash> = 8,
        pub expires: Timestamp = 9,
        /// With the last byte.
        pub file: Option<FileHash> = 10,
    }
}

record! {
    "file";
    /// A file whose chunks are complete.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct File {
        /// Of its chunks.
        pub number: u64 = 1,
        pub size: u64 = 2,
        pub name: String = 3,
        /// As the first bytes show it.
        pub media_type: String = 4,
        pub by: UserId = 5,
        pub time: Timestamp = 6,
        /// Events that refer to it.
        pub references: u64 = 7,
        /// The last event that referred to it: a member that sees it may read the file.
        pub seen_at: Seq = 8,
        /// When it is removed, unless something refers to it by then. Zero while something does.
        pub expires: Timestamp = 9,
        /// Scheduled messages that refer to it.
        pub held: u64 = 10,
        /// The head of the log when it became a file: no event up to it counts.
        pub from: Seq = 11,
    }
}

impl File {
    pub fn is_needed(&self) -> bool {
        self.references > 0 || self.held > 0
    }

    /// Whether this user, who sees events from `since` on, may read it: its uploader, a user that
    /// sees an event that refers to it, or one that knows its name before any event does.
    pub fn is_shown_to(&self, user: UserId, since: Seq) -> bool {
        match self.seen_at {
            _ if self.by == user => true,
            Seq::ZERO => true,
            seen_at => self.references > 0 && since <= seen_at,
        }
    }
}

record! {
    "file_usage";
    /// The room that uploads and files of a user in a conversation take; under user 0 those of all.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct FileUsage {
        /// Announced bytes of uploads, and bytes of files.
        pub bytes: u64 = 1,
        /// Uploads without their last byte.
        pub open: u32 = 2,
    }
}

table!(Upload, Conversations, Some(0x90), (ConversationId, UserId, ClientMessageId));
table!(File, Conversations, Some(0x91), (ConversationId, FileHash));
table!(FileUsage, Conversations, Some(0x92), (ConversationId, UserId));

/// The bytes of a chunk, as they are. The last chunk of an upload may grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk(pub Vec<u8>);

impl Table for Chunk {
    const FAMILY: Family = Family::Events;
    // No conversation in the key of an event begins with this byte.
    const TAG: Option<u8> = Some(0x93);
    /// The number of the chunks, and the place among them.
    type Key = (ConversationId, u64, u64);

    fn to_value(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn from_value(value: &[u8]) -> Result<Chunk, DecodeError> {
        Ok(Chunk(value.to_vec()))
    }
}

/// A small JPEG of an image, as it is; empty: the file has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview(pub Vec<u8>);

impl Table for Preview {
    const FAMILY: Family = Family::Events;
    // No conversation in the key of an event begins with this byte.
    const TAG: Option<u8> = Some(0x99);
    type Key = (ConversationId, FileHash);

    fn to_value(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn from_value(value: &[u8]) -> Result<Preview, DecodeError> {
        Ok(Preview(value.to_vec()))
    }
}

/// A message whose body is a file stands on the list of its conversation: the kind of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMessage(pub u64);

number!(FileMessage, Conversations, Some(0x9a), (ConversationId, Seq));

/// The hash of a whole chunk, apart from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHash(pub FileHash);

impl Table for ChunkHash {
    const FAMILY: Family = Family::Conversations;
    const TAG: Option<u8> = Some(0x94);
    type Key = (ConversationId, u64, u64);

    fn to_value(&self) -> Vec<u8> {
        self.0.0.to_vec()
    }

    fn from_value(value: &[u8]) -> Result<ChunkHash, DecodeError> {
        let hash = value.try_into().map(|hash| ChunkHash(FileHash(hash)));
        hash.map_err(|_| DecodeError::Invalid { field: "chunk_hash", why: "it must be 32 bytes" })
    }
}
