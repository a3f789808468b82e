//! Calls between the two users of a direct conversation: the caller, the device that takes the
//! call, and the end.
//!
//! The log has each step, and a row has the call that is under way. So `apply` decides which device
//! of the called user wins: the first that accepts. Sound and pictures do not pass the cluster; the
//! two devices agree on them by signals ([`crate::signal`]), which no log keeps.

use super::Append;
use crate::error::{Refused, Rejection};
use crate::event::{Event, EventKind};
use crate::form::record;
use crate::id::{ConversationId, Seq, Timestamp, UserId};
use crate::limits;
use crate::machine::{Step, id_beside};
use crate::planted::Bug;
use crate::record::{Conversation, Work, table};
use crate::state::Rows;

const NO_CALLS_HERE: Rejection =
    Rejection::BadRequest("two users call each other in their direct conversation: name that one");
pub const CALL_UNDER_WAY: Refused = Refused {
    code: "call_under_way",
    text: "these two users have a call under way: answer it, or end it before the next one",
};
pub const CALL_OVER: Refused =
    Refused { code: "call_over", text: "this call is over, or there was none with this number: look at the log" };
pub const ALREADY_ANSWERED: Refused = Refused {
    code: "already_answered",
    text: "another device has taken this call: stop ringing, or end the call to hang up",
};
pub const OWN_CALL: Refused =
    Refused { code: "own_call", text: "you are the caller: wait for an answer, or end the call" };
pub(super) const REFUSALS: &[Refused] = &[CALL_UNDER_WAY, CALL_OVER, ALREADY_ANSWERED, OWN_CALL];

/// The answer of a device of the called user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallAnswer {
    Accept,
    Refuse,
    /// The user has another call.
    Busy,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// Answered, and one of the two hung up.
    Talked,
    Refused,
    Busy,
    /// By the caller, before an answer.
    Cancelled,
    /// No device answered in time.
    Missed,
}

macro_rules! numbered {
    ($type:ident: $($number:literal $variant:ident $name:literal)*) => {
        impl $type {
            pub const ALL: &[$type] = &[$($type::$variant),*];

            pub const fn number(self) -> u8 {
                match self { $($type::$variant => $number),* }
            }

            /// For programs, in forms other than protobuf.
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name),* }
            }

            pub fn named(name: &str) -> Option<$type> {
                $type::ALL.iter().copied().find(|of| of.name() == name)
            }

            pub fn of(number: u64) -> Option<$type> {
                $type::ALL.iter().copied().find(|of| u64::from(of.number()) == number)
            }
        }
    };
}

numbered!(CallAnswer: 1 Accept "accept" 2 Refuse "refuse" 3 Busy "busy");
numbered!(CallOutcome: 1 Talked "talked" 2 Refused "refused" 3 Busy "busy" 4 Cancelled "cancelled" 5 Missed "missed");

record! {
    "active_call";
    /// The call that rings or lasts in a direct conversation. Its end deletes the row.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ActiveCall {
        /// The event that began it.
        pub call: Seq = 1,
        pub caller: UserId = 2,
        pub video: bool = 3,
        pub started: Timestamp = 4,
        /// Zero: it rings.
        pub answered: Timestamp = 5,
        /// The device that took it: [`crate::signal::device_tag`].
        pub device: u64 = 6,
    }
}

table!(ActiveCall, Conversations, Some(0x88), ConversationId);

impl ActiveCall {
    pub fn is_answered(&self) -> bool {
        self.answered.0 > 0
    }

    /// When it ends by itself.
    fn until(&self) -> Timestamp {
        match self.is_answered() {
            true => Timestamp(self.answered.0.saturating_add(limits::CALL_MS)),
            false => Timestamp(self.started.0.saturating_add(limits::CALL_RINGS_MS)),
        }
    }

    fn ended(&self, outcome: CallOutcome, at: Timestamp) -> EventKind {
        let lasted_ms = if self.is_answered() { at.0.saturating_sub(self.answered.0) } else { 0 };
        EventKind::CallEnded { call: self.call, caller: self.caller, video: self.video, outcome, lasted_ms }
    }

    /// Its end at this time, if nothing else has ended it before.
    pub(crate) fn ended_by_time(&self, at: Timestamp) -> Option<EventKind> {
        let outcome = if self.is_answered() { CallOutcome::Talked } else { CallOutcome::Missed };
        (at >= self.until()).then(|| self.ended(outcome, at))
    }
}

pub(super) fn words(caller: UserId, outcome: CallOutcome, lasted_ms: u64) -> String {
    match outcome {
        CallOutcome::Talked => format!("ended a call of {} s", lasted_ms / 1_000),
        outcome => format!("ended a call of {caller}: {}", outcome.name()),
    }
}

