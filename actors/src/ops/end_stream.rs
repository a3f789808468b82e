//! `end_stream`: a message of the caller grows no more, once per request id.

use troupe_core::{Command, machine};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, CHANGE, Cost};
use super::send::placed;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::EndStream {
    /// It rewrites all pieces as one body.
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE + self.text.len() as u64 / BYTES_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let append = client::end_stream(caller.user(), self)?;
        let (conversation, id) = (append.conversation, append.client_message_id);
        service.budgets.message(caller.user(), append.intent.cost())?;
        let command = Command::Append(append);
        machine::check(&command)?;
        placed(service.commit(command).await?, conversation, id)
    }
}
