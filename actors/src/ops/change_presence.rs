//! `change_presence`: who sees whether the caller is online, and when it last was.

use troupe_core::command::ShowPresence;
use troupe_core::record::Viewers;
use troupe_core::{Command, Rejection};

use super::cost::{CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

const NO_VIEWERS: Rejection = Rejection::BadRequest("presence is shown to everyone, contacts or no one: name one");

impl Operation for wire::ChangePresence {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let to = u64::try_from(self.shown_to).ok().and_then(Viewers::of).ok_or(NO_VIEWERS)?;
        service.commit_done(Command::ShowPresence(ShowPresence { user: caller.user(), to })).await
    }
}
