//! `acknowledge`: a device holds all events of a conversation up to a seq. It has no answer.
//!
//! Acknowledgements of one connection are bounded: a few are in flight, the latest of each
//! conversation waits, and conversations take turns.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use troupe_core::{ConversationId, Seq, UserId, limits};
use troupe_proto::client;

use super::cost::Cost;
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::protocol::Cursor;
use crate::service::{Caller, Service};

/// After this the next acknowledgement has to tell the leader.
const PATIENCE: Duration = Duration::from_secs(1);

impl Operation for wire::Acknowledge {
    fn cost(&self) -> Cost {
        Cost::Units(1)
    }

    fn perform(self, service: Service, caller: Caller) -> impl Future<Output = Answered<Self>> + Send {
        let conversation = client::conversation("acknowledge.conversation", &self.conversation);
        let asked = conversation.map(|to| service.ask_leader_within(PATIENCE, to.slot(), caller.user(), self));
        async move { asked?.await }
    }
}

impl AtLeader for wire::Acknowledge {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Done>, Refusal> {
        let conversation = client::conversation("acknowledge.conversation", &self.conversation)?;
        Ok(Plan::Move(Cursor { conversation, user, seq: Seq(self.seq), read: false }))
    }
}

/// The acknowledgements of one connection.
#[derive(Debug, Default)]
pub struct Acknowledging {
    waiting: BTreeMap<ConversationId, wire::Acknowledge>,
    under_way: usize,
    last: Option<ConversationId>,
}

impl Acknowledging {
    /// An invalid one is ignored, because there is no answer to refuse it with.
    pub fn push(&mut self, acknowledge: wire::Acknowledge) {
        let Ok(conversation) = client::conversation("acknowledge.conversation", &acknowledge.conversation) else {
            return;
        };
        let room = self.waiting.len() < limits::ACKNOWLEDGEMENTS_WAITING;
        match self.waiting.get_mut(&conversation) {
            Some(held) => held.seq = held.seq.max(acknowledge.seq),
            None if room => drop(self.waiting.insert(conversation, acknowledge)),
            // A cursor is a hint for other devices: the next acknowledgement replaces this one.
            None => {}
        }
    }

    /// The next to perform, if one more may be in flight.
    pub fn start(&mut self) -> Option<wire::Acknowledge> {
        if self.under_way >= limits::ACKNOWLEDGING {
            return None;
        }
        let behind = self.last.and_then(|last| self.waiting.range(last..).find(|(c, _)| **c != last));
        let (&conversation, _) = behind.or_else(|| self.waiting.first_key_value())?;
        self.last = Some(conversation);
        self.under_way += 1;
        self.waiting.remove(&conversation)
    }

    pub fn ended(&mut self) {
        self.under_way -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(high: u64, seq: u64) -> wire::Acknowledge {
        let conversation = ConversationId::direct(UserId(1), UserId(high)).expect("two users");
        wire::Acknowledge { conversation: conversation.to_string(), seq }
    }

    #[test]
    fn a_flood_of_acknowledgements_is_bounded_and_the_latest_counts() {
        let mut acknowledging = Acknowledging::default();
        for round in 1..=3 {
            for high in 2..5_000 {
                acknowledging.push(direct(high, round * high));
            }
        }
        assert_eq!(acknowledging.waiting.len(), limits::ACKNOWLEDGEMENTS_WAITING);
        let started: Vec<_> = std::iter::from_fn(|| acknowledging.start()).collect();
        assert_eq!(started.len(), limits::ACKNOWLEDGING);
        assert_eq!(started[0], direct(2, 6));
        // Turns: a conversation that acknowledges again and again waits for the others.
        acknowledging.push(direct(2, 7));
        acknowledging.ended();
        assert_eq!(acknowledging.start(), Some(direct(18, 54)));
        assert_eq!(acknowledging.start(), None);
    }
}
