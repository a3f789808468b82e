//! Commands around accounts, invitations and the audit log.

use bytes::Bytes;
use troupe_core::command::{
    AccountChange, ChangeAccount, ChangeInvite, CreateAccount, InviteChange, RecordAct, TouchSession,
};
use troupe_core::record::{AccountRole, Author, InviteId};
use troupe_core::{ClientMessageId, NameKey, Timestamp, UserId, Username};

use crate::field;
use crate::wire::record as wire;
use troupe_core::form::DecodeError;
use wire::change_account::Change;
use wire::change_invite::Change as Invited;

fn id(id: &ClientMessageId) -> Bytes {
    Bytes::copy_from_slice(&id.0)
}

impl From<&Author> for wire::Author {
    fn from(by: &Author) -> Self {
        wire::Author { user: by.user.0, name: by.name.clone(), address: by.address.clone() }
    }
}

pub(super) fn author(by: Option<wire::Author>) -> Author {
    let by = by.unwrap_or_default();
    Author { user: UserId(by.user), name: by.name, address: by.address }
}

impl From<&CreateAccount> for wire::CreateAccount {
    fn from(c: &CreateAccount) -> Self {
        wire::CreateAccount {
            name: c.name.as_str().to_owned(),
            name_key: if c.name.has_plain_key() { String::new() } else { c.name.key().as_str().to_owned() },
            password_hash: c.password_hash.clone(),
            request: id(&c.request),
            by: Some((&c.by).into()),
            admin: c.admin,
            one_time: c.one_time,
            born_with_cluster: c.born_with_cluster,
            created_ms: c.created.map_or(0, |created| created.0),
        }
    }
}

impl TryFrom<wire::CreateAccount> for CreateAccount {
    type Error = DecodeError;

    fn try_from(c: wire::CreateAccount) -> Result<Self, DecodeError> {
        Ok(CreateAccount {
            name: Username::kept(&c.name, Some(c.name_key.as_str()).filter(|key| !key.is_empty())),
            password_hash: c.password_hash,
            request: field::client_message_id("create_account.request", &c.request)?,
            by: author(c.by),
            admin: c.admin,
            one_time: c.one_time,
            born_with_cluster: c.born_with_cluster,
            created: Some(Timestamp(c.created_ms)).filter(|created| created.0 != 0),
        })
    }
}

impl From<&ChangeAccount> for wire::ChangeAccount {
    fn from(c: &ChangeAccount) -> Self {
        let nothing = wire::Leave {};
        let change = match &c.change {
            AccountChange::ChangePassword { password_hash, revision, keep } => {
                Change::ChangePassword(wire::SetPassword {
                    password_hash: password_hash.clone(),
                    revision: *revision,
                    keep_device: keep.as_ref().map(|(device, _)| device.to_string()).unwrap_or_default(),
                    keep_token_hash: keep
                        .as_ref()
                        .map(|(_, token)| Bytes::copy_from_slice(&token.0))
                        .unwrap_or_default(),
                })
            }
            AccountChange::ResetPassword { password_hash, revision } => Change::ResetPassword(wire::SetPassword {
                password_hash: password_hash.clone(),
                revision: *revision,
                ..Default::default()
            }),
            AccountChange::Disable => Change::Disable(nothing),
            AccountChange::Enable => Change::Enable(nothing),
            AccountChange::Delete => Change::Delete(nothing),
            AccountChange::SetAdmin { admin } => Change::SetAdmin(*admin),
            AccountChange::SetRole { role } => Change::SetRole(role.number()),
            AccountChange::EndSessions { device } => {
                Change::EndSessions(device.as_ref().map(ToString::to_string).unwrap_or_default())
            }
        };
        wire::ChangeAccount { user: c.user.0, request: id(&c.request), by: Some((&c.by).into()), change: Some(change) }
    }
}

impl TryFrom<wire::ChangeAccount> for ChangeAccount {
    type Error = DecodeError;

    fn try_from(c: wire::ChangeAccount) -> Result<Self, DecodeError> {
        let change = match field::required("change_account.change", c.change)? {
            Change::ChangePassword(set) => AccountChange::ChangePassword {
                password_hash: set.password_hash,
                revision: set.revision,
                keep: match set.keep_device.as_str() {
                    "" => None,
                    device => Some((
                        field::device("change_account.keep_device", device)?,
                        field::token_hash("change_account.keep_token_hash", &set.keep_token_hash)?,
                    )),
                },
            },
            Change::ResetPassword(set) => {
                AccountChange::ResetPassword { password_hash: set.password_hash, revision: set.revision }
            }
            Change::Disable(wire::Leave {}) => AccountChange::Disable,
            Change::Enable(wire::Leave {}) => AccountChange::Enable,
            Change::Delete(wire::Leave {}) => AccountChange::Delete,
            Change::SetAdmin(admin) => AccountChange::SetAdmin { admin },
            Change::SetRole(number) => AccountChange::SetRole {
                role: AccountRole::of(number)
                    .ok_or_else(|| field::invalid("change_account.set_role", "a role is user, auditor or admin"))?,
            },
            Change::EndSessions(device) => AccountChange::EndSessions {
                device: match device.as_str() {
                    "" => None,
                    device => Some(field::device("change_account.end_sessions", device)?),
                },
            },
        };
        Ok(ChangeAccount {
            user: UserId(c.user),
            request: field::client_message_id("change_account.request", &c.request)?,
            by: author(c.by),
            change,
        })
    }
}

