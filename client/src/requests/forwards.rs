//! Messages to many conversations: forwards, and a broadcast to all contacts.

use bytes::Bytes;
use troupe_core::feature::forwarded_id;
use troupe_core::{Body, ClientMessageId, ConversationId, Seq, Timestamp, UserId};
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// Messages that are sent to other conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    pub from: ConversationId,
    /// In the order in which they are sent.
    pub seqs: Vec<Seq>,
    pub to: Vec<ConversationId>,
    /// As one message, with senders and times.
    pub bundle: bool,
    /// A message behind them; empty: none.
    pub text: String,
}

/// The messages that a conversation has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardOutcome {
    pub conversation: String,
    /// In the order of the messages.
    pub placed: Vec<Acked>,
    /// The code of the refusal of the first message without a place.
    pub refused: Option<String>,
}

impl From<wire::ForwardOutcome> for ForwardOutcome {
    fn from(outcome: wire::ForwardOutcome) -> ForwardOutcome {
        let placed = |ack: wire::SendAck| {
            let id = ack.client_message_id[..].try_into().map(ClientMessageId).unwrap_or_default();
            Acked { id, seq: Seq(ack.seq), time: Timestamp(ack.time_ms) }
        };
        ForwardOutcome {
            conversation: outcome.conversation,
            placed: outcome.acks.into_iter().map(placed).collect(),
            refused: outcome.failure.map(|failure| failure.code),
        }
    }
}

impl Client {
    /// Forwards messages that this user sees. Another call with the same request sends nothing
    /// twice, and sends what has no place yet.
    pub async fn forward(&self, request: ClientMessageId, forward: Forward) -> Result<Vec<ForwardOutcome>> {
        let forward = wire::Forward {
            request: Bytes::copy_from_slice(&request.0),
            from: forward.from.to_string(),
            seqs: forward.seqs.iter().map(|seq| seq.0).collect(),
            to: forward.to.iter().map(ConversationId::to_string).collect(),
            bundle: forward.bundle,
            text: forward.text,
        };
        Ok(self.forwarded(Request::Forward(forward)).await?.0)
    }

    /// Sends a message to up to 50 contacts behind `after`. The second part of the answer is where
    /// the next call goes on, with the same request; `None` is the end.
    pub async fn broadcast(
        &self,
        request: ClientMessageId,
        body: &Body,
        after: Option<UserId>,
    ) -> Result<(Vec<ForwardOutcome>, Option<UserId>)> {
        let request = Bytes::copy_from_slice(&request.0);
        let after = after.map_or(0, |after| after.0);
        self.forwarded(Request::Broadcast(wire::Broadcast { request, body: Some(body.into()), after, limit: 0 })).await
    }

    /// The id of a message of a forward or broadcast; `number` counts them from 0.
    pub fn forwarded_id(request: ClientMessageId, conversation: ConversationId, number: u32) -> ClientMessageId {
        forwarded_id(request, conversation, number)
    }

    async fn forwarded(&self, request: Request) -> Result<(Vec<ForwardOutcome>, Option<UserId>)> {
        match self.call(request).await? {
            Message::Forwarded(forwarded) => {
                let outcomes = forwarded.outcomes.into_iter().map(ForwardOutcome::from).collect();
                Ok((outcomes, Some(UserId(forwarded.next)).filter(|next| next.0 != 0)))
            }
            other => Err(unexpected(&other)),
        }
    }
}
