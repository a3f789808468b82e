//! Sessions: they open, close, expire when idle, and end with their account.
//!
//! Passwords are not checked here: the caller of `OpenSession` has verified one, and names it.

use super::audit::cut;
use super::bot::NOT_FOR_BOTS;
use super::{Outcome, Step};
use crate::command::{CloseSession, OpenSession, TouchSession};
use crate::effect::{Effect, Ending};
use crate::error::Rejection;
use crate::id::{Timestamp, UserId};
use crate::limits;
use crate::planted::Bug;
use crate::record::{LastLogin, Session, Status, User};
use crate::reply::Reply;
use crate::state::Rows;

/// Writes per idle time for a session in use.
const TOUCHES_PER_IDLE_TIME: u64 = 16;
/// Without an idle time, or with a very long one, a session in use is written once a day.
const LONGEST_BETWEEN_TOUCHES_MS: u64 = 24 * 3600 * 1000;

/// Whether a session has expired.
pub fn has_expired(session: &Session, now: u64, idle_ms: u64) -> bool {
    idle_ms > 0 && now.saturating_sub(session.last_used().0) >= idle_ms
}

/// Whether the use of a session should be written now.
pub fn is_due(session: &Session, now: u64, idle_ms: u64) -> bool {
    let between = match idle_ms {
        0 => LONGEST_BETWEEN_TOUCHES_MS,
        idle => (idle / TOUCHES_PER_IDLE_TIME).clamp(1, LONGEST_BETWEEN_TOUCHES_MS),
    };
    now.saturating_sub(session.last_used().0) >= between
}

impl Step<'_> {
    pub(super) fn open_session(&mut self, c: &OpenSession) -> Outcome {
        let user = self.state.get::<User>(&c.user).ok_or(Rejection::NoSuchUser)?;
        match user.standing.status {
            Status::Active => {}
            Status::Disabled => return Err(Rejection::AccountDisabled),
            Status::Deleted => return Err(Rejection::NoSuchUser),
        }
        // Invariant: private. The token of a bot is its only session.
        if self.is_bot(c.user) {
            return Err(NOT_FOR_BOTS.into());
        }
        if user.standing.revision != c.revision {
            return Err(Rejection::AccountChanged);
        }
        if user.standing.one_time {
            return Err(Rejection::PasswordChangeRequired);
        }
        let held = self.state.get::<Session>(&(c.user, c.device.clone()));
        if held.as_ref().is_some_and(|held| held.token == c.token) {
            return Ok(Reply::SessionOpened { replaced: None });
        }
        if let Some(held) = &held {
            self.session_ended(c.user, held, Ending::Replaced);
        }
        let (device, token) = (c.device.clone(), c.token);
        let session = Session { device, token, created: self.now, used: Timestamp(0) };
        self.state.put(&(c.user, session.device.clone()), &session);
        self.end_oldest_sessions(c);
        if !c.from.is_empty() && !self.planted(Bug::LoginNotRecorded) {
            self.state.put(&c.user, &LastLogin { at: self.now, from: cut(&c.from) });
        }
        Ok(Reply::SessionOpened { replaced: held.map(|held| held.token) })
    }

    /// The session just opened is spared even if the clock of an earlier leader was ahead.
    fn end_oldest_sessions(&mut self, opened: &OpenSession) {
        let sessions = self.state.page::<Session>(&opened.user, None, usize::MAX).into_iter();
        let mut sessions: Vec<Session> = sessions.map(|(_, session)| session).collect();
        let surplus = sessions.len().saturating_sub(limits::SESSIONS_PER_USER);
        sessions.retain(|session| session.device != opened.device);
        sessions.sort_by(|a, b| (a.created, &a.device).cmp(&(b.created, &b.device)));
        for session in sessions.iter().take(surplus) {
            self.end_session(opened.user, session, Ending::TooManySessions);
        }
    }

    pub(super) fn close_session(&mut self, c: &CloseSession) -> Outcome {
        let held = self.state.get::<Session>(&(c.user, c.device.clone()));
        let meant = held.filter(|held| c.token.is_none_or(|token| token == held.token));
        if let Some(session) = &meant {
            let why = if c.token.is_some() { Ending::LoggedOut } else { Ending::Revoked };
            self.end_session(c.user, session, why);
        }
        Ok(Reply::SessionClosed { closed: meant.map(|session| session.token) })
    }

    pub(super) fn touch_session(&mut self, c: &TouchSession) -> Outcome {
        let held = self.state.get::<Session>(&(c.user, c.device.clone())).filter(|held| held.token == c.token);
        let Some(mut session) = held else { return Ok(Reply::SessionTouched { open: false }) };
        if !c.live && has_expired(&session, self.now.0, c.idle_ms) && !self.is_bot(c.user) {
            self.end_session(c.user, &session, Ending::Expired);
            return Ok(Reply::SessionTouched { open: false });
        }
        // Proposed twice, or by two leaders, it is written once.
        if is_due(&session, self.now.0, c.idle_ms) {
            session.used = self.now;
            self.state.put(&(c.user, session.device.clone()), &session);
        }
        Ok(Reply::SessionTouched { open: true })
    }

    pub(super) fn end_session(&mut self, user: UserId, session: &Session, why: Ending) {
        if !self.planted(Bug::EndedSessionResumes) {
            self.state.delete::<Session>(&(user, session.device.clone()));
        }
        self.session_ended(user, session, why);
    }

    fn session_ended(&mut self, user: UserId, session: &Session, why: Ending) {
        self.end_subscriptions(user, session);
        let (device, token) = (session.device.clone(), session.token);
        self.effects.push(Effect::SessionEnded { user, device, token, why });
    }
}
