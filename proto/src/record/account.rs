//! Rows and commands of accounts: standing, invitations, the audit log.

use bytes::Bytes;
use troupe_core::command::{
    AccountChange, ChangeAccount, ChangeInvite, CreateAccount, InviteChange, RecordAct, TouchSession,
};
use troupe_core::record::{AuditKey, AuditRow, Author, Invite, InviteId, Reservation, Standing, Status};
use troupe_core::{ClientMessageId, NameKey, Timestamp, UserId, Username};

use crate::error::DecodeError;
use crate::field;
use crate::wire::record as wire;
use wire::change_account::Change;
use wire::change_invite::Change as Invited;

fn id(id: &ClientMessageId) -> Bytes {
    Bytes::copy_from_slice(&id.0)
}

impl From<&Standing> for wire::Standing {
    fn from(standing: &Standing) -> Self {
        wire::Standing {
            status: match standing.status {
                Status::Active => 0,
                Status::Disabled => 1,
                Status::Deleted => 2,
            },
            admin: standing.admin,
            one_time: standing.one_time,
            revision: standing.revision,
            changes: standing.changes.iter().map(id).collect(),
            password_set_ms: standing.password_set.0,
            born_with_cluster: standing.born_with_cluster,
        }
    }
}

impl TryFrom<wire::Standing> for Standing {
    type Error = DecodeError;

    fn try_from(standing: wire::Standing) -> Result<Self, DecodeError> {
        let request = |bytes: &Bytes| field::client_message_id("standing.changes", bytes);
        Ok(Standing {
            status: match standing.status {
                0 => Status::Active,
                1 => Status::Disabled,
                2 => Status::Deleted,
                _ => return Err(field::invalid("standing.status", "an account is active, disabled or deleted")),
            },
            admin: standing.admin,
            one_time: standing.one_time,
            revision: standing.revision,
            changes: standing.changes.iter().map(request).collect::<Result<_, _>>()?,
            password_set: Timestamp(standing.password_set_ms),
            born_with_cluster: standing.born_with_cluster,
        })
    }
}

/// Unchanged accounts keep the form of the first version.
pub(super) fn standing_out(standing: &Standing) -> Option<wire::Standing> {
    (*standing != Standing::default()).then(|| standing.into())
}

pub(super) fn standing_in(standing: Option<wire::Standing>) -> Result<Standing, DecodeError> {
    standing.map(Standing::try_from).transpose().map(Option::unwrap_or_default)
}

impl From<&Author> for wire::Author {
    fn from(by: &Author) -> Self {
        wire::Author { user: by.user.0, name: by.name.clone(), address: by.address.clone() }
    }
}

fn author(by: Option<wire::Author>) -> Author {
    let by = by.unwrap_or_default();
    Author { user: UserId(by.user), name: by.name, address: by.address }
}

impl From<&AuditRow> for wire::AuditRow {
    fn from(row: &AuditRow) -> Self {
        wire::AuditRow {
            slot: row.key.slot.0.into(),
            time_ms: row.key.time.0,
            number: row.key.number,
            by: Some((&row.by).into()),
            action: row.action.clone(),
            target: row.target.clone(),
            detail: row.detail.clone(),
            request: id(&row.request),
        }
    }
}

impl TryFrom<wire::AuditRow> for AuditRow {
    type Error = DecodeError;

    fn try_from(row: wire::AuditRow) -> Result<Self, DecodeError> {
        let slot = field::slot("audit_row.slot", row.slot)?;
        Ok(AuditRow {
            key: AuditKey { slot, time: Timestamp(row.time_ms), number: row.number },
            by: author(row.by),
            action: row.action,
            target: row.target,
            detail: row.detail,
            request: field::client_message_id("audit_row.request", &row.request)?,
        })
    }
}

impl From<&Invite> for wire::Invite {
    fn from(invite: &Invite) -> Self {
        wire::Invite {
            hash: Bytes::copy_from_slice(&invite.hash.0),
            request: id(&invite.request),
            by: Some((&invite.by).into()),
            created_ms: invite.created.0,
            expires_ms: invite.expires.0,
            uses: invite.uses,
            used: invite.used,
            revoked: invite.revoked,
            note: invite.note.clone(),
        }
    }
}

impl TryFrom<wire::Invite> for Invite {
    type Error = DecodeError;

    fn try_from(invite: wire::Invite) -> Result<Self, DecodeError> {
        let hash = field::token_hash("invite.hash", &invite.hash)?;
        Ok(Invite {
            id: InviteId::of(&hash),
            hash,
            request: field::client_message_id("invite.request", &invite.request)?,
            by: author(invite.by),
            created: Timestamp(invite.created_ms),
            expires: Timestamp(invite.expires_ms),
            uses: invite.uses,
            used: invite.used,
            revoked: invite.revoked,
            note: invite.note,
        })
    }
}

impl From<&Reservation> for wire::Reservation {
    fn from(row: &Reservation) -> Self {
        wire::Reservation {
            invite: row.invite.0,
            request: id(&row.request),
            name: row.name.clone(),
            at_ms: row.at.0,
            user: row.user.0,
        }
    }
}

impl TryFrom<wire::Reservation> for Reservation {
    type Error = DecodeError;

    fn try_from(row: wire::Reservation) -> Result<Self, DecodeError> {
        Ok(Reservation {
            invite: InviteId(row.invite),
            request: field::client_message_id("reservation.request", &row.request)?,
            name: row.name,
            at: Timestamp(row.at_ms),
            user: UserId(row.user),
        })
    }
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
