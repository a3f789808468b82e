//! Streams: an own message that grows word by word.
//!
//! A message of [`Body::streaming`](troupe_core::Body::streaming) opens one.

use bytes::Bytes;
use troupe_core::{ClientMessageId, ConversationId, Seq};
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

impl Client {
    /// Appends a piece. `index` is the number of pieces before it, so a repeat is harmless. After a
    /// restart [`HistoryPage::streaming`](crate::HistoryPage::streaming) says where to go on.
    pub async fn write_piece(&self, conversation: ConversationId, seq: Seq, index: u64, text: &str) -> Result<()> {
        let (conversation, text) = (conversation.to_string(), text.to_owned());
        let piece = wire::WritePiece { conversation, seq: seq.0, index, text };
        match self.call(Request::WritePiece(piece)).await? {
            Message::Done(wire::Done {}) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends a stream with this text, or with what was streamed.
    pub async fn end_stream(&self, conversation: ConversationId, seq: Seq, text: Option<&str>) -> Result<Acked> {
        let request = ClientMessageId(self.shared.context.rng.bytes());
        self.end_stream_as(request, conversation, seq, text, false).await
    }

    /// Breaks a stream off. The message keeps what was streamed.
    pub async fn abort_stream(&self, conversation: ConversationId, seq: Seq) -> Result<Acked> {
        let request = ClientMessageId(self.shared.context.rng.bytes());
        self.end_stream_as(request, conversation, seq, None, true).await
    }

    pub async fn end_stream_as(
        &self,
        request: ClientMessageId,
        conversation: ConversationId,
        seq: Seq,
        text: Option<&str>,
        aborted: bool,
    ) -> Result<Acked> {
        let end = wire::EndStream {
            request: Bytes::copy_from_slice(&request.0),
            conversation: conversation.to_string(),
            seq: seq.0,
            text: text.unwrap_or_default().to_owned(),
            aborted,
        };
        self.change_as(request, Request::EndStream(end)).await
    }
}
