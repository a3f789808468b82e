//! Commands around profiles, contacts and blocks.

use bytes::Bytes;
use troupe_core::UserId;
use troupe_core::command::{
    ChangeContact, ChangeProfile, ContactAct, HearContact, ProfileChange, SetGate, SettleContacts, SettledContact,
};
use troupe_core::record::Audience;

use crate::field;
use crate::wire::record as wire;
use crate::wire::record::change_contact::Act;
use troupe_core::form::DecodeError;

impl From<&ChangeProfile> for wire::ChangeProfile {
    fn from(c: &ChangeProfile) -> Self {
        let ProfileChange { display_name, avatar, about, language, messages_from } = c.change.clone();
        wire::ChangeProfile {
            user: c.user.0,
            request: Bytes::copy_from_slice(&c.request.0),
            display_name,
            avatar,
            about,
            language,
            messages_from: messages_from.map(|from| from as u32),
        }
    }
}

impl TryFrom<wire::ChangeProfile> for ChangeProfile {
    type Error = DecodeError;

    fn try_from(c: wire::ChangeProfile) -> Result<Self, DecodeError> {
        let wire::ChangeProfile { user, request, display_name, avatar, about, language, messages_from } = c;
        let messages_from = messages_from.map(|number| {
            let known = Audience::ALL.into_iter().find(|known| *known as u32 == number);
            known.ok_or(field::invalid("change_profile.messages_from", "an audience is everyone or contacts"))
        });
        Ok(ChangeProfile {
            user: UserId(user),
            request: field::client_message_id("change_profile.request", &request)?,
            change: ProfileChange { display_name, avatar, about, language, messages_from: messages_from.transpose()? },
        })
    }
}

impl From<&ChangeContact> for wire::ChangeContact {
    fn from(c: &ChangeContact) -> Self {
        let nothing = wire::Leave {};
        let act = match &c.act {
            ContactAct::Ask { text } => Act::Ask(text.clone()),
            ContactAct::Accept => Act::Accept(nothing),
            ContactAct::End => Act::End(nothing),
            ContactAct::Remark { text } => Act::Remark(text.clone()),
            ContactAct::Block => Act::Block(nothing),
            ContactAct::Unblock => Act::Unblock(nothing),
        };
        let request = Bytes::copy_from_slice(&c.request.0);
        wire::ChangeContact { user: c.user.0, other: c.other.0, request, act: Some(act) }
    }
}

impl TryFrom<wire::ChangeContact> for ChangeContact {
    type Error = DecodeError;

    fn try_from(c: wire::ChangeContact) -> Result<Self, DecodeError> {
        Ok(ChangeContact {
            user: UserId(c.user),
            other: UserId(c.other),
            request: field::client_message_id("change_contact.request", &c.request)?,
            act: match field::required("change_contact.act", c.act)? {
                Act::Ask(text) => ContactAct::Ask { text },
                Act::Accept(wire::Leave {}) => ContactAct::Accept,
                Act::End(wire::Leave {}) => ContactAct::End,
                Act::Remark(text) => ContactAct::Remark { text },
                Act::Block(wire::Leave {}) => ContactAct::Block,
                Act::Unblock(wire::Leave {}) => ContactAct::Unblock,
            },
        })
    }
}

impl From<&HearContact> for wire::HearContact {
    fn from(c: &HearContact) -> Self {
        let HearContact { user, by, said, wants, ended, text } = c.clone();
        wire::HearContact { user: user.0, by: by.0, said, wants, ended, text }
    }
}

impl From<wire::HearContact> for HearContact {
    fn from(c: wire::HearContact) -> Self {
        let wire::HearContact { user, by, said, wants, ended, text } = c;
        HearContact { user: UserId(user), by: UserId(by), said, wants, ended, text }
    }
}

impl From<&SetGate> for wire::SetGate {
    fn from(c: &SetGate) -> Self {
        let conversation = c.conversation.to_string();
        wire::SetGate { conversation, user: c.user.0, version: c.version, closed: c.closed }
    }
}

impl TryFrom<wire::SetGate> for SetGate {
    type Error = DecodeError;

    fn try_from(c: wire::SetGate) -> Result<Self, DecodeError> {
        let conversation = field::conversation("set_gate.conversation", &c.conversation)?;
        Ok(SetGate { conversation, user: UserId(c.user), version: c.version, closed: c.closed })
    }
}

impl From<&SettleContacts> for wire::SettleContacts {
    fn from(c: &SettleContacts) -> Self {
        let row = |row: &SettledContact| {
            let SettledContact { user, other, contact, gate } = *row;
            wire::SettledContact { user: user.0, other: other.0, contact, gate }
        };
        wire::SettleContacts { slot: c.slot.0.into(), rows: c.rows.iter().map(row).collect() }
    }
}

impl TryFrom<wire::SettleContacts> for SettleContacts {
    type Error = DecodeError;

    fn try_from(c: wire::SettleContacts) -> Result<Self, DecodeError> {
        let row = |row: wire::SettledContact| {
            let wire::SettledContact { user, other, contact, gate } = row;
            SettledContact { user: UserId(user), other: UserId(other), contact, gate }
        };
        let slot = field::slot("settle_contacts.slot", c.slot)?;
        Ok(SettleContacts { slot, rows: c.rows.into_iter().map(row).collect() })
    }
}