impl Step<'_> {
    pub(crate) fn call_of(&self, conversation: ConversationId) -> Option<ActiveCall> {
        self.state.get::<ActiveCall>(&conversation)
    }

    fn call_under_way(&self, conversation: ConversationId, call: Seq) -> Result<ActiveCall, Rejection> {
        self.call_of(conversation).filter(|held| held.call == call).ok_or(CALL_OVER.into())
    }

    /// A call needs a conversation in which either has written to the other.
    // Invariant: private. So a user cannot ring at a stranger, and learns nothing about one.
    pub(super) fn decide_start_call(
        &self,
        append: &Append,
        row: &Conversation,
        video: bool,
        device: u64,
    ) -> Result<EventKind, Rejection> {
        if row.head == Seq::ZERO {
            return Err(Rejection::NotMember);
        }
        match self.call_of(append.conversation) {
            Some(_) => Err(CALL_UNDER_WAY.into()),
            None => Ok(EventKind::CallStarted { video, device }),
        }
    }

    /// The first device that accepts takes the call.
    pub(super) fn decide_answer_call(
        &self,
        append: &Append,
        row: &Conversation,
        call: Seq,
        answer: CallAnswer,
        device: u64,
    ) -> Result<EventKind, Rejection> {
        let held = self.call_under_way(append.conversation, call)?;
        let time = self.time_in(row);
        if append.actor == held.caller {
            return Err(OWN_CALL.into());
        }
        let second = answer == CallAnswer::Accept && self.planted(Bug::CallTwoWinners);
        if held.is_answered() && !second {
            return Err(ALREADY_ANSWERED.into());
        }
        if time >= held.until() {
            return Err(CALL_OVER.into());
        }
        Ok(match answer {
            CallAnswer::Accept => EventKind::CallAnswered { call, device },
            CallAnswer::Refuse => held.ended(CallOutcome::Refused, time),
            CallAnswer::Busy => held.ended(CallOutcome::Busy, time),
        })
    }

    /// Either user hangs up, with any device. Before an answer the caller takes the call back, and
    /// the other refuses it.
    pub(super) fn decide_end_call(
        &self,
        append: &Append,
        row: &Conversation,
        call: Seq,
    ) -> Result<EventKind, Rejection> {
        let held = self.call_under_way(append.conversation, call)?;
        let outcome = match (held.is_answered(), append.actor == held.caller) {
            (true, _) => CallOutcome::Talked,
            (false, true) => CallOutcome::Cancelled,
            (false, false) => CallOutcome::Refused,
        };
        Ok(held.ended(outcome, self.time_in(row)))
    }

    pub(super) fn project_call_started(&mut self, conversation: ConversationId, event: &Event, video: bool) {
        let (call, caller, started) = (event.seq, event.sender, event.time);
        let row = ActiveCall { call, caller, video, started, answered: Timestamp(0), device: 0 };
        self.keep_call(conversation, row);
    }

    pub(super) fn project_call_answered(&mut self, conversation: ConversationId, event: &Event, device: u64) {
        if let Some(held) = self.call_of(conversation) {
            self.unplan(held.until(), Work::Call { conversation, call: held.call });
            self.keep_call(conversation, ActiveCall { answered: event.time, device, ..held });
        }
    }

    pub(super) fn project_call_ended(&mut self, conversation: ConversationId) {
        if let Some(held) = self.call_of(conversation) {
            self.unplan(held.until(), Work::Call { conversation, call: held.call });
        }
        self.state.delete::<ActiveCall>(&conversation);
    }

    fn keep_call(&mut self, conversation: ConversationId, row: ActiveCall) {
        // A log that is imported brings the end of the call with it.
        let until = if self.imports() { Timestamp(self.now().0.saturating_add(limits::CALL_MS)) } else { row.until() };
        let call = row.call;
        self.state.put(&conversation, &row);
        self.plan(until, Work::Call { conversation, call });
    }

    /// The time has come of a call that rings, or lasts.
    pub(crate) fn end_call_by_time(&mut self, conversation: ConversationId, call: Seq) {
        let held = self.call_of(conversation).filter(|held| held.call == call);
        let (Some(held), Some(mut row)) = (held, self.state.get::<Conversation>(&conversation)) else { return };
        let Some(ended) = held.ended_by_time(self.time_in(&row)) else { return };
        let Some(began) = self.state.get::<Event>(&(conversation, call)) else { return };
        // It fails in a log without places only, and such a log takes no call.
        drop(self.place(conversation, &mut row, held.caller, id_beside(began.client_message_id), ended));
    }
}

pub(super) fn check(conversation: ConversationId) -> Result<(), Rejection> {
    if matches!(conversation, ConversationId::Direct { .. }) { Ok(()) } else { Err(NO_CALLS_HERE) }
}
