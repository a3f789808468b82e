//! The creation of an account. The conversation list is in [`super::inbox`].

use super::{Outcome, Step};
use crate::command::Register;
use crate::error::Rejection;
use crate::id::{ClientMessageId, Timestamp, UserId};
use crate::limits;
use crate::name::Username;
use crate::record::{NameOf, Standing, User};
use crate::reply::Reply;
use crate::state::Rows;

/// The outcome of a request for a name.
pub(super) enum Enrolled {
    Now(UserId),
    /// Created earlier by the same request.
    Before(UserId),
}

impl Step<'_> {
    pub(super) fn register(&mut self, c: &Register) -> Outcome {
        match self.enrol(&c.name, &c.password_hash, c.request, Standing::default(), None)? {
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
        created: Option<Timestamp>,
    ) -> Result<Enrolled, Rejection> {
        let key = NameOf::of(name.key().as_str());
        if let Some(NameOf(user)) = self.state.get(&key) {
            let repeated = self.state.get::<User>(&user).is_some_and(|row| row.request == request);
            return if repeated { Ok(Enrolled::Before(user)) } else { Err(Rejection::NameTaken) };
        }
        let id = UserId(self.mint(name.slot())?);
        self.state.put(&key, &NameOf(id));
        let user = User {
            id,
            name: name.as_str().to_owned(),
            password_hash: password_hash.to_owned(),
            created: created.unwrap_or(self.now).min(self.now),
            request,
            standing,
        };
        self.state.put(&id, &user);
        Ok(Enrolled::Now(id))
    }
}

/// Checked before the proposal only: old logs may hold others, and `apply` accepts them as before.
pub(super) fn check_register(c: &Register) -> Result<(), Rejection> {
    check_hash(&c.password_hash)
}

pub(super) fn check_hash(password_hash: &str) -> Result<(), Rejection> {
    if password_hash.len() > limits::PASSWORD_HASH_BYTES { Err(Rejection::TooLarge) } else { Ok(()) }
}
