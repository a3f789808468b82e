//! Contacts as clients see them.

use troupe_core::UserId;
use troupe_core::command::{ChangeContact, ContactAct};
use troupe_core::form::DecodeError;
use troupe_core::record::{Contact, Relation};

use crate::field;
use crate::wire::client as wire;
use crate::wire::client::change_contact::Change;

/// A change of the caller's relation to another user. Core validates the texts.
pub fn change_contact(user: UserId, change: wire::ChangeContact) -> Result<ChangeContact, DecodeError> {
    Ok(ChangeContact {
        user,
        other: field::user("change_contact.user_id", change.user_id)?,
        request: field::client_message_id("change_contact.request", &change.request)?,
        act: match field::required("change_contact.change", change.change)? {
            Change::Ask(text) => ContactAct::Ask { text },
            Change::Accept(wire::Done {}) => ContactAct::Accept,
            Change::End(wire::Done {}) => ContactAct::End,
            Change::Remark(text) => ContactAct::Remark { text },
            Change::Block(true) => ContactAct::Block,
            Change::Block(false) => ContactAct::Unblock,
        },
    })
}

/// The change that says it.
pub fn contact_change(act: ContactAct) -> Change {
    match act {
        ContactAct::Ask { text } => Change::Ask(text),
        ContactAct::Accept => Change::Accept(wire::Done {}),
        ContactAct::End => Change::End(wire::Done {}),
        ContactAct::Remark { text } => Change::Remark(text),
        ContactAct::Block => Change::Block(true),
        ContactAct::Unblock => Change::Block(false),
    }
}

impl From<Relation> for wire::ContactState {
    fn from(relation: Relation) -> wire::ContactState {
        match relation {
            Relation::None => wire::ContactState::Unspecified,
            Relation::Requested => wire::ContactState::Requested,
            Relation::Received => wire::ContactState::Received,
            Relation::Mutual => wire::ContactState::Mutual,
        }
    }
}

/// As its user sees it: the request of a blocked user is hidden.
pub fn contact(other: UserId, contact: Contact, blocked: bool) -> wire::Contact {
    let relation = contact.shown(blocked);
    let is_pending = matches!(relation, Relation::Requested | Relation::Received);
    wire::Contact {
        user_id: other.0,
        state: wire::ContactState::from(relation).into(),
        text: if is_pending { contact.text } else { String::new() },
        remark: contact.remark,
        since_ms: contact.since.0,
        version: contact.version,
        blocked,
    }
}
