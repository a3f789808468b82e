//! Bodies and roles as clients see them.

use troupe_core::Body;
use troupe_core::event::Role;

use crate::field;
use crate::wire::client as wire;
use troupe_core::form::DecodeError;

impl From<&Body> for wire::Body {
    fn from(body: &Body) -> Self {
        wire::Body { kind: body.kind, content: body.content.clone(), context: body.context.clone() }
    }
}

impl From<wire::Body> for Body {
    fn from(body: wire::Body) -> Self {
        Body { kind: body.kind, content: body.content, context: body.context }
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
