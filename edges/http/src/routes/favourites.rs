//! The messages that the caller has saved.

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, conversation_of_path};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit, seq};
use crate::routes::event::{Edited, Event};
use crate::routes::messages::message_of_path;

#[derive(Serialize, ToSchema)]
pub struct Favourites {
    /// The last one first.
    favourites: Vec<Favourite>,
    /// To name in `before`. Absent: this is the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    /// Counts the changes of the caller's saved messages.
    version: u64,
}

#[derive(Serialize, ToSchema)]
pub struct Favourite {
    /// In the order of saving.
    number: u64,
    conversation: String,
    seq: u64,
    saved_ms: u64,
    /// In its present state. Absent: the caller does not see it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Event>,
    /// The shard of the conversation does not answer now: ask again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unavailable: bool,
}

impl From<wire::Favourite> for Favourite {
    fn from(row: wire::Favourite) -> Favourite {
        let deleted = row.state.as_ref().is_some_and(|state| state.deleted);
        let edited = row.state.and_then(Edited::of);
        let mut message = row.event.map(Event::from);
        if let Some(message) = &mut message {
            (message.edited, message.deleted) = (edited, deleted);
        }
        let wire::Favourite { number, conversation, seq, saved_ms, unavailable, .. } = row;
        Favourite { number, conversation, seq, saved_ms, message, unavailable }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FavouriteQuery {
    /// `next` of the page before.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9007199254740991u64)]
    before: Option<u64>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 50)]
    limit: Option<u32>,
}

/// The messages that the caller has saved, as it sees them now.
///
/// A recalled message has lost its content here, too.
#[utoipa::path(get, path = "/v1/favourites", tag = "messages", params(FavouriteQuery),
    responses((status = 200, body = Favourites)))]
pub async fn list(asker: Asker, Query(query): Query<FavouriteQuery>) -> Result<Answer<Favourites>, Problem> {
    let limit = limit(query.limit, limits::PAGE_FAVOURITES)?;
    if query.before == Some(0) {
        return Err(Problem::bad_request("before: the first number is 1"));
    }
    let before = seq("before", query.before.unwrap_or_default())?;
    let page = asker.perform(wire::ListFavourites { before, limit }).await?;
    let next = Some(page.next).filter(|next| *next > 0);
    let favourites = page.favourites.into_iter().map(Favourite::from).collect();
    Ok(Answer(Favourites { favourites, next, version: page.version }))
}

async fn change(asker: &Asker, (conversation, seq): (String, String), key: Key, removed: bool) -> Result<(), Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    let seq = message_of_path(&seq)?;
    let change = wire::ChangeFavourite { request: key.bytes(), conversation, seq, removed };
    asker.perform(change).await.map_err(|problem| problem.of_meaning().under(key.id))?;
    Ok(())
}

/// Saves a message that the caller sees.
#[utoipa::path(put, path = "/v1/favourites/{conversation}/{seq}", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is saved")))]
pub async fn save(asker: Asker, Path(of): Path<(String, String)>, key: Key) -> Result<StatusCode, Problem> {
    change(&asker, of, key, false).await.map(|()| StatusCode::NO_CONTENT)
}

/// Removes a message from the saved ones.
#[utoipa::path(delete, path = "/v1/favourites/{conversation}/{seq}", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is not saved any more")))]
pub async fn remove(asker: Asker, Path(of): Path<(String, String)>, key: Key) -> Result<StatusCode, Problem> {
    change(&asker, of, key, true).await.map(|()| StatusCode::NO_CONTENT)
}

/// The push of a change on any device.
#[derive(Serialize)]
pub struct Changed {
    conversation: String,
    seq: u64,
    removed: bool,
    version: u64,
}

impl From<wire::FavouritePush> for Changed {
    fn from(push: wire::FavouritePush) -> Changed {
        let wire::FavouritePush { conversation, seq, removed, version } = push;
        Changed { conversation, seq, removed, version }
    }
}
