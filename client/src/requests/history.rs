//! Pages of history.

use troupe_core::{ConversationId, Event, Seq, limits};
use troupe_proto::DecodeError;
use troupe_proto::wire::client as wire;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// Oldest first.
    pub events: Vec<Event>,
    pub head: Seq,
    /// There are more events in the requested direction.
    pub more: bool,
}

impl Client {
    /// Up to `limit` (500) events after `seq`.
    pub async fn history_after(&self, conversation: ConversationId, seq: Seq, limit: usize) -> Result<HistoryPage> {
        self.history(conversation, seq, false, limit).await
    }

    /// Up to `limit` (500) events before `seq`; zero means up to the newest.
    ///
    /// ```no_run
    /// # use troupe_client::{Client, Result};
    /// # use troupe_core::{ConversationId, Seq};
    /// # async fn example(client: Client, conversation: ConversationId) -> Result<()> {
    /// let newest = client.history_before(conversation, Seq::ZERO, 50).await?;
    /// if let Some(oldest) = newest.events.first() {
    ///     let before = client.history_before(conversation, oldest.seq, 50).await?;
    ///     println!("{} and {} events", before.events.len(), newest.events.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn history_before(&self, conversation: ConversationId, seq: Seq, limit: usize) -> Result<HistoryPage> {
        self.history(conversation, seq, true, limit).await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        seq: Seq,
        backward: bool,
        limit: usize,
    ) -> Result<HistoryPage> {
        let limit = limit.min(limits::PAGE_EVENTS) as u32;
        let fetch = wire::Fetch { conversation: conversation.to_string(), seq: seq.0, backward, limit };
        match self.call(Request::Fetch(fetch)).await? {
            Message::Page(page) => Ok(HistoryPage {
                events: page.events.into_iter().map(Event::try_from).collect::<Result<_, _>>().map_err(unreadable)?,
                head: Seq(page.head),
                more: page.more,
            }),
            other => Err(unexpected(&other)),
        }
    }
}

fn unreadable(error: DecodeError) -> Error {
    Error::Protocol(error.to_string())
}
