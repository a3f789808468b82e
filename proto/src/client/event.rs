//! Events as clients see them.
//!
//! A client must be able to read whatever a server hands out, so only the form is judged here; what
//! may enter a log is judged where it enters, in `request` and by core.

use bytes::Bytes;
use troupe_core::event::Role;
use troupe_core::{Body, Event, EventKind, Seq, Timestamp, UserId};

use crate::error::DecodeError;
use crate::field;
use crate::wire::client as wire;
use crate::wire::client::event::Kind;

impl From<&Event> for wire::Event {
    fn from(event: &Event) -> Self {
        wire::Event {
            seq: event.seq.0,
            time_ms: event.time.0,
            sender: event.sender.0,
            client_message_id: Bytes::copy_from_slice(&event.client_message_id.0),
            kind: Some((&event.kind).into()),
        }
    }
}

impl TryFrom<wire::Event> for Event {
    type Error = DecodeError;

    fn try_from(event: wire::Event) -> Result<Self, DecodeError> {
        Ok(Event {
            seq: Seq(event.seq),
            time: Timestamp(event.time_ms),
            sender: UserId(event.sender),
            client_message_id: field::client_message_id("event.client_message_id", &event.client_message_id)?,
            kind: field::required("event.kind", event.kind)?.try_into()?,
        })
    }
}

impl From<&EventKind> for Kind {
    fn from(kind: &EventKind) -> Self {
        match kind {
            EventKind::Message(body) => Kind::Message(body.into()),
            EventKind::Created { name } => Kind::Created(wire::Created { name: name.clone() }),
            EventKind::Renamed { name } => Kind::Renamed(wire::Renamed { name: name.clone() }),
            EventKind::Added { users } => Kind::Added(wire::Added { users: users.iter().map(|user| user.0).collect() }),
            EventKind::Removed { user } => Kind::Removed(wire::Removed { user: user.0 }),
            EventKind::RoleChanged { user, role } => {
                Kind::RoleChanged(wire::RoleChanged { user: user.0, role: wire::Role::from(*role).into() })
            }
        }
    }
}

impl TryFrom<Kind> for EventKind {
    type Error = DecodeError;

    fn try_from(kind: Kind) -> Result<Self, DecodeError> {
        Ok(match kind {
            Kind::Message(body) => EventKind::Message(body.into()),
            Kind::Created(created) => EventKind::Created { name: created.name },
            Kind::Renamed(renamed) => EventKind::Renamed { name: renamed.name },
            Kind::Added(added) => EventKind::Added { users: added.users.into_iter().map(UserId).collect() },
            Kind::Removed(removed) => EventKind::Removed { user: UserId(removed.user) },
            Kind::RoleChanged(changed) => EventKind::RoleChanged {
                user: UserId(changed.user),
                role: role("event.role_changed.role", changed.role)?,
            },
        })
    }
}

impl From<&Body> for wire::Body {
    fn from(body: &Body) -> Self {
        wire::Body { kind: body.kind, content: Bytes::copy_from_slice(&body.content) }
    }
}

impl From<wire::Body> for Body {
    fn from(body: wire::Body) -> Self {
        Body { kind: body.kind, content: body.content.into() }
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

/// A role by its number in `client.proto`.
pub fn role(field: &'static str, number: i32) -> Result<Role, DecodeError> {
    match wire::Role::try_from(number) {
        Ok(wire::Role::Member) => Ok(Role::Member),
        Ok(wire::Role::Admin) => Ok(Role::Admin),
        Ok(wire::Role::Owner) => Ok(Role::Owner),
        Ok(wire::Role::Unspecified) | Err(_) => Err(field::invalid(field, "a role is member, admin or owner")),
    }
}
