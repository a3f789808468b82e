//! Entries of a conversation's log.

use crate::id::{ClientMessageId, Seq, Timestamp, UserId};

/// One entry of a conversation's log, the same for every observer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub seq: Seq,
    /// Stamped by the leader; never less than the event before.
    pub time: Timestamp,
    /// Who caused it.
    pub sender: UserId,
    /// The id the sending device gave it; the key of exactly once.
    pub client_message_id: ClientMessageId,
    pub kind: EventKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    Message(Body),
    /// The conversation was created by the sender; always seq 1 of a group.
    Created { name: String },
    Renamed { name: String },
    /// Added by the sender, or joined by themselves where the group is open.
    Added { users: Vec<UserId> },
    /// Removed by the sender, or left by themselves. Nothing after this seq is delivered to `user`.
    Removed { user: UserId },
    RoleChanged { user: UserId, role: Role },
}

/// What a message carries. `kind` 1 is text; other numbers are kept and handed on as they are, so that a client skips
/// what it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub kind: u32,
    pub content: Vec<u8>,
}

impl Body {
    pub const TEXT: u32 = 1;

    pub fn text(text: &str) -> Body {
        Body { kind: Body::TEXT, content: text.as_bytes().to_vec() }
    }

    pub fn as_text(&self) -> Option<&str> {
        if self.kind == Body::TEXT { std::str::from_utf8(&self.content).ok() } else { None }
    }
}

/// Ordered by power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Member,
    Admin,
    Owner,
}
