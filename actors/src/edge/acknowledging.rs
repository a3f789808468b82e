//! What a device holds, on its way to the conversations' leaders. Frames without an answer are
//! bounded like others: a few are under way, the latest of each conversation waits, and
//! conversations take turns.

use std::collections::BTreeMap;

use ractor::ActorRef;
use troupe_core::{ConversationId, Seq, UserId, limits};
use troupe_proto::client;

use super::{EdgeMsg, EdgeState};
use crate::message::{Request, wire};

/// A leader that does not answer in time has it said again by the next acknowledgement.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Acknowledging {
    waiting: BTreeMap<ConversationId, Seq>,
    under_way: usize,
    last: Option<ConversationId>,
}

impl Acknowledging {
    pub fn push(&mut self, conversation: ConversationId, seq: Seq) {
        let room = self.waiting.len() < limits::ACKNOWLEDGEMENTS_WAITING;
        match self.waiting.get_mut(&conversation) {
            Some(held) => *held = seq.max(*held),
            None if room => drop(self.waiting.insert(conversation, seq)),
            // It is a hint for others: the next one of this conversation makes up for it.
            None => {}
        }
    }

    /// The next to say, if one more may be under way.
    pub fn start(&mut self) -> Option<(ConversationId, Seq)> {
        if self.under_way >= limits::ACKNOWLEDGING {
            return None;
        }
        let behind = self.last.and_then(|last| self.waiting.range(last..).find(|(c, _)| **c != last));
        let (&conversation, &seq) = behind.or_else(|| self.waiting.first_key_value())?;
        self.waiting.remove(&conversation);
        self.last = Some(conversation);
        self.under_way += 1;
        Some((conversation, seq))
    }

    pub fn ended(&mut self) {
        self.under_way -= 1;
    }
}

impl EdgeState {
    pub(super) fn acknowledge(&mut self, myself: &ActorRef<EdgeMsg>, user: UserId, acknowledge: &wire::Acknowledge) {
        // No answer, so what is wrong is ignored.
        if let Ok(conversation) = client::conversation("acknowledge.conversation", &acknowledge.conversation) {
            self.acknowledging.push(conversation, Seq(acknowledge.seq));
            self.say_acknowledged(myself, user);
        }
    }

    pub(super) fn say_acknowledged(&mut self, myself: &ActorRef<EdgeMsg>, user: UserId) {
        while let Some((conversation, seq)) = self.acknowledging.start() {
            let request = Request::Delivered { conversation, user, seq };
            let asked = self.front.world.router.ask(conversation.slot(), request, PATIENCE);
            let myself = myself.clone();
            tokio::spawn(async move {
                // Whatever came of it: others hear of it a little later.
                let _ = asked.await;
                let _ = myself.send_message(EdgeMsg::Acknowledged { user });
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(high: u64) -> ConversationId {
        ConversationId::direct(UserId(1), UserId(high)).expect("two users")
    }

    #[test]
    fn a_flood_of_acknowledgements_is_bounded_and_the_latest_counts() {
        let mut acknowledging = Acknowledging::default();
        for round in 1..=3 {
            for high in 2..5_000 {
                acknowledging.push(direct(high), Seq(round * high));
            }
        }
        assert_eq!(acknowledging.waiting.len(), limits::ACKNOWLEDGEMENTS_WAITING);
        let started: Vec<_> = std::iter::from_fn(|| acknowledging.start()).collect();
        assert_eq!(started.len(), limits::ACKNOWLEDGING);
        assert_eq!(started[0], (direct(2), Seq(6)));
        // Turns: one that says the same again and again waits for the others.
        acknowledging.push(direct(2), Seq(7));
        acknowledging.ended();
        assert_eq!(acknowledging.start(), Some((direct(18), Seq(54))));
        assert_eq!(acknowledging.start(), None);
    }
}
