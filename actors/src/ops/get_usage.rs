//! `get_usage`: the room that the caller's files take over all conversations.

use troupe_core::UserId;
use troupe_core::record::Room;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::GetUsage {
    fn cost(&self) -> Cost {
        Cost::Units(READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        let most_bytes = service.context.router.routing().settings.file_bytes;
        let usage = service.ask_leader(user.slot(), user, self).await?;
        Ok(wire::Usage { most_bytes, ..usage })
    }
}

impl AtLeader for wire::GetUsage {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Usage>, Refusal> {
        Ok(Plan::read(user, 1, move |view| {
            let Room { bytes, reserved, .. } = view.get::<Room>(&user)?.unwrap_or_default();
            Ok(Ok(wire::Usage { bytes, reserved_bytes: reserved, ..wire::Usage::default() }))
        }))
    }
}