impl From<&TouchSession> for wire::TouchSession {
    fn from(c: &TouchSession) -> Self {
        wire::TouchSession {
            user: c.user.0,
            device: c.device.to_string(),
            token_hash: Bytes::copy_from_slice(&c.token.0),
            idle_ms: c.idle_ms,
            live: c.live,
        }
    }
}

impl TryFrom<wire::TouchSession> for TouchSession {
    type Error = DecodeError;

    fn try_from(c: wire::TouchSession) -> Result<Self, DecodeError> {
        Ok(TouchSession {
            user: UserId(c.user),
            device: field::device("touch_session.device", &c.device)?,
            token: field::token_hash("touch_session.token_hash", &c.token_hash)?,
            idle_ms: c.idle_ms,
            live: c.live,
        })
    }
}

impl From<&ChangeInvite> for wire::ChangeInvite {
    fn from(c: &ChangeInvite) -> Self {
        let change = match &c.change {
            InviteChange::Create { hash, request, by, uses, expires, note } => Invited::Create(wire::Invite {
                hash: Bytes::copy_from_slice(&hash.0),
                request: id(request),
                by: Some(by.into()),
                expires_ms: expires.0,
                uses: *uses,
                note: note.clone(),
                ..Default::default()
            }),
            InviteChange::Revoke { by } => Invited::Revoke(by.into()),
            InviteChange::Reserve { hash, request, name } => Invited::Reserve(wire::ReserveInvite {
                hash: Bytes::copy_from_slice(&hash.0),
                request: id(request),
                name_key: name.as_str().to_owned(),
            }),
            InviteChange::Release { request } => Invited::Release(id(request)),
            InviteChange::Settle { request, user } => {
                Invited::Settle(wire::SettleInvite { request: id(request), user: user.0 })
            }
        };
        wire::ChangeInvite { id: c.id.0, change: Some(change) }
    }
}

impl TryFrom<wire::ChangeInvite> for ChangeInvite {
    type Error = DecodeError;

    fn try_from(c: wire::ChangeInvite) -> Result<Self, DecodeError> {
        let change = match field::required("change_invite.change", c.change)? {
            Invited::Create(create) => InviteChange::Create {
                hash: field::token_hash("change_invite.create.hash", &create.hash)?,
                request: field::client_message_id("change_invite.create.request", &create.request)?,
                by: author(create.by),
                uses: create.uses,
                expires: Timestamp(create.expires_ms),
                note: create.note,
            },
            Invited::Revoke(by) => InviteChange::Revoke { by: author(Some(by)) },
            Invited::Reserve(reserve) => InviteChange::Reserve {
                hash: field::token_hash("change_invite.reserve.hash", &reserve.hash)?,
                request: field::client_message_id("change_invite.reserve.request", &reserve.request)?,
                name: NameKey::kept(&reserve.name_key),
            },
            Invited::Release(request) => {
                InviteChange::Release { request: field::client_message_id("change_invite.release", &request)? }
            }
            Invited::Settle(settle) => InviteChange::Settle {
                request: field::client_message_id("change_invite.settle.request", &settle.request)?,
                user: UserId(settle.user),
            },
        };
        Ok(ChangeInvite { id: InviteId(c.id), change })
    }
}

impl From<&RecordAct> for wire::RecordAct {
    fn from(c: &RecordAct) -> Self {
        wire::RecordAct {
            slot: c.slot.0.into(),
            request: id(&c.request),
            by: Some((&c.by).into()),
            action: c.action.clone(),
            target: c.target.clone(),
            detail: c.detail.clone(),
        }
    }
}

impl TryFrom<wire::RecordAct> for RecordAct {
    type Error = DecodeError;

    fn try_from(c: wire::RecordAct) -> Result<Self, DecodeError> {
        Ok(RecordAct {
            slot: field::slot("record_act.slot", c.slot)?,
            request: field::client_message_id("record_act.request", &c.request)?,
            by: author(c.by),
            action: c.action,
            target: c.target,
            detail: c.detail,
        })
    }
}
