//! The answer to a command, the same on every replica.

use crate::error::Rejection;
use crate::file::FileHash;
use crate::id::{ConversationId, GroupId, Seq, Timestamp, TokenHash, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Registered {
        user: UserId,
    },
    /// `replaced`: the session of the same device that this login ended.
    SessionOpened {
        replaced: Option<TokenHash>,
    },
    SessionClosed {
        closed: Option<TokenHash>,
    },
    /// The place of a message or of a group's change; `duplicate` if it was there already.
    Placed {
        seq: Seq,
        time: Timestamp,
        duplicate: bool,
    },
    GroupCreated {
        group: GroupId,
    },
    /// The end of the log after an import, which has placed so many events and found the others.
    Imported {
        conversation: ConversationId,
        head: Seq,
        placed: u64,
    },
    /// Whether the session continues.
    SessionTouched {
        open: bool,
    },
    /// The time at which a message is placed; `duplicate` if it was scheduled already.
    Scheduled {
        at: Timestamp,
        duplicate: bool,
    },
    /// Work that was due by the log's time.
    DueDone {
        done: u32,
    },
    /// The state of an upload; `file` once it is whole.
    Upload {
        received: u64,
        size: u64,
        file: Option<FileHash>,
        expires: Timestamp,
    },
    /// The room of a user's files over all conversations, with a reservation until a time.
    Room {
        bytes: u64,
        reserved: u64,
        until: Timestamp,
    },
    Done,
    /// Was not applied and never will be.
    Rejected(Rejection),
}
