//! `close_poll`: ends a poll with its counts, once per request id.

use troupe_core::{Command, machine};
use troupe_proto::client;

use super::cost::Cost;
use super::send::placed;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::ClosePoll {
    /// It reaches all members, like a short message.
    fn cost(&self) -> Cost {
        Cost::Units(1)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let append = client::close_poll(caller.user(), &self)?;
        let (conversation, id) = (append.conversation, append.client_message_id);
        service.budgets.message(caller.user(), append.intent.cost())?;
        let command = Command::Append(append);
        machine::check(&command)?;
        placed(service.commit(command).await?, conversation, id)
    }
}
