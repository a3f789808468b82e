//! The messages of `content.proto`, in the same bytes. A test of the protocol compares the two.

use bytes::Bytes;
use prost::Message;

/// A file in the cluster. It says how clients show the file before they fetch it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Attachment {
    /// 32 bytes: the SHA-256 of the file, and its name in the cluster.
    #[prost(bytes = "bytes", tag = "1")]
    pub hash: Bytes,
    #[prost(string, tag = "2")]
    pub name: String,
    /// In bytes.
    #[prost(uint64, tag = "3")]
    pub size: u64,
    /// Such as `image/png`.
    #[prost(string, tag = "4")]
    pub media_type: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Image {
    #[prost(message, optional, tag = "1")]
    pub file: Option<Attachment>,
    /// In pixels; zero: unknown.
    #[prost(uint32, tag = "2")]
    pub width: u32,
    #[prost(uint32, tag = "3")]
    pub height: u32,
    /// The hash of a small image in place of it; empty: none.
    #[prost(bytes = "bytes", tag = "4")]
    pub preview: Bytes,
    /// Text like that of a text message; empty: none.
    #[prost(string, tag = "5")]
    pub caption: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Voice {
    #[prost(message, optional, tag = "1")]
    pub file: Option<Attachment>,
    #[prost(uint64, tag = "2")]
    pub duration_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Video {
    #[prost(message, optional, tag = "1")]
    pub file: Option<Attachment>,
    #[prost(uint32, tag = "2")]
    pub width: u32,
    #[prost(uint32, tag = "3")]
    pub height: u32,
    #[prost(bytes = "bytes", tag = "4")]
    pub preview: Bytes,
    #[prost(string, tag = "5")]
    pub caption: String,
    #[prost(uint64, tag = "6")]
    pub duration_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct File {
    #[prost(message, optional, tag = "1")]
    pub file: Option<Attachment>,
    #[prost(string, tag = "2")]
    pub caption: String,
}

/// An image of a set that clients have, or of a file.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Sticker {
    /// The set and the sticker in it, by names that clients choose.
    #[prost(string, tag = "1")]
    pub set: String,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub file: Option<Attachment>,
}

/// One emoji, shown large.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Emoji {
    #[prost(string, tag = "1")]
    pub emoji: String,
}

/// Points to a user or to a group. It lets no one in.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Card {
    /// Zero: it is the card of a group.
    #[prost(uint64, tag = "1")]
    pub user: u64,
    /// `g<id>`; empty: it is the card of a user.
    #[prost(string, tag = "2")]
    pub group: String,
    /// The name as the sender knows it.
    #[prost(string, tag = "3")]
    pub name: String,
}

/// In ten-millionths of a degree, which are about a centimetre.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Location {
    #[prost(int64, tag = "1")]
    pub latitude_e7: i64,
    #[prost(int64, tag = "2")]
    pub longitude_e7: i64,
    #[prost(string, tag = "3")]
    pub name: String,
}

/// Content of an application, under a name that it chooses.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Custom {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
}

/// A text that clients show apart from what members say.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Notice {
    #[prost(string, tag = "1")]
    pub text: String,
}

/// A question with options, for which members vote.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Poll {
    #[prost(string, tag = "1")]
    pub question: String,
    #[prost(string, repeated, tag = "2")]
    pub options: Vec<String>,
    /// A vote may name several options.
    #[prost(bool, tag = "3")]
    pub multiple: bool,
    /// The log does not say who has voted for which option.
    #[prost(bool, tag = "4")]
    pub anonymous: bool,
    /// The time at which it closes by itself; zero: it does not.
    #[prost(uint64, tag = "5")]
    pub ends_ms: u64,
}

/// Copies of messages of a conversation, as their forwarder saw them.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Bundle {
    /// Their conversation.
    #[prost(string, tag = "1")]
    pub from: String,
    #[prost(message, repeated, tag = "2")]
    pub messages: Vec<Bundled>,
}

/// A message of a bundle, in its present state.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Bundled {
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    #[prost(uint64, tag = "2")]
    pub sender: u64,
    #[prost(uint64, tag = "3")]
    pub time_ms: u64,
    #[prost(uint32, tag = "4")]
    pub kind: u32,
    #[prost(bytes = "bytes", tag = "5")]
    pub content: Bytes,
}
