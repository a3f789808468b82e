//! Pinned messages of conversations.

use bytes::Bytes;
use troupe_core::{ClientMessageId, ConversationId, Seq, Timestamp, UserId};
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// A pinned message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinInfo {
    pub seq: Seq,
    pub by: UserId,
    pub time: Timestamp,
}

impl Client {
    /// Pins a message for all members.
    pub async fn pin(&self, conversation: ConversationId, seq: Seq) -> Result<Acked> {
        self.change_pin(conversation, seq, false).await
    }

    pub async fn unpin(&self, conversation: ConversationId, seq: Seq) -> Result<Acked> {
        self.change_pin(conversation, seq, true).await
    }

    /// The pinned messages that this user sees; the one that was pinned first comes first.
    pub async fn pins(&self, conversation: ConversationId) -> Result<Vec<PinInfo>> {
        let pin = |pin: wire::Pin| PinInfo { seq: Seq(pin.seq), by: UserId(pin.by), time: Timestamp(pin.time_ms) };
        match self.call(Request::ListPins(wire::ListPins { conversation: conversation.to_string() })).await? {
            Message::Pins(list) => Ok(list.pins.into_iter().map(pin).collect()),
            other => Err(unexpected(&other)),
        }
    }

    async fn change_pin(&self, conversation: ConversationId, seq: Seq, remove: bool) -> Result<Acked> {
        let id = ClientMessageId(self.shared.context.rng.bytes());
        let request = Bytes::copy_from_slice(&id.0);
        let pin = wire::PinMessage { request, conversation: conversation.to_string(), seq: seq.0, remove };
        match self.call(Request::PinMessage(pin)).await? {
            Message::SendAck(ack) => Ok(Acked { id, seq: Seq(ack.seq), time: Timestamp(ack.time_ms) }),
            other => Err(unexpected(&other)),
        }
    }
}
