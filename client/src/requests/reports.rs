//! Reports of messages and users to the administrators.

use bytes::Bytes;
use troupe_core::{ClientMessageId, ConversationId, Seq, UserId};
use troupe_proto::wire::client as wire;

use crate::client::Client;
use crate::connection::Request;
use crate::error::Result;

impl Client {
    /// Reports a message that this user sees. A repeated report of the same is one.
    pub async fn report_message(&self, conversation: ConversationId, seq: Seq, reason: &str) -> Result<()> {
        let (conversation, seq) = (conversation.to_string(), seq.0);
        self.report(wire::Report { conversation, seq, reason: reason.to_owned(), ..wire::Report::default() }).await
    }

    pub async fn report_user(&self, user: UserId, reason: &str) -> Result<()> {
        self.report(wire::Report { user_id: user.0, reason: reason.to_owned(), ..wire::Report::default() }).await
    }

    async fn report(&self, report: wire::Report) -> Result<()> {
        let request = ClientMessageId(self.shared.context.rng.bytes());
        self.done(Request::Report(wire::Report { request: Bytes::copy_from_slice(&request.0), ..report })).await
    }
}
