//! Invitations to register: each code has a number of uses, and each registration takes one use
//! once.
//!
//! A use is reserved under the id of the registration before the name is registered in another
//! slot. It is released when the registration is refused for good, and spent when it succeeds. An
//! unknown outcome keeps the use: the same registration finds it again.

use super::{Outcome, Step};
use crate::command::{ChangeInvite, InviteChange};
use crate::error::Rejection;
use crate::id::UserId;
use crate::limits;
use crate::planted::Bug;
use crate::record::{Invite, InviteId, Reservation};
use crate::reply::Reply;
use crate::state::Rows;

impl Step<'_> {
    pub(super) fn change_invite(&mut self, c: &ChangeInvite) -> Outcome {
        match &c.change {
            InviteChange::Create { hash, request, by, uses, expires, note } => {
                if InviteId::of(hash) != c.id || !(1..=limits::INVITE_USES).contains(uses) {
                    return Err(Rejection::BadRequest("an invitation has 1 to 1000 uses"));
                }
                match self.state.get::<Invite>(&c.id) {
                    Some(held) if held.request == *request => {
                        let asked = (by.user, *uses, *expires, note);
                        let same = (held.by.user, held.uses, held.expires, &held.note) == asked;
                        let same = same || self.planted(Bug::ReusedKeyAnswered);
                        return if same { Ok(Reply::Done) } else { Err(Rejection::RequestReused) };
                    }
                    Some(_) => return Err(Rejection::InviteExists),
                    None => {}
                }
                let invite = Invite {
                    id: c.id,
                    hash: *hash,
                    request: *request,
                    by: by.clone(),
                    created: self.now,
                    expires: *expires,
                    uses: *uses,
                    used: 0,
                    revoked: false,
                    note: note.clone(),
                };
                self.state.put(&c.id, &invite);
                let detail = format!("{uses} uses");
                self.audit(c.id.slot(), *request, by, "invite.create", &c.id.to_string(), &detail);
            }
            InviteChange::Revoke { by } => {
                let mut invite = self.state.get::<Invite>(&c.id).ok_or(Rejection::BadInvite)?;
                if !invite.revoked {
                    invite.revoked = true;
                    let request = invite.request;
                    self.state.put(&invite.id, &invite);
                    self.audit(c.id.slot(), request, by, "invite.revoke", &c.id.to_string(), "");
                }
            }
            InviteChange::Reserve { hash, request, name } => {
                let held = self.state.get::<Invite>(&c.id).filter(|invite| invite.hash == *hash);
                let mut invite = held.ok_or(Rejection::BadInvite)?;
                let name = name.as_str().to_owned();
                match self.state.get::<Reservation>(&(c.id, *request)) {
                    Some(reserved) if reserved.name == name => return Ok(Reply::Done),
                    Some(_) => return Err(Rejection::RequestReused),
                    None => {}
                }
                if !invite.is_open(self.now) {
                    return Err(Rejection::BadInvite);
                }
                invite.used += u32::from(!self.planted(Bug::InviteUsedTwice));
                self.state.put(&invite.id, &invite);
                let reserved = Reservation { invite: c.id, request: *request, name, at: self.now, user: UserId(0) };
                self.state.put(&(c.id, *request), &reserved);
            }
            InviteChange::Release { request } => {
                let open = |reserved: &Reservation| reserved.user.0 == 0;
                let reserved = self.state.get::<Reservation>(&(c.id, *request)).filter(open);
                if let (Some(_), Some(mut invite)) = (reserved, self.state.get::<Invite>(&c.id)) {
                    invite.used = invite.used.saturating_sub(1);
                    self.state.put(&invite.id, &invite);
                    self.state.delete::<Reservation>(&(c.id, *request));
                }
            }
            InviteChange::Settle { request, user } => {
                if let Some(reserved) =
                    self.state.get::<Reservation>(&(c.id, *request)).filter(|held| held.user != *user)
                {
                    self.state.put(&(c.id, *request), &Reservation { user: *user, ..reserved });
                }
            }
        }
        Ok(Reply::Done)
    }
}

/// Before it is proposed only.
pub(super) fn check_change(c: &ChangeInvite) -> Result<(), Rejection> {
    match &c.change {
        InviteChange::Create { note, .. } if note.len() > limits::INVITE_NOTE_BYTES => Err(Rejection::TooLarge),
        _ => Ok(()),
    }
}
