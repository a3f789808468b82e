//! Subscriptions of Web Push: each belongs to a session and ends with it. The key of the cluster is
//! made once.

use super::{Outcome, Step, somebody};
use crate::command::{ChangePush, MakePushKey, PushChange};
use crate::error::{Refused, Rejection};
use crate::id::{ConversationId, UserId};
use crate::limits;
use crate::planted::Bug;
use crate::record::{PushKey, PushSubscription, Session};
use crate::reply::Reply;
use crate::state::Rows;

pub const BAD_PUSH_ENDPOINT: Refused = Refused {
    code: "bad_push_endpoint",
    text: "an endpoint is a URL of https with a public host, as the browser gives it, at most 1024 bytes long",
};
pub const BAD_PUSH_KEYS: Refused = Refused {
    code: "bad_push_keys",
    text: "the keys of a subscription are p256dh, 65 bytes, and auth, 16 bytes, in base64url as the browser gives them",
};
pub const TOO_MANY_SUBSCRIPTIONS: Refused = Refused {
    code: "too_many_subscriptions",
    text: "this user has its largest number of subscriptions: end one, or log a device out",
};
/// Of a cluster whose operator has not set it up.
pub const PUSH_OFF: Refused =
    Refused { code: "push_off", text: "this server sends no pushes: ask its operator to set push.subject" };
/// The session of the request has ended meanwhile.
pub const SESSION_OVER: Refused =
    Refused { code: "session_over", text: "this session has ended meanwhile: log in, then subscribe again" };
pub const REFUSALS: &[Refused] = &[BAD_PUSH_ENDPOINT, BAD_PUSH_KEYS, TOO_MANY_SUBSCRIPTIONS, PUSH_OFF, SESSION_OVER];

/// Below 2^53, so that JSON keeps it.
pub fn subscription_id(endpoint: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(endpoint.as_bytes()) >> 11
}

pub(super) fn check_push(c: &ChangePush) -> Result<(), Rejection> {
    somebody(c.user)?;
    let PushChange::Subscribe { endpoint, p256dh, auth, .. } = &c.change else { return Ok(()) };
    if endpoint.is_empty() || endpoint.len() > limits::PUSH_ENDPOINT_BYTES {
        return Err(BAD_PUSH_ENDPOINT.into());
    }
    if p256dh.len() > limits::PUSH_KEY_BYTES || auth.len() > limits::PUSH_KEY_BYTES {
        return Err(BAD_PUSH_KEYS.into());
    }
    Ok(())
}

pub(super) fn check_push_key(c: &MakePushKey) -> Result<(), Rejection> {
    let fits = |text: &str| (1..=limits::PUSH_KEY_BYTES * 4).contains(&text.len());
    if fits(&c.private) && fits(&c.public) { Ok(()) } else { Err(Rejection::BadRequest("a key has two parts")) }
}

impl Step<'_> {
    pub(super) fn change_push(&mut self, c: &ChangePush) -> Outcome {
        check_push(c)?;
        match &c.change {
            PushChange::Subscribe { device, token, endpoint, p256dh, auth } => {
                let session = self.state.get::<Session>(&(c.user, device.clone()));
                if session.is_none_or(|session| session.token != *token) {
                    return Err(SESSION_OVER.into());
                }
                let key = (c.user, subscription_id(endpoint));
                let held = self.state.page::<PushSubscription>(&c.user, None, limits::PUSH_SUBSCRIPTIONS);
                if held.len() >= limits::PUSH_SUBSCRIPTIONS && !held.iter().any(|(id, _)| *id == key) {
                    return Err(TOO_MANY_SUBSCRIPTIONS.into());
                }
                let row = PushSubscription {
                    endpoint: endpoint.clone(),
                    p256dh: p256dh.clone(),
                    auth: auth.clone(),
                    device: device.clone(),
                    token: *token,
                    created: self.now(),
                };
                self.state.put(&key, &row);
            }
            PushChange::End { .. } if self.planted(Bug::SubscriptionKept) => {}
            PushChange::End { endpoint } => {
                self.state.delete::<PushSubscription>(&(c.user, subscription_id(endpoint)));
            }
        }
        Ok(Reply::Done)
    }

    /// Two nodes may make a key at once: the first in the log stays.
    pub(super) fn make_push_key(&mut self, c: &MakePushKey) -> Outcome {
        check_push_key(c)?;
        if self.state.get::<PushKey>(&ConversationId::Everyone).is_none() {
            let key = PushKey { private: c.private.clone(), public: c.public.clone() };
            self.state.put(&ConversationId::Everyone, &key);
        }
        Ok(Reply::Done)
    }

    /// The session of these subscriptions has ended.
    // Invariant: private. A device that was logged out gets nothing more.
    pub(super) fn end_subscriptions(&mut self, user: UserId, session: &Session) {
        for (key, row) in self.state.page::<PushSubscription>(&user, None, limits::PUSH_SUBSCRIPTIONS) {
            if row.token == session.token && !self.planted(Bug::SubscriptionKept) {
                self.state.delete::<PushSubscription>(&key);
            }
        }
    }
}
