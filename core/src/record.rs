//! The rows of applied state. `troupe-store` and `troupe-proto` define their form on disk.

mod account;

use xxhash_rust::xxh3::xxh3_128;

use crate::event::Role;
use crate::id::{ClientMessageId, ConversationId, DeviceId, Seq, Slot, Timestamp, TokenHash, UserId};

pub use account::{AuditKey, AuditRow, Author, Invite, InviteId, Reservation, Standing, Status};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// As displayed; its folded form is the key of the name row.
    pub name: String,
    pub password_hash: String,
    pub created: Timestamp,
    /// The request that registered it, so that a repeat is answered alike.
    pub request: ClientMessageId,
    pub standing: Standing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub device: DeviceId,
    pub token: TokenHash,
    pub created: Timestamp,
    /// Its last recorded use, coarsely; zero: only its login.
    pub used: Timestamp,
}

impl Session {
    pub fn last_used(&self) -> Timestamp {
        self.used.max(self.created)
    }
}

/// One line of a user's conversation list. Kept with `present: false` after leaving, so that a late
/// row stays late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    pub conversation: ConversationId,
    pub present: bool,
    pub version: Seq,
    /// A direct conversation in which only the other user has written, who is still a stranger.
    /// False in rows of 74c331d.
    pub unanswered: bool,
}

/// A group that a stranger has added this user to. It is in no conversation list before the user
/// accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub conversation: ConversationId,
    /// The stranger.
    pub by: UserId,
    /// The event that added the user.
    pub version: Seq,
    pub created: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Groups only; empty otherwise.
    pub name: String,
    pub open: bool,
    pub head: Seq,
    /// Time of the event at `head`.
    pub time: Timestamp,
    /// Member rows. Only a group has them: the ends of a direct conversation are in its id, a
    /// channel is everyone's.
    pub members: u32,
    /// Members that are owners. Zero in a row of 74c331d: they are counted when the number is first
    /// needed.
    pub owners: u32,
    /// Running hash over all events, equal on every replica at the same head.
    pub chain: u64,
    pub created: Timestamp,
    /// Of a direct conversation: the lower, or the higher, of its users has written here. False in
    /// rows of 74c331d until that user's next message.
    pub low_wrote: bool,
    pub high_wrote: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub role: Role,
    /// The event that made them a member.
    pub since: Seq,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub delivered: Seq,
    pub read: Seq,
}

/// An outbox row is identified by its content, so that writing it twice has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxKey {
    /// Slot of the conversation that caused it.
    pub slot: Slot,
    pub conversation: ConversationId,
    pub version: Seq,
    pub user: UserId,
}

impl OutboxKey {
    /// The client message id with which the user leaves if its shard refuses the row: the same for
    /// every delivery of the row.
    pub fn refusal(&self) -> ClientMessageId {
        let mut named = *b"refused ........ ........";
        named[8..16].copy_from_slice(&self.version.0.to_be_bytes());
        named[17..].copy_from_slice(&self.user.0.to_be_bytes());
        ClientMessageId(xxh3_128(&named).to_be_bytes())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    pub key: OutboxKey,
    pub present: bool,
    /// The other user that caused it, if any.
    pub by: Option<UserId>,
}
