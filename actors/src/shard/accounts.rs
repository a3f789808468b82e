//! Answers for administrators, composed from applied state.

use std::collections::BTreeSet;
use std::ops::Range;

use troupe_core::record::{AuditKey, InviteId, User};
use troupe_core::{Rejection, UserId, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::reads::Read;
use crate::message::accounts::{Query, Wanted, place_out};
use crate::message::{Answer, UserKey, wire};

/// `online` is what the shard's actor knew when it was asked.
pub fn answer(view: &View, slots: Range<u16>, query: Query, online: &BTreeSet<UserId>) -> Read {
    match query.what {
        Wanted::List(after) => list(view, slots, after, query.limit, online),
        Wanted::Show(key) => show(view, key, online),
        Wanted::Invites(after) => invites(view, slots, after, query.limit),
        Wanted::Audit(after) => audit(view, slots, after, query.limit),
    }
}

fn list(view: &View, slots: Range<u16>, after: Option<UserId>, limit: usize, online: &BTreeSet<UserId>) -> Read {
    let limit = limit.clamp(1, limits::PAGE_ACCOUNTS);
    let mut users = view.users(slots, after, limit + 1)?;
    let more = users.len() > limit;
    users.truncate(limit);
    let accounts = users.into_iter().map(|user| account(view, user, online)).collect::<Result<_, EngineError>>()?;
    Ok(Ok(Answer::Accounts(wire::Accounts { accounts, more })))
}

fn show(view: &View, key: UserKey, online: &BTreeSet<UserId>) -> Read {
    let id = match key {
        UserKey::Name(name) => view.user_of_name(name.as_str())?,
        UserKey::Id(id) => Some(id),
    };
    match id.map(|id| view.user(id)).transpose()?.flatten() {
        Some(user) => {
            let accounts = vec![account(view, user, online)?];
            Ok(Ok(Answer::Accounts(wire::Accounts { accounts, more: false })))
        }
        None => Ok(Err(Rejection::NoSuchUser.into())),
    }
}

fn account(view: &View, user: User, online: &BTreeSet<UserId>) -> Result<wire::Account, EngineError> {
    Ok(wire::Account {
        user_id: user.id.0,
        sessions: view.sessions(user.id)?.len() as u32,
        online: online.contains(&user.id),
        name: user.name,
        status: user.standing.status.as_str().to_owned(),
        admin: user.standing.admin,
        one_time_password: user.standing.one_time,
        created_ms: user.created.0,
        password_set_ms: user.standing.password_set.0,
    })
}

fn invites(view: &View, slots: Range<u16>, after: Option<InviteId>, limit: usize) -> Read {
    let limit = limit.clamp(1, limits::PAGE_ACCOUNTS);
    let mut invites = view.invites(slots, after, limit + 1)?;
    let more = invites.len() > limit;
    invites.truncate(limit);
    let invites = invites.into_iter().map(|invite| wire::Invite {
        id: invite.id.to_string(),
        created_ms: invite.created.0,
        expires_ms: invite.expires.0,
        uses: invite.uses,
        used: invite.used,
        revoked: invite.revoked,
        note: invite.note,
        by: invite.by.name,
    });
    Ok(Ok(Answer::Invites(wire::Invites { invites: invites.collect(), more })))
}

fn audit(view: &View, slots: Range<u16>, after: AuditKey, limit: usize) -> Read {
    let limit = limit.clamp(1, limits::PAGE_AUDIT);
    let mut rows = view.audit(slots, after, limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let rows = rows.into_iter().map(|row| wire::AuditRow {
        place: Some(place_out(row.key)),
        by: row.by.user.0,
        by_name: row.by.name,
        address: row.by.address,
        action: row.action,
        target: row.target,
        detail: row.detail,
    });
    Ok(Ok(Answer::Audit(wire::AuditPage { rows: rows.collect(), more })))
}
