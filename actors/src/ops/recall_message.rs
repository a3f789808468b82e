//! `recall_message`: erases the content of a message, once per request id.
//!
//! The cluster sets for how long a sender may. This node passes that on, and `apply` compares it
//! with the times of the log, so no clock of a node decides.

use troupe_core::{Command, machine};
use troupe_proto::client;

use super::cost::{CHANGE, Cost};
use super::send::placed;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::RecallMessage {
    /// More than a short message: it rewrites the events of the message and of its edits.
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let seconds = service.context.router.routing().settings.recall_seconds;
        let append = client::recall_message(caller.user(), &self, seconds.saturating_mul(1_000))?;
        let (conversation, id) = (append.conversation, append.client_message_id);
        service.budgets.message(caller.user(), append.intent.cost())?;
        let command = Command::Append(append);
        machine::check(&command)?;
        placed(service.commit(command).await?, conversation, id)
    }
}
