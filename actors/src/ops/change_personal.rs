//! `change_personal`: changes the caller's own state of a conversation, once per request id, and
//! answers with the state behind it.

use troupe_core::{Command, machine};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::ChangePersonal {
    fn cost(&self) -> Cost {
        let bytes = self.draft.as_ref().map_or(0, String::len) as u64;
        Cost::Units(CHANGE + bytes / BYTES_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let change = client::change_personal(caller.user(), self)?;
        let conversation = change.conversation;
        let command = Command::from(change);
        machine::check(&command)?;
        service.commit_done(command).await?;
        let show = wire::ShowPersonal { conversation: conversation.to_string() };
        service.ask_leader(conversation.slot(), caller.user(), show).await
    }
}
