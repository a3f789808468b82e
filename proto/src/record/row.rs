//! The rows of applied state.

use bytes::Bytes;
use troupe_core::event::Role;
use troupe_core::record::{Conversation, Cursor, InboxEntry, Invitation, Member, OutboxKey, OutboxRow, Session, User};
use troupe_core::{Seq, Timestamp, UserId};

use super::account::{standing_in, standing_out};
use crate::error::DecodeError;
use crate::field;
use crate::wire::record as wire;

impl From<&User> for wire::User {
    fn from(user: &User) -> Self {
        wire::User {
            id: user.id.0,
            name: user.name.clone(),
            password_hash: user.password_hash.clone(),
            created_ms: user.created.0,
            request: Bytes::copy_from_slice(&user.request.0),
            standing: standing_out(&user.standing),
        }
    }
}

impl TryFrom<wire::User> for User {
    type Error = DecodeError;

    fn try_from(user: wire::User) -> Result<Self, DecodeError> {
        Ok(User {
            id: UserId(user.id),
            name: user.name,
            password_hash: user.password_hash,
            created: Timestamp(user.created_ms),
            request: field::client_message_id("user.request", &user.request)?,
            standing: standing_in(user.standing)?,
        })
    }
}

impl From<&Session> for wire::Session {
    fn from(session: &Session) -> Self {
        wire::Session {
            device: session.device.as_str().to_owned(),
            token_hash: Bytes::copy_from_slice(&session.token.0),
            created_ms: session.created.0,
            used_ms: session.used.0,
        }
    }
}

impl TryFrom<wire::Session> for Session {
    type Error = DecodeError;

    fn try_from(session: wire::Session) -> Result<Self, DecodeError> {
        Ok(Session {
            device: field::device("session.device", &session.device)?,
            token: field::token_hash("session.token_hash", &session.token_hash)?,
            created: Timestamp(session.created_ms),
            used: Timestamp(session.used_ms),
        })
    }
}

impl From<&InboxEntry> for wire::InboxEntry {
    fn from(entry: &InboxEntry) -> Self {
        wire::InboxEntry {
            conversation: entry.conversation.to_string(),
            present: entry.present,
            version: entry.version.0,
            unanswered: entry.unanswered,
        }
    }
}

impl TryFrom<wire::InboxEntry> for InboxEntry {
    type Error = DecodeError;

    fn try_from(entry: wire::InboxEntry) -> Result<Self, DecodeError> {
        Ok(InboxEntry {
            conversation: field::conversation("inbox_entry.conversation", &entry.conversation)?,
            present: entry.present,
            version: Seq(entry.version),
            unanswered: entry.unanswered,
        })
    }
}

impl From<&Invitation> for wire::Invitation {
    fn from(invitation: &Invitation) -> Self {
        wire::Invitation {
            conversation: invitation.conversation.to_string(),
            by: invitation.by.0,
            version: invitation.version.0,
            created_ms: invitation.created.0,
        }
    }
}

impl TryFrom<wire::Invitation> for Invitation {
    type Error = DecodeError;

    fn try_from(invitation: wire::Invitation) -> Result<Self, DecodeError> {
        Ok(Invitation {
            conversation: field::conversation("invitation.conversation", &invitation.conversation)?,
            by: UserId(invitation.by),
            version: Seq(invitation.version),
            created: Timestamp(invitation.created_ms),
        })
    }
}

impl From<&Conversation> for wire::Conversation {
    fn from(row: &Conversation) -> Self {
        wire::Conversation {
            name: row.name.clone(),
            open: row.open,
            head: row.head.0,
            time_ms: row.time.0,
            members: row.members,
            chain: row.chain,
            created_ms: row.created.0,
            owners: row.owners,
            low_wrote: row.low_wrote,
            high_wrote: row.high_wrote,
        }
    }
}

impl TryFrom<wire::Conversation> for Conversation {
    type Error = DecodeError;

    fn try_from(row: wire::Conversation) -> Result<Self, DecodeError> {
        Ok(Conversation {
            name: row.name,
            open: row.open,
            head: Seq(row.head),
            time: Timestamp(row.time_ms),
            members: row.members,
            chain: row.chain,
            created: Timestamp(row.created_ms),
            owners: row.owners,
            low_wrote: row.low_wrote,
            high_wrote: row.high_wrote,
        })
    }
}

impl From<&Member> for wire::Member {
    fn from(member: &Member) -> Self {
        wire::Member { role: wire::Role::from(member.role).into(), since: member.since.0 }
    }
}

impl TryFrom<wire::Member> for Member {
    type Error = DecodeError;

    fn try_from(member: wire::Member) -> Result<Self, DecodeError> {
        Ok(Member { role: role("member.role", member.role)?, since: Seq(member.since) })
    }
}

impl From<&Cursor> for wire::Cursor {
    fn from(cursor: &Cursor) -> Self {
        wire::Cursor { delivered: cursor.delivered.0, read: cursor.read.0 }
    }
}

impl TryFrom<wire::Cursor> for Cursor {
    type Error = DecodeError;

    fn try_from(cursor: wire::Cursor) -> Result<Self, DecodeError> {
        Ok(Cursor { delivered: Seq(cursor.delivered), read: Seq(cursor.read) })
    }
}

impl From<&OutboxKey> for wire::OutboxKey {
    fn from(key: &OutboxKey) -> Self {
        wire::OutboxKey {
            slot: key.slot.0.into(),
            conversation: key.conversation.to_string(),
            version: key.version.0,
            user: key.user.0,
        }
    }
}

impl TryFrom<wire::OutboxKey> for OutboxKey {
    type Error = DecodeError;

    fn try_from(key: wire::OutboxKey) -> Result<Self, DecodeError> {
        Ok(OutboxKey {
            slot: field::slot("outbox_key.slot", key.slot)?,
            conversation: field::conversation("outbox_key.conversation", &key.conversation)?,
            version: Seq(key.version),
            user: UserId(key.user),
        })
    }
}

impl From<&OutboxRow> for wire::OutboxRow {
    fn from(row: &OutboxRow) -> Self {
        wire::OutboxRow { key: Some((&row.key).into()), present: row.present, by: row.by.map_or(0, |by| by.0) }
    }
}

impl TryFrom<wire::OutboxRow> for OutboxRow {
    type Error = DecodeError;

    fn try_from(row: wire::OutboxRow) -> Result<Self, DecodeError> {
        let key = field::required("outbox_row.key", row.key)?.try_into()?;
        Ok(OutboxRow { key, present: row.present, by: other(row.by) })
    }
}

impl From<Role> for wire::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => wire::Role::Member,
            Role::Admin => wire::Role::Admin,
            Role::Owner => wire::Role::Owner,
        }
    }
}

/// Zero stands for the user itself.
pub(super) fn other(number: u64) -> Option<UserId> {
    Some(UserId(number)).filter(|user| user.0 != 0)
}

pub(super) fn role(field: &'static str, number: i32) -> Result<Role, DecodeError> {
    match wire::Role::try_from(number) {
        Ok(wire::Role::Member) => Ok(Role::Member),
        Ok(wire::Role::Admin) => Ok(Role::Admin),
        Ok(wire::Role::Owner) => Ok(Role::Owner),
        Ok(wire::Role::Unspecified) | Err(_) => Err(field::invalid(field, "a role is member, admin or owner")),
    }
}
