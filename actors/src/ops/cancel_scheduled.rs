//! `cancel_scheduled`: takes a scheduled message back before its time, or a refused one off the
//! list.

use troupe_core::Command;
use troupe_core::command::CancelScheduled;
use troupe_proto::client;

use super::cost::{CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::CancelScheduled {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("cancel_scheduled.conversation", &self.conversation)?;
        let id = client::client_message_id("cancel_scheduled.client_message_id", &self.client_message_id)?;
        let cancel = CancelScheduled { conversation, sender: caller.user(), client_message_id: id };
        service.commit_done(Command::CancelScheduled(cancel)).await
    }
}
