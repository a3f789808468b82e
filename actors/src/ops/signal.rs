//! `signal`: typing and the like, to the devices of other members that are connected now.

use troupe_core::signal::device_tag;
use troupe_core::{ConversationId, Seq, Signal, limits};
use troupe_proto::client;

use super::cost::Cost;
use super::{Answered, Operation};
use crate::message::{Refusal, Request, wire};
use crate::service::{Caller, Service};

/// Members whose devices cost one unit.
const MEMBERS_PER_UNIT: usize = 32;

impl Operation for wire::Signal {
    /// That of the most members that may get it.
    fn cost(&self) -> Cost {
        let is_direct = matches!(self.conversation.parse(), Ok(ConversationId::Direct { .. }));
        Cost::Units(if is_direct { 1 } else { (limits::SIGNAL_MEMBERS / MEMBERS_PER_UNIT) as u64 })
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let signal = Signal {
            conversation: client::conversation("signal.conversation", &self.conversation)?,
            from: caller.user(),
            device: device_tag(&caller.session.token),
            to: self.device,
            kind: self.kind,
            payload: self.payload,
            at: Seq::ZERO,
        };
        signal.check()?;
        service.budgets.signal(caller.user())?;
        match service.ask(signal.conversation.slot(), Request::Signal(signal)).await {
            // It may be on its way or lost, which its contract allows.
            Ok(_) | Err(Refusal::Unavailable) => Ok(wire::Done {}),
            Err(refusal) => Err(refusal),
        }
    }
}
