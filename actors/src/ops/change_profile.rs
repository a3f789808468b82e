//! `change_profile`: changes the texts that the caller shows of itself, once per request id.

use troupe_core::{Command, machine};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::ChangeProfile {
    fn cost(&self) -> Cost {
        let bytes = self.about.as_ref().map_or(0, String::len) as u64;
        Cost::Units(CHANGE + bytes / BYTES_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let command = Command::from(client::change_profile(caller.user(), self)?);
        machine::check(&command)?;
        service.commit_done(command).await
    }
}
