//! `change_favourite`: saves a message that the caller sees, or removes it from the saved ones,
//! once per request id.

use troupe_core::command::ChangeFavourite;
use troupe_core::{Command, Seq, machine};
use troupe_proto::client;

use super::cost::{CHANGE, Cost, READ};
use super::list_favourites::seen;
use super::report::no_such_message;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::ChangeFavourite {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE + READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let request = client::client_message_id("change_favourite.request", &self.request)?;
        let conversation = client::conversation("change_favourite.conversation", &self.conversation)?;
        let (user, seq, removed) = (caller.user(), Seq(self.seq), self.removed);
        let command = Command::ChangeFavourite(ChangeFavourite { user, request, conversation, seq, removed });
        machine::check(&command)?;
        if !removed && seen(&service, &caller, &self.conversation, self.seq).await?.is_none() {
            return Err(no_such_message());
        }
        service.commit_done(command).await
    }
}
