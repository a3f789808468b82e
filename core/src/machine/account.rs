//! Changes of an account after its creation. Each act of an administrator leaves its audit row in
//! the same commit.
//!
//! The request's entry point has checked that `by` is an administrator, against the state of
//! another slot.

use sha2::{Digest, Sha256};

use super::bot::NOT_FOR_BOTS;
use super::user::{Enrolled, check_hash};
use super::{Outcome, Step};
use crate::command::{AccountChange, ChangeAccount, CreateAccount};
use crate::effect::Ending;
use crate::error::Rejection;
use crate::id::{ClientMessageId, UserId};
use crate::limits;
use crate::planted::Bug;
use crate::record::{AccountRole, Act, LastLogin, Session, Standing, Status, User};
use crate::reply::Reply;
use crate::state::Rows;

impl Step<'_> {
    pub(super) fn create_account(&mut self, c: &CreateAccount) -> Outcome {
        let mut standing = Standing {
            admin: c.admin,
            one_time: c.one_time,
            born_with_cluster: c.born_with_cluster,
            ..Standing::default()
        };
        standing.remember(c.request, Act { digest: creation(c.by.user, c.admin), revision: 0 });
        let user = match self.enrol(&c.name, &c.password_hash, c.request, standing, c.created)? {
            Enrolled::Before(user) => return Ok(Reply::Registered { user }),
            Enrolled::Now(user) => user,
        };
        self.audit(c.name.slot(), c.request, &c.by, CREATE, c.name.as_str(), as_what(c.admin));
        Ok(Reply::Registered { user })
    }

    pub(super) fn change_account(&mut self, c: &ChangeAccount) -> Outcome {
        let mut user = self.state.get::<User>(&c.user).ok_or(Rejection::NoSuchUser)?;
        if let Some(repeated) = user.standing.repeated(c.request, c.by.user, &c.change) {
            return if self.planted(Bug::ReusedKeyAnswered) { Ok(Reply::Done) } else { repeat(&user, c, repeated?) };
        }
        if user.request == c.request {
            return Err(Rejection::RequestReused);
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
                standing.set_role(AccountRole::User);
                standing.one_time = false;
                user.password_hash = String::new();
            }
            AccountChange::SetAdmin { admin: true } => standing.set_role(AccountRole::Admin),
            // An auditor stays one.
            AccountChange::SetAdmin { admin: false } => standing.admin = false,
            AccountChange::SetRole { role } => standing.set_role(*role),
            AccountChange::EndSessions { .. } => {}
        }
        if sets_password(&c.change) {
            // A login in progress that has verified the old password opens no session any more.
            user.standing.revision += 1;
            user.standing.password_set = self.now;
        }
        let revision = password(&c.change).map_or(0, |_| user.standing.revision);
        user.standing.remember(c.request, Act { digest: digest(c.by.user, &c.change), revision });
        self.state.put(&user.id, &user);
        self.end_sessions_by(c);
        match c.change {
            AccountChange::Disable => self.bots_follow(c.user, Ending::Disabled),
            AccountChange::Delete => {
                self.state.delete::<LastLogin>(&c.user);
                self.bots_follow(c.user, Ending::Deleted);
            }
            _ => {}
        }
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
        let is_for_people = sets_password(&c.change) && c.change != AccountChange::Delete;
        let gives_role = match c.change {
            AccountChange::SetAdmin { admin } => admin,
            AccountChange::SetRole { role } => role > AccountRole::User,
            _ => false,
        };
        if (is_for_people || gives_role) && self.is_bot(c.user) {
            return Err(NOT_FOR_BOTS.into());
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
            AccountChange::SetRole { role } if c.by.user == c.user && *role < standing.role() => {
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
            AccountChange::Enable | AccountChange::SetAdmin { .. } | AccountChange::SetRole { .. } => return,
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

impl Standing {
    /// Of a request that has changed the account before: whether it has set the present password,
    /// or the refusal of another request under its id. Passwords are compared by the caller, which
    /// knows more than their hashes.
    pub fn repeated(
        &self,
        request: ClientMessageId,
        by: UserId,
        change: &AccountChange,
    ) -> Option<Result<bool, Rejection>> {
        self.repeats(request, digest(by, change))
    }

    /// The same of the request that has created the account.
    pub fn created_before(&self, request: ClientMessageId, by: UserId, admin: bool) -> Result<(), Rejection> {
        self.repeats(request, creation(by, admin)).unwrap_or(Ok(false)).map(drop)
    }

    fn repeats(&self, request: ClientMessageId, digest: u64) -> Option<Result<bool, Rejection>> {
        let place = self.changes.iter().rposition(|held| *held == request)?;
        let without = self.changes.len().saturating_sub(self.acts.len());
        let Some(act) = place.checked_sub(without).and_then(|place| self.acts.get(place)) else {
            // A row of an earlier version does not say what the request did.
            return Some(Ok(false));
        };
        let present = act.revision != 0 && act.revision == self.revision;
        Some(if act.digest == digest { Ok(present) } else { Err(Rejection::RequestReused) })
    }

    fn remember(&mut self, request: ClientMessageId, act: Act) {
        self.changes.push(request);
        self.acts.push(act);
        if self.changes.len() > limits::CHANGES_REMEMBERED {
            self.changes.remove(0);
        }
        if self.acts.len() > self.changes.len() {
            self.acts.remove(0);
        }
    }
}

/// `present`: the first attempt has set the password that the account has now. Another hash is of
/// an attempt that began before the first was committed: its caller compares the passwords.
fn repeat(user: &User, c: &ChangeAccount, present: bool) -> Outcome {
    match password(&c.change) {
        Some(hash) if present && user.password_hash != *hash => Err(Rejection::AccountChanged),
        _ => Ok(Reply::Done),
    }
}

fn sets_password(change: &AccountChange) -> bool {
    password(change).is_some() || matches!(change, AccountChange::Delete)
}

fn password(change: &AccountChange) -> Option<&String> {
    match change {
        AccountChange::ChangePassword { password_hash, .. } | AccountChange::ResetPassword { password_hash, .. } => {
            Some(password_hash)
        }
        _ => None,
    }
}

fn digest(by: UserId, change: &AccountChange) -> u64 {
    let (action, detail) = act(change).unwrap_or(("user.change_password", String::new()));
    digest_of(by, action, &detail)
}

fn creation(by: UserId, admin: bool) -> u64 {
    digest_of(by, CREATE, as_what(admin))
}

fn digest_of(by: UserId, action: &str, detail: &str) -> u64 {
    let hash = Sha256::digest(format!("{by} {action} {detail}"));
    u64::from_le_bytes(std::array::from_fn(|at| hash[at]))
}

const CREATE: &str = "user.create";

fn as_what(admin: bool) -> &'static str {
    if admin { "as an administrator" } else { "" }
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
        AccountChange::SetRole { role } => ("user.set_role", role.name().to_owned()),
        AccountChange::EndSessions { device: None } => ("user.end_sessions", String::new()),
        AccountChange::EndSessions { device: Some(device) } => ("user.end_sessions", format!("of {device}")),
    })
}

/// Before it is proposed only.
pub(super) fn check_change(c: &ChangeAccount) -> Result<(), Rejection> {
    password(&c.change).map_or(Ok(()), |hash| check_hash(hash))
}
