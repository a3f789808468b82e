//! Requests of clients as commands of core, and commands as requests of clients.
//!
//! Who sends is never taken from the request: the session says it.

use bytes::Bytes;
use troupe_core::command::{ChangeGroup, CreateGroup, GroupChange, Send};
use troupe_core::{ConversationId, UserId};

use super::body::role;
use crate::error::DecodeError;
use crate::field;
pub use crate::field::{client_message_id, conversation, device, user};
use crate::wire::client as wire;
use crate::wire::client::change_group::Change;

/// A message of `sender`. What a body may hold is left to core.
pub fn send(sender: UserId, send: wire::Send) -> Result<Send, DecodeError> {
    Ok(Send {
        conversation: conversation("send.conversation", &send.conversation)?,
        sender,
        client_message_id: client_message_id("send.client_message_id", &send.client_message_id)?,
        after: field::optional_client_message_id("send.after", &send.after)?,
        body: field::required("send.body", send.body)?.into(),
    })
}

impl From<&Send> for wire::Send {
    fn from(send: &Send) -> Self {
        wire::Send {
            conversation: send.conversation.to_string(),
            client_message_id: Bytes::copy_from_slice(&send.client_message_id.0),
            after: send.after.map(|after| Bytes::copy_from_slice(&after.0)).unwrap_or_default(),
            body: Some((&send.body).into()),
        }
    }
}

pub fn create_group(creator: UserId, create: wire::CreateGroup) -> Result<CreateGroup, DecodeError> {
    Ok(CreateGroup {
        creator,
        request: client_message_id("create_group.request", &create.request)?,
        name: create.name,
        open: create.open,
        members: users("create_group.members", create.members)?,
    })
}

impl From<&CreateGroup> for wire::CreateGroup {
    fn from(create: &CreateGroup) -> Self {
        wire::CreateGroup {
            request: Bytes::copy_from_slice(&create.request.0),
            name: create.name.clone(),
            open: create.open,
            members: create.members.iter().map(|user| user.0).collect(),
        }
    }
}

pub fn change_group(actor: UserId, change: wire::ChangeGroup) -> Result<ChangeGroup, DecodeError> {
    let ConversationId::Group(group) = conversation("change_group.conversation", &change.conversation)? else {
        return Err(field::invalid("change_group.conversation", "only groups can be changed"));
    };
    Ok(ChangeGroup {
        group,
        actor,
        request: client_message_id("change_group.request", &change.request)?,
        change: field::required("change_group.change", change.change)?.try_into()?,
    })
}

impl From<&ChangeGroup> for wire::ChangeGroup {
    fn from(change: &ChangeGroup) -> Self {
        wire::ChangeGroup {
            request: Bytes::copy_from_slice(&change.request.0),
            conversation: ConversationId::Group(change.group).to_string(),
            change: Some((&change.change).into()),
        }
    }
}

impl TryFrom<Change> for GroupChange {
    type Error = DecodeError;

    fn try_from(change: Change) -> Result<Self, DecodeError> {
        Ok(match change {
            Change::Rename(name) => GroupChange::Rename { name },
            Change::Add(add) => GroupChange::Add { users: users("change_group.add.users", add.users)? },
            Change::Remove(number) => GroupChange::Remove { user: user("change_group.remove", number)? },
            Change::Leave(wire::Done {}) => GroupChange::Leave,
            Change::Join(wire::Done {}) => GroupChange::Join,
            Change::SetRole(set) => GroupChange::SetRole {
                user: user("change_group.set_role.user", set.user)?,
                role: role("change_group.set_role.role", set.role)?,
            },
        })
    }
}

impl From<&GroupChange> for Change {
    fn from(change: &GroupChange) -> Self {
        match change {
            GroupChange::Rename { name } => Change::Rename(name.clone()),
            GroupChange::Add { users } => {
                Change::Add(wire::AddMembers { users: users.iter().map(|user| user.0).collect() })
            }
            GroupChange::Remove { user } => Change::Remove(user.0),
            GroupChange::Leave => Change::Leave(wire::Done {}),
            GroupChange::Join => Change::Join(wire::Done {}),
            GroupChange::SetRole { user, role } => {
                Change::SetRole(wire::RoleChanged { user: user.0, role: wire::Role::from(*role).into() })
            }
        }
    }
}

fn users(field: &'static str, numbers: Vec<u64>) -> Result<Vec<UserId>, DecodeError> {
    numbers.into_iter().map(|number| user(field, number)).collect()
}
