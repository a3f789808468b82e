//! `edit_message`: gives a message of the caller another body, once per request id.

use troupe_core::{Command, machine};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, Cost};
use super::send::{placed, written};
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::EditMessage {
    /// That of a message with this body.
    fn cost(&self) -> Cost {
        Cost::Units(1 + self.body.as_ref().map_or(0, |body| body.content.len() as u64 / BYTES_PER_UNIT))
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        self.body.as_ref().map_or(Ok(()), written)?;
        let append = client::edit_message(caller.user(), self)?;
        let (conversation, id) = (append.conversation, append.client_message_id);
        service.budgets.message(caller.user(), append.intent.cost())?;
        let command = Command::Append(append);
        machine::check(&command)?;
        placed(service.commit(command).await?, conversation, id)
    }
}
