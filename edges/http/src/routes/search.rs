//! Search in one's own conversations.

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::problem::Problem;
use crate::query::{Query, limit, seq};

/// Characters of a page of an answer.
const PAGE_CHARS: usize = 128;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// Words: each is the beginning of a word of the message, or any part of a run in Chinese,
    /// Japanese, Korean, Thai, Lao, Burmese or Khmer. Case, width and diacritics do not matter.
    #[param(value_type = Option<String>, max_length = 256)]
    q: Option<String>,
    /// The sender.
    #[param(value_type = Option<Id>, inline)]
    from: Option<Id>,
    /// One conversation. Without it: all on the caller's list.
    #[serde(rename = "in")]
    #[param(rename = "in", value_type = Option<Conversation>, inline)]
    within: Option<String>,
    /// The kind of the body: 1 is text.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 4294967295u64)]
    kind: Option<u32>,
    /// The first time, in milliseconds since 1970.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9007199254740991u64)]
    after_ms: Option<u64>,
    /// Messages before this time.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9007199254740991u64)]
    before_ms: Option<u64>,
    /// Without it: as many as a page takes.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `page` of the answer before.
    #[param(value_type = Option<String>, max_length = 128)]
    page: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Found {
    /// Newest first.
    messages: Vec<FoundMessage>,
    /// For the next page: a page reads a bounded number of rows, and may have few messages or none.
    /// Absent: this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    /// Conversations whose nodes did not answer: messages in them are missing here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    incomplete: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub struct FoundMessage {
    conversation: String,
    seq: u64,
    time_ms: u64,
    sender: Id,
    /// Of the body: 1 is text.
    kind: u32,
    /// The part of the present text, caption or name around the first place.
    snippet: String,
    /// Of the words: begin and end, in characters of the snippet.
    places: Vec<[u32; 2]>,
}

impl From<wire::FoundMessage> for FoundMessage {
    fn from(found: wire::FoundMessage) -> FoundMessage {
        let wire::FoundMessage { conversation, seq, time_ms, sender, kind, snippet, places } = found;
        let places = places.chunks_exact(2).map(|place| [place[0], place[1]]).collect();
        FoundMessage { conversation, seq, time_ms, sender: Id(sender), kind, snippet, places }
    }
}

/// Searches messages of the caller's conversations, newest first.
///
/// A message is found in its present state, if the caller may see it now and all conditions hold.
/// One of `q`, `from` and `kind` is needed.
#[utoipa::path(get, path = "/v1/search", tag = "messages", params(SearchQuery),
    responses((status = 200, body = Found)))]
pub async fn search(asker: Asker, Query(query): Query<SearchQuery>) -> Result<Answer<Found>, Problem> {
    let too_long = |name: &str, most: usize| Problem::bad_request(format!("{name}: it has at most {most} characters"));
    let (text, page) = (query.q.unwrap_or_default(), query.page.unwrap_or_default());
    if text.chars().count() > limits::SEARCH_CHARS {
        return Err(too_long("q", limits::SEARCH_CHARS));
    }
    if page.chars().count() > PAGE_CHARS {
        return Err(too_long("page", PAGE_CHARS));
    }
    if query.kind == Some(0) {
        return Err(Problem::bad_request("kind: the first kind is 1"));
    }
    if query.before_ms == Some(0) {
        return Err(Problem::bad_request("before_ms: nothing is before 1"));
    }
    let conversations = match &query.within {
        Some(conversation) => vec![conversation_of_path(conversation)?.to_string()],
        None => Vec::new(),
    };
    let search = wire::Search {
        query: text,
        sender: query.from.map_or(0, |user| user.0),
        kind: query.kind.unwrap_or_default(),
        after_ms: seq("after_ms", query.after_ms.unwrap_or_default())?,
        before_ms: seq("before_ms", query.before_ms.unwrap_or_default())?,
        limit: limit(query.limit, limits::PAGE_FOUND)?,
        page,
        conversations,
        rows: 0,
    };
    let found = asker.perform(search).await.map_err(Problem::of_meaning)?;
    Ok(Answer(Found {
        messages: found.messages.into_iter().map(FoundMessage::from).collect(),
        page: Some(found.page).filter(|page| !page.is_empty()),
        incomplete: found.incomplete,
    }))
}
