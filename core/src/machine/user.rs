//! Accounts, sessions and the conversation list: everything in the slot of a user.
//!
//! Passwords are not checked here: the hash only passes through, and the caller of `OpenSession` has verified it.

use super::{Outcome, Step};
use crate::command::{CloseSession, OpenSession, Register, UpdateInbox};
use crate::effect::Effect;
use crate::error::Rejection;
use crate::id::{Seq, UserId};
use crate::limits;
use crate::record::{InboxEntry, Session, User};
use crate::reply::Reply;

impl Step<'_> {
    pub(super) fn register(&mut self, c: &Register) -> Outcome {
        let key = c.name.key().as_str();
        if let Some(user) = self.state.user_of_name(key) {
            let repeated = self.state.user(user).is_some_and(|row| row.request == c.request);
            return if repeated { Ok(Reply::Registered { user }) } else { Err(Rejection::NameTaken) };
        }
        let id = UserId(self.mint(c.name.slot())?);
        self.state.put_name(key, id);
        self.state.put_user(&User {
            id,
            name: c.name.as_str().to_owned(),
            password_hash: c.password_hash.clone(),
            created: self.now,
            request: c.request,
        });
        Ok(Reply::Registered { user: id })
    }

    pub(super) fn open_session(&mut self, c: &OpenSession) -> Outcome {
        self.state.user(c.user).ok_or(Rejection::NoSuchUser)?;
        let held = self.state.session(c.user, &c.device);
        if held.as_ref().is_some_and(|held| held.token == c.token) {
            return Ok(Reply::SessionOpened { replaced: None });
        }
        if let Some(held) = &held {
            self.session_ended(c.user, held);
        }
        self.state.put_session(c.user, &Session { device: c.device.clone(), token: c.token, created: self.now });
        self.end_oldest_sessions(c);
        Ok(Reply::SessionOpened { replaced: held.map(|held| held.token) })
    }

    /// The session just opened is spared even if the clock of an earlier leader was ahead.
    fn end_oldest_sessions(&mut self, opened: &OpenSession) {
        let mut sessions = self.state.sessions(opened.user);
        let surplus = sessions.len().saturating_sub(limits::SESSIONS_PER_USER);
        sessions.retain(|session| session.device != opened.device);
        sessions.sort_by(|a, b| (a.created, &a.device).cmp(&(b.created, &b.device)));
        for session in sessions.iter().take(surplus) {
            self.state.delete_session(opened.user, &session.device);
            self.session_ended(opened.user, session);
        }
    }

    pub(super) fn close_session(&mut self, c: &CloseSession) -> Outcome {
        let held = self.state.session(c.user, &c.device);
        let meant = held.filter(|held| c.token.is_none_or(|token| token == held.token));
        if let Some(session) = &meant {
            self.state.delete_session(c.user, &c.device);
            self.session_ended(c.user, session);
        }
        Ok(Reply::SessionClosed { closed: meant.map(|session| session.token) })
    }

    fn session_ended(&mut self, user: UserId, session: &Session) {
        self.effects.push(Effect::SessionEnded { user, device: session.device.clone(), token: session.token });
    }

    /// Outbox rows may come twice and in any order; the highest version is the truth.
    pub(super) fn update_inbox(&mut self, c: &UpdateInbox) -> Outcome {
        let held = self.state.inbox_entry(c.user, c.conversation).map_or(Seq::ZERO, |entry| entry.version);
        if c.version > held {
            let entry = InboxEntry { conversation: c.conversation, present: c.present, version: c.version };
            self.state.put_inbox_entry(c.user, &entry);
        }
        // Also when it is carried a second time: whoever committed it first may have had no answer, and told nobody.
        if c.version >= held && c.version > Seq::ZERO {
            self.effects.push(Effect::InboxChanged {
                user: c.user,
                conversation: c.conversation,
                present: c.present,
                version: c.version,
            });
        }
        Ok(Reply::Done)
    }
}

/// Before it is proposed only: old logs may hold others, and `apply` takes them as it always has.
pub(super) fn check_register(c: &Register) -> Result<(), Rejection> {
    if c.password_hash.len() > limits::PASSWORD_HASH_BYTES { Err(Rejection::TooLarge) } else { Ok(()) }
}
