//! Calls as clients see them.

use troupe_core::command::{Append, Intent};
use troupe_core::feature::{CallAnswer, CallOutcome};
use troupe_core::form::DecodeError;
use troupe_core::{Seq, UserId};

use crate::field::{self, client_message_id, conversation};
use crate::wire::client as wire;
use crate::wire::client::call::Step;

/// A step of `actor`, from this device: [`troupe_core::signal::device_tag`].
pub fn call(actor: UserId, device: u64, call: wire::Call) -> Result<Append, DecodeError> {
    let intent = match field::required("call.step", call.step)? {
        Step::Start(wire::StartCall { video }) => Intent::StartCall { video, device },
        Step::Answer(wire::AnswerCall { call, answer }) => {
            let known = u64::try_from(answer).ok().and_then(CallAnswer::of);
            let answer = known.ok_or(field::invalid("call.answer", "an answer is accept, refuse or busy"))?;
            Intent::AnswerCall { call: Seq(call), answer, device }
        }
        Step::End(call) => Intent::EndCall { call: Seq(call) },
    };
    Ok(Append {
        conversation: conversation("call.conversation", &call.conversation)?,
        actor,
        client_message_id: client_message_id("call.request", &call.request)?,
        after: None,
        intent,
    })
}

impl From<CallOutcome> for wire::CallOutcome {
    fn from(outcome: CallOutcome) -> wire::CallOutcome {
        match outcome {
            CallOutcome::Talked => wire::CallOutcome::Talked,
            CallOutcome::Refused => wire::CallOutcome::CallRefused,
            CallOutcome::Busy => wire::CallOutcome::CallBusy,
            CallOutcome::Cancelled => wire::CallOutcome::Cancelled,
            CallOutcome::Missed => wire::CallOutcome::Missed,
        }
    }
}
