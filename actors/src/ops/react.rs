//! `react`: gives a reaction to a message or takes it back, once per request id.

use troupe_core::{Append, Command, Intent, Seq, machine};
use troupe_proto::client;

use super::cost::Cost;
use super::send::placed;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::React {
    /// It reaches all members, like a short message.
    fn cost(&self) -> Cost {
        Cost::Units(1)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let actor = caller.user();
        let conversation = client::conversation("react.conversation", &self.conversation)?;
        let client_message_id = client::client_message_id("react.request", &self.request)?;
        let intent = Intent::React { to: Seq(self.seq), emoji: self.emoji, remove: self.remove };
        service.budgets.message(actor, intent.cost())?;
        let command = Command::Append(Append { conversation, actor, client_message_id, after: None, intent });
        machine::check(&command)?;
        placed(service.commit(command).await?, conversation, client_message_id)
    }
}
