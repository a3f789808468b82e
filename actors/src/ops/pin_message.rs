//! `pin_message`: pins a message for all members or takes the pin away, once per request id.

use troupe_core::{Append, Command, Intent, Seq, machine};
use troupe_proto::client;

use super::cost::{CHANGE, Cost};
use super::send::placed;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::PinMessage {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let actor = caller.user();
        let conversation = client::conversation("pin_message.conversation", &self.conversation)?;
        let client_message_id = client::client_message_id("pin_message.request", &self.request)?;
        let intent = Intent::Pin { to: Seq(self.seq), remove: self.remove };
        service.budgets.message(actor, intent.cost())?;
        let command = Command::Append(Append { conversation, actor, client_message_id, after: None, intent });
        machine::check(&command)?;
        placed(service.commit(command).await?, conversation, client_message_id)
    }
}
