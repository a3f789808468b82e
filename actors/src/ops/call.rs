//! `call`: starts a call, answers it, or ends it, once per request id.

use troupe_core::signal::device_tag;
use troupe_core::{Command, machine};
use troupe_proto::client;

use super::cost::{CHANGE, Cost};
use super::send::placed;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::Call {
    /// Its start makes all devices of another user ring.
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let append = client::call(caller.user(), device_tag(&caller.session.token), self)?;
        service.budgets.message(caller.user(), append.intent.cost())?;
        let (conversation, client_message_id) = (append.conversation, append.client_message_id);
        let command = Command::Append(append);
        machine::check(&command)?;
        placed(service.commit(command).await?, conversation, client_message_id)
    }
}
