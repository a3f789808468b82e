//! Intents as entries carry them. Messages and changes of groups keep the forms that 74c331d reads
//! at level 1; all else goes by number and content.

use bytes::Bytes;
use troupe_core::command::{Append, Intent};
use troupe_core::event::Role;
use troupe_core::{Body, ConversationId, GroupId, UserId};

use crate::field;
use crate::wire::record as wire;
use crate::wire::record::change_group::Change;
use crate::wire::record::command::Command as Wire;
use troupe_core::form::DecodeError;

impl From<&Append> for Wire {
    fn from(c: &Append) -> Self {
        let id = Bytes::copy_from_slice(&c.client_message_id.0);
        let after = c.after.map(|after| Bytes::copy_from_slice(&after.0)).unwrap_or_default();
        if let Intent::Message(body) = &c.intent {
            return Wire::Send(wire::Send {
                conversation: c.conversation.to_string(),
                sender: c.actor.0,
                client_message_id: id,
                after,
                body: Some(body.into()),
            });
        }
        if let (ConversationId::Group(group), Some(change)) = (c.conversation, change(&c.intent))
            && c.after.is_none()
        {
            let change = Some(change);
            return Wire::ChangeGroup(wire::ChangeGroup { group: group.0, actor: c.actor.0, request: id, change });
        }
        let (intent, content) = c.intent.encode();
        Wire::Append(wire::Append {
            conversation: c.conversation.to_string(),
            actor: c.actor.0,
            client_message_id: id,
            after,
            intent,
            content,
        })
    }
}

impl TryFrom<wire::Send> for Append {
    type Error = DecodeError;

    fn try_from(c: wire::Send) -> Result<Self, DecodeError> {
        Ok(Append {
            conversation: field::conversation("send.conversation", &c.conversation)?,
            actor: UserId(c.sender),
            client_message_id: field::client_message_id("send.client_message_id", &c.client_message_id)?,
            after: field::optional_client_message_id("send.after", &c.after)?,
            intent: Intent::Message(field::required("send.body", c.body)?.into()),
        })
    }
}

impl TryFrom<wire::ChangeGroup> for Append {
    type Error = DecodeError;

    fn try_from(c: wire::ChangeGroup) -> Result<Self, DecodeError> {
        Ok(Append {
            conversation: ConversationId::Group(GroupId(c.group)),
            actor: UserId(c.actor),
            client_message_id: field::client_message_id("change_group.request", &c.request)?,
            after: None,
            intent: field::required("change_group.change", c.change)?.try_into()?,
        })
    }
}

impl TryFrom<wire::Append> for Append {
    type Error = DecodeError;

    fn try_from(c: wire::Append) -> Result<Self, DecodeError> {
        const UNKNOWN: &str = "this version knows no such intent";
        Ok(Append {
            conversation: field::conversation("append.conversation", &c.conversation)?,
            actor: UserId(c.actor),
            client_message_id: field::client_message_id("append.client_message_id", &c.client_message_id)?,
            after: field::optional_client_message_id("append.after", &c.after)?,
            intent: Intent::decode(c.intent, &c.content).ok_or(field::invalid("append.intent", UNKNOWN))?,
        })
    }
}

/// The change of a group that 74c331d knows.
fn change(intent: &Intent) -> Option<Change> {
    Some(match intent {
        Intent::Rename { name } => Change::Rename(wire::Rename { name: name.clone() }),
        Intent::Add { users } => Change::Add(wire::Add { users: users.iter().map(|user| user.0).collect() }),
        Intent::Remove { user } => Change::Remove(wire::Remove { user: user.0 }),
        Intent::Leave => Change::Leave(wire::Leave {}),
        Intent::Join => Change::Join(wire::Join {}),
        Intent::SetRole { user, role } => {
            Change::SetRole(wire::SetRole { user: user.0, role: wire::Role::from(*role).into() })
        }
        _ => return None,
    })
}

impl TryFrom<Change> for Intent {
    type Error = DecodeError;

    fn try_from(change: Change) -> Result<Self, DecodeError> {
        Ok(match change {
            Change::Rename(rename) => Intent::Rename { name: rename.name },
            Change::Add(add) => Intent::Add { users: add.users.into_iter().map(UserId).collect() },
            Change::Remove(remove) => Intent::Remove { user: UserId(remove.user) },
            Change::Leave(wire::Leave {}) => Intent::Leave,
            Change::Join(wire::Join {}) => Intent::Join,
            Change::SetRole(set) => {
                Intent::SetRole { user: UserId(set.user), role: role("change_group.set_role.role", set.role)? }
            }
        })
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

fn role(field: &'static str, number: i32) -> Result<Role, DecodeError> {
    match wire::Role::try_from(number) {
        Ok(wire::Role::Member) => Ok(Role::Member),
        Ok(wire::Role::Admin) => Ok(Role::Admin),
        Ok(wire::Role::Owner) => Ok(Role::Owner),
        Ok(wire::Role::Unspecified) | Err(_) => Err(field::invalid(field, "a role is member, admin or owner")),
    }
}

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
