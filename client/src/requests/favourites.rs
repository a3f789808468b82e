//! The messages that this user has saved.

use bytes::Bytes;
use troupe_core::{ClientMessageId, ConversationId, Event, Seq, Timestamp};
use troupe_proto::wire::client as wire;

use super::Edited;
use super::history::edited;
use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};

/// A saved message as this user sees it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Favourite {
    /// In the order of saving.
    pub number: u64,
    pub conversation: ConversationId,
    pub seq: Seq,
    pub saved: Timestamp,
    /// `None`: this user does not see it any more.
    pub event: Option<Event>,
    /// Its present state, if it was edited.
    pub edited: Option<Edited>,
    /// The shard of the conversation does not answer now.
    pub unavailable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FavouritePage {
    /// The last one first.
    pub favourites: Vec<Favourite>,
    /// For the next page. `None`: this is the end.
    pub next: Option<u64>,
    /// Counts the changes.
    pub version: u64,
}

impl Client {
    /// Saves a message that this user sees, or removes it from the saved ones.
    pub async fn change_favourite(&self, conversation: ConversationId, seq: Seq, removed: bool) -> Result<()> {
        self.change_favourite_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, seq, removed).await
    }

    pub async fn change_favourite_as(
        &self,
        request: ClientMessageId,
        conversation: ConversationId,
        seq: Seq,
        removed: bool,
    ) -> Result<()> {
        let (request, conversation) = (Bytes::copy_from_slice(&request.0), conversation.to_string());
        let change = wire::ChangeFavourite { request, conversation, seq: seq.0, removed };
        self.done(Request::ChangeFavourite(change)).await
    }

    /// Up to `limit` (50) saved messages, the last one first. `before` is `next` of the page
    /// before.
    pub async fn favourites(&self, before: Option<u64>, limit: usize) -> Result<FavouritePage> {
        let list = wire::ListFavourites { before: before.unwrap_or_default(), limit: limit as u32 };
        let page = match self.call(Request::ListFavourites(list)).await? {
            Message::Favourites(page) => page,
            other => return Err(unexpected(&other)),
        };
        let favourites = page.favourites.into_iter().map(Favourite::try_from).collect::<Result<_>>()?;
        Ok(FavouritePage { favourites, next: Some(page.next).filter(|next| *next > 0), version: page.version })
    }
}

impl TryFrom<wire::Favourite> for Favourite {
    type Error = Error;

    fn try_from(row: wire::Favourite) -> Result<Favourite> {
        let unreadable = |_| Error::Protocol("a saved message without a conversation".into());
        Ok(Favourite {
            number: row.number,
            conversation: row.conversation.parse().map_err(unreadable)?,
            seq: Seq(row.seq),
            saved: Timestamp(row.saved_ms),
            // An event that this version cannot read is none that it shows.
            event: row.event.and_then(|event| Event::try_from(event).ok()),
            edited: row.state.and_then(edited).map(|(_, edited)| edited),
            unavailable: row.unavailable,
        })
    }
}
