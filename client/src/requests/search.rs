//! Search in this user's conversations.

use std::ops::Range;

use troupe_core::{ConversationId, Seq, Timestamp, UserId};
use troupe_proto::client;
use troupe_proto::wire::client as wire;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};

/// The conditions of a search; a message is found if all hold. One of `words`, `sender` and `kind`
/// is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Each is the beginning of a word, or any part of a run in Chinese, Japanese, Korean, Thai,
    /// Lao, Burmese or Khmer. Case, width and diacritics do not matter.
    pub words: String,
    pub sender: Option<UserId>,
    /// Of the body; 1 is text.
    pub kind: Option<u32>,
    /// The first time.
    pub after: Option<Timestamp>,
    /// Behind the last time.
    pub before: Option<Timestamp>,
    /// At most 200; empty: all on this user's list.
    pub conversations: Vec<ConversationId>,
    /// Messages of a page, at most 100; zero: as many as a page takes.
    pub limit: u32,
}

impl Search {
    pub fn words(words: &str) -> Search {
        Search { words: words.to_owned(), ..Search::default() }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundPage {
    /// Newest first.
    pub messages: Vec<FoundMessage>,
    /// For the next page, unless this is the last one. A page reads a bounded number of rows, and
    /// may have few messages or none.
    pub page: Option<String>,
    /// Conversations whose nodes did not answer: messages in them are missing here.
    pub incomplete: Vec<ConversationId>,
}

/// A message in its present state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundMessage {
    pub conversation: ConversationId,
    pub seq: Seq,
    pub time: Timestamp,
    pub sender: UserId,
    /// Of the body.
    pub kind: u32,
    /// The part of the text, caption or name around the first place.
    pub snippet: String,
    /// Of the words, in characters of the snippet.
    pub places: Vec<Range<u32>>,
}

impl FoundMessage {
    fn of(found: wire::FoundMessage) -> Result<FoundMessage> {
        let conversation = client::conversation("found.conversation", &found.conversation);
        Ok(FoundMessage {
            conversation: conversation.map_err(|error| Error::Protocol(error.to_string()))?,
            seq: Seq(found.seq),
            time: Timestamp(found.time_ms),
            sender: UserId(found.sender),
            kind: found.kind,
            snippet: found.snippet,
            places: found.places.chunks_exact(2).map(|place| place[0]..place[1]).collect(),
        })
    }
}

impl Client {
    /// The newest messages that a search in the cluster finds. `page`: that of the answer before.
    /// [`Client::search`] looks at the messages of this device only.
    pub async fn find_messages(&self, search: &Search, page: Option<&str>) -> Result<FoundPage> {
        let asked = wire::Search {
            query: search.words.clone(),
            sender: search.sender.map_or(0, |user| user.0),
            kind: search.kind.unwrap_or_default(),
            after_ms: search.after.map_or(0, |time| time.0),
            before_ms: search.before.map_or(0, |time| time.0),
            limit: search.limit,
            page: page.unwrap_or_default().to_owned(),
            conversations: search.conversations.iter().map(ConversationId::to_string).collect(),
            rows: 0,
        };
        match self.call(Request::Search(asked)).await? {
            Message::Found(found) => Ok(FoundPage {
                messages: found.messages.into_iter().map(FoundMessage::of).collect::<Result<_>>()?,
                page: Some(found.page).filter(|page| !page.is_empty()),
                incomplete: found.incomplete.iter().filter_map(|id| id.parse().ok()).collect(),
            }),
            other => Err(unexpected(&other)),
        }
    }
}
