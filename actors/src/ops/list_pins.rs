//! `list_pins`: the pinned messages of a conversation that the caller sees.

use troupe_core::feature::{Pin, Pins};
use troupe_core::{ConversationId, Rejection, UserId};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};
use crate::visible::visible_from;

/// The member and the pins.
const ROWS: usize = 2;

impl Operation for wire::ListPins {
    fn cost(&self) -> Cost {
        Cost::Units(READ + 1)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_pins.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListPins {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Pins>, Refusal> {
        let conversation = client::conversation("list_pins.conversation", &self.conversation)?;
        Ok(Plan::read(user, ROWS, move |view| pins(view, user, conversation)))
    }
}

// Invariant: private. A member learns nothing of pins from before it joined.
fn pins(view: &View, user: UserId, conversation: ConversationId) -> Found<wire::Pins> {
    let Some(since) = visible_from(view, conversation, user)? else {
        return Ok(Err(Rejection::NotMember.into()));
    };
    let pins = view.get::<Pins>(&conversation)?.unwrap_or_default().pins;
    let seen = pins.into_iter().filter(|pin| pin.seq >= since.0);
    let pin = |Pin { seq, by, time_ms }| wire::Pin { seq, by, time_ms };
    Ok(Ok(wire::Pins { pins: seen.map(pin).collect() }))
}
