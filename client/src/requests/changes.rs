//! Changes of messages: edits and recalls.

use bytes::Bytes;
use troupe_core::{Body, ClientMessageId, ConversationId, Seq, Timestamp};
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

impl Client {
    /// Gives an own message another text.
    pub async fn edit(&self, conversation: ConversationId, seq: Seq, text: &str) -> Result<Acked> {
        self.edit_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, seq, Body::text(text)).await
    }

    /// Gives an own message another body, of the kind that it has.
    pub async fn edit_as(
        &self,
        request: ClientMessageId,
        conversation: ConversationId,
        seq: Seq,
        body: Body,
    ) -> Result<Acked> {
        let edit = wire::EditMessage {
            request: Bytes::copy_from_slice(&request.0),
            conversation: conversation.to_string(),
            seq: seq.0,
            body: Some((&body).into()),
        };
        self.change_as(request, Request::EditMessage(edit)).await
    }

    /// Erases the content of a message on every replica. Senders may for the time that the cluster
    /// sets, and admins of a group always. Another recall is refused with the code `erased`.
    pub async fn recall(&self, conversation: ConversationId, seq: Seq) -> Result<Acked> {
        self.recall_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, seq).await
    }

    pub async fn recall_as(&self, request: ClientMessageId, conversation: ConversationId, seq: Seq) -> Result<Acked> {
        let conversation = conversation.to_string();
        let recall = wire::RecallMessage { request: Bytes::copy_from_slice(&request.0), conversation, seq: seq.0 };
        self.change_as(request, Request::RecallMessage(recall)).await
    }

    pub(super) async fn change_as(&self, id: ClientMessageId, change: Request) -> Result<Acked> {
        match self.call(change).await? {
            Message::SendAck(ack) => Ok(Acked { id, seq: Seq(ack.seq), time: Timestamp(ack.time_ms) }),
            other => Err(unexpected(&other)),
        }
    }
}
