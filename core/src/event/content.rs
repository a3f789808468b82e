//! The bytes of what an event says: a protobuf message per kind.
//!
//! A kind's number is the number of its field in the `Event` of `record.proto` and `client.proto`.
//! Content is written here, and not by the generated types, because what a log holds is judged by
//! these bytes: one value has one form, for ever. `troupe-proto` reads them, and its tests hold
//! that generated types would write the same.

use super::{EventKind, Role};

/// The numbers that kinds of events may have; an event without a kind has the number 0.
pub const KINDS: std::ops::RangeInclusive<u32> = 5..=999;

impl EventKind {
    pub const MESSAGE: u32 = 5;
    pub const CREATED: u32 = 6;
    pub const RENAMED: u32 = 7;
    pub const ADDED: u32 = 8;
    pub const REMOVED: u32 = 9;
    pub const ROLE_CHANGED: u32 = 10;

    pub fn number(&self) -> u32 {
        match self {
            EventKind::Message(_) => EventKind::MESSAGE,
            EventKind::Created { .. } => EventKind::CREATED,
            EventKind::Renamed { .. } => EventKind::RENAMED,
            EventKind::Added { .. } => EventKind::ADDED,
            EventKind::Removed { .. } => EventKind::REMOVED,
            EventKind::RoleChanged { .. } => EventKind::ROLE_CHANGED,
            EventKind::Unknown { kind, .. } => *kind,
        }
    }

    pub fn content(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            EventKind::Message(body) => {
                number(&mut out, 1, u64::from(body.kind));
                bytes(&mut out, 2, &body.content);
            }
            EventKind::Created { name } | EventKind::Renamed { name } => bytes(&mut out, 1, name.as_bytes()),
            EventKind::Added { users } => {
                let mut packed = Vec::with_capacity(users.len() * 4);
                users.iter().for_each(|user| varint(&mut packed, user.0));
                bytes(&mut out, 1, &packed);
            }
            EventKind::Removed { user } => number(&mut out, 1, user.0),
            EventKind::RoleChanged { user, role } => {
                number(&mut out, 1, user.0);
                number(&mut out, 2, role.number());
            }
            EventKind::Unknown { content, .. } => out.extend_from_slice(content),
        }
        out
    }
}

impl Role {
    fn number(self) -> u64 {
        match self {
            Role::Member => 1,
            Role::Admin => 2,
            Role::Owner => 3,
        }
    }
}

fn number(out: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        out.push(field << 3);
        varint(out, value);
    }
}

fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    if !value.is_empty() {
        out.push(field << 3 | 2);
        varint(out, value.len() as u64);
        out.extend_from_slice(value);
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
