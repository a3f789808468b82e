//! Lines of a bundle besides events: files, members, positions, and the end of a conversation.

use serde::{Deserialize, Serialize};

use super::RoleWord;

/// A file of the conversation, whose bytes are in the folder `files` under its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileLine {
    /// 64 digits in hex: a chain over its chunks, as in `troupe_core::file`.
    pub hash: String,
    pub name: String,
    pub media_type: String,
    pub size: u64,
    /// The sender of the next event, which refers to it.
    pub by: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub user: String,
    pub role: RoleWord,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    pub user: String,
    pub delivered: u64,
    pub read: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    pub head: u64,
}
