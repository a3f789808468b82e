//! Changes of an account after its creation. Each act of an administrator leaves its audit row in
//! the same commit.
//!
//! The request's entry point has checked that `by` is an administrator, against the state of
//! another slot.

use super::user::{Enrolled, check_hash};
use super::{Outcome, Step};
use crate::command::{AccountChange, ChangeAccount, CreateAccount};
use crate::effect::Ending;
use crate::error::Rejection;
use crate::limits;
use crate::record::{Session, Standing, Status, User};
use crate::reply::Reply;
use crate::state::Rows;

impl Step<'_> {
    pub(super) fn create_account(&mut self, c: &CreateAccount) -> Outcome {
        let standing = Standing {
            admin: c.admin,
            one_time: c.one_time,
            born_with_cluster: c.born_with_cluster,
            ..Standing::default()
        };
        let user = match self.enrol(&c.name, &c.password_hash, c.request, standing, c.created)? {
            Enrolled::Before(user) => return Ok(Reply::Registered { user }),
            Enrolled::Now(user) => user,
        };
        let detail = if c.admin { "as an administrator" } else { "" };
        self.audit(c.name.slot(), c.request, &c.by, "user.create", c.name.as_str(), detail);
        Ok(Reply::Registered { user })
    }

    pub(super) fn change_account(&mut self, c: &ChangeAccount) -> Outcome {
        let mut user = self.state.get::<User>(&c.user).ok_or(Rejection::NoSuchUser)?;
        if user.standing.changes.contains(&c.request) {
            return Ok(Reply::Done);
        }
        self.may_change(&user, c)?;
        let standing = &mut user.standing;
        match &c.change {
            AccountChange::ChangePassword { password_hash, .. } => {
                user.password_hash = password_hash.clone();
                standing.one_time = false;
            }
            AccountChange::ResetPassword { password_hash, .. } => {
                user.password_hash = password_hash.clone();
                standing.one_time = true;
            }
            AccountChange::Disable => standing.status = Status::Disabled,
            AccountChange::Enable => standing.status = Status::Active,
            AccountChange::Delete => {
                standing.status = Status::Deleted;
                standing.admin = false;
                standing.one_time = false;
                user.password_hash = String::new();
            }
            AccountChange::SetAdmin { admin } => standing.admin = *admin,
            AccountChange::EndSessions { .. } => {}
        }
        if sets_password(&c.change) {
            // A login in progress that has verified the old password opens no session any more.
            user.standing.revision += 1;
            user.standing.password_set = self.now;
        }
        let changes = &mut user.standing.changes;
        changes.push(c.request);
        if changes.len() > limits::CHANGES_REMEMBERED {
            changes.remove(0);
        }
        self.state.put(&user.id, &user);
        self.end_sessions_by(c);
        if let Some((action, detail)) = act(&c.change) {
            self.audit(c.user.slot(), c.request, &c.by, action, &user.name, &detail);
        }
        Ok(Reply::Done)
    }

    fn may_change(&self, user: &User, c: &ChangeAccount) -> Result<(), Rejection> {
        let standing = &user.standing;
        if standing.status == Status::Deleted {
            return Err(Rejection::NoSuchUser);
        }
        match &c.change {
            AccountChange::ChangePassword { revision, .. } => {
                if standing.status == Status::Disabled {
                    return Err(Rejection::AccountDisabled);
                }
                if standing.revision == *revision { Ok(()) } else { Err(Rejection::AccountChanged) }
            }
            AccountChange::ResetPassword { revision, .. } => {
                if standing.revision == *revision {
                    Ok(())
                } else {
                    Err(Rejection::AccountChanged)
                }
            }
            // An administrator that removes another one remains, so there is always one left.
            AccountChange::Disable | AccountChange::Delete | AccountChange::SetAdmin { admin: false }
                if c.by.user == c.user =>
            {
                Err(Rejection::OwnAccount)
            }
            _ => Ok(()),
        }
    }

    fn end_sessions_by(&mut self, c: &ChangeAccount) {
        let why = match &c.change {
            AccountChange::ChangePassword { .. } => Ending::PasswordChanged,
            AccountChange::ResetPassword { .. } => Ending::PasswordReset,
            AccountChange::Disable => Ending::Disabled,
            AccountChange::Delete => Ending::Deleted,
            AccountChange::EndSessions { .. } => Ending::Revoked,
            AccountChange::Enable | AccountChange::SetAdmin { .. } => return,
        };
        for (_, session) in self.state.page::<Session>(&c.user, None, usize::MAX) {
            let spared = match &c.change {
                AccountChange::ChangePassword { keep: Some((device, token)), .. } => {
                    session.device == *device && session.token == *token
                }
                AccountChange::EndSessions { device: Some(device) } => session.device != *device,
                _ => false,
            };
            if !spared {
                self.end_session(c.user, &session, why);
            }
        }
    }
}

fn sets_password(change: &AccountChange) -> bool {
    use AccountChange::{ChangePassword, Delete, ResetPassword};
    matches!(change, ChangePassword { .. } | ResetPassword { .. } | Delete)
}

/// Its name in the audit log. A user's own password change is not an act of an administrator.
fn act(change: &AccountChange) -> Option<(&'static str, String)> {
    Some(match change {
        AccountChange::ChangePassword { .. } => return None,
        AccountChange::ResetPassword { .. } => ("user.reset_password", String::new()),
        AccountChange::Disable => ("user.disable", String::new()),
        AccountChange::Enable => ("user.enable", String::new()),
        AccountChange::Delete => ("user.delete", String::new()),
        AccountChange::SetAdmin { admin: true } => ("user.make_admin", String::new()),
        AccountChange::SetAdmin { admin: false } => ("user.revoke_admin", String::new()),
        AccountChange::EndSessions { device: None } => ("user.end_sessions", String::new()),
        AccountChange::EndSessions { device: Some(device) } => ("user.end_sessions", format!("of {device}")),
    })
}

/// Before it is proposed only.
pub(super) fn check_change(c: &ChangeAccount) -> Result<(), Rejection> {
    match &c.change {
        AccountChange::ChangePassword { password_hash, .. } | AccountChange::ResetPassword { password_hash, .. } => {
            check_hash(password_hash)
        }
        _ => Ok(()),
    }
}
