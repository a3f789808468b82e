//! Steps that take a place in the log under an id, repeated without an answer, and sometimes with
//! one.

use tokio::time::sleep;
use troupe_client::Error;
use troupe_core::{ClientMessageId, ConversationId};
use troupe_proto::wire::client::{client_frame::Request, server_frame::Message};

use super::{ATTEMPTS, Person};
use crate::checkers::{Kind, Promise};
use crate::history::{Change, PollStep, Reaction, Record};

/// Between two attempts.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(120);
/// A connection that has just begun answers this, whatever is asked.
const NOT_LOGGED_IN: &str = "not_logged_in";

/// The content of the event of a step.
#[derive(Clone)]
pub(super) enum Said {
    Change(Change),
    Poll(PollStep),
    Reaction(Reaction),
}

impl Said {
    fn promise(&self) -> Promise {
        match self {
            Said::Change(Change::Edited { .. }) => Promise::Edits,
            Said::Change(_) => Promise::Recalls,
            Said::Poll(_) => Promise::Polls,
            Said::Reaction(_) => Promise::Reactions,
        }
    }
}

impl Person {
    /// A refusal proves nothing by itself: others recall, close and vote at the same time.
    pub(super) async fn step(&self, conversation: ConversationId, id: ClientMessageId, request: Request, said: Said) {
        let mut placed: Option<u64> = None;
        for _ in 0..1 + self.draw(ATTEMPTS) {
            match self.call(request.clone()).await {
                Some(Ok(Message::SendAck(ack))) => {
                    if placed.replace(ack.seq).is_some_and(|before| before != ack.seq) {
                        let text = format!("the step {id} has two places, {} is one", ack.seq);
                        self.wrong(said.promise(), Kind::Duplicated, text);
                    }
                    self.stepped(conversation, id, ack.seq, said.clone());
                }
                Some(Err(Error::Rejected { code, text })) => {
                    if let Some(placed) = placed.filter(|_| code != NOT_LOGGED_IN) {
                        let text = format!("the step {id} is at {placed}, and was refused: {text}");
                        self.wrong(said.promise(), Kind::Lost, text);
                    }
                    return;
                }
                // The log shows whether it was applied.
                _ => sleep(AGAIN).await,
            }
        }
    }

    fn stepped(&self, conversation: ConversationId, id: ClientMessageId, seq: u64, said: Said) {
        let (device, conversation, id) = (self.device, conversation.to_string(), self.named(id));
        self.record(|at| match said {
            Said::Change(change) => Record::Changed { at, device, conversation, id, seq, change },
            Said::Poll(step) => Record::Voted { at, device, conversation, id, seq, step },
            Said::Reaction(reaction) => Record::Reacted { at, device, conversation, id, seq, reaction },
        });
    }
}
