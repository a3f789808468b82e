//! How an account begins, and the conversation list: what lives in the slot of a user besides sessions.

use super::{Outcome, Step};
use crate::command::{Register, UpdateInbox};
use crate::effect::Effect;
use crate::error::Rejection;
use crate::id::{ClientMessageId, Seq, UserId};
use crate::limits;
use crate::name::Username;
use crate::record::{InboxEntry, Standing, User};
use crate::reply::Reply;

/// What came of asking for a name.
pub(super) enum Enrolled {
    Now(UserId),
    /// By the same request, earlier.
    Before(UserId),
}

impl Step<'_> {
    pub(super) fn register(&mut self, c: &Register) -> Outcome {
        match self.enrol(&c.name, &c.password_hash, c.request, Standing::default())? {
            Enrolled::Now(user) | Enrolled::Before(user) => Ok(Reply::Registered { user }),
        }
    }

    /// Name and id become taken in one commit.
    pub(super) fn enrol(
        &mut self,
        name: &Username,
        password_hash: &str,
        request: ClientMessageId,
        standing: Standing,
    ) -> Result<Enrolled, Rejection> {
        let key = name.key().as_str();
        if let Some(user) = self.state.user_of_name(key) {
            let repeated = self.state.user(user).is_some_and(|row| row.request == request);
            return if repeated { Ok(Enrolled::Before(user)) } else { Err(Rejection::NameTaken) };
        }
        let id = UserId(self.mint(name.slot())?);
        self.state.put_name(key, id);
        self.state.put_user(&User {
            id,
            name: name.as_str().to_owned(),
            password_hash: password_hash.to_owned(),
            created: self.now,
            request,
            standing,
        });
        Ok(Enrolled::Now(id))
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
    check_hash(&c.password_hash)
}

pub(super) fn check_hash(password_hash: &str) -> Result<(), Rejection> {
    if password_hash.len() > limits::PASSWORD_HASH_BYTES { Err(Rejection::TooLarge) } else { Ok(()) }
}
