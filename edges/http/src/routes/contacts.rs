//! Contacts of the caller, and users that it blocks.

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_actors::message::wire::change_contact::Change;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Id, user_of_path};
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit, seq};

#[derive(Serialize, ToSchema)]
pub struct Contacts {
    contacts: Vec<Contact>,
    /// To name in `after`, or in `since` where the request has named one. Absent: this is the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Counts the changes of the caller's contacts and blocks.
    version: u64,
}

#[derive(Serialize, ToSchema)]
pub struct Contact {
    user_id: Id,
    state: State,
    /// Of an open request.
    text: String,
    /// The caller's own name for the user.
    remark: String,
    /// When the relation became the present one.
    since_ms: u64,
    /// Of its last change.
    version: u64,
    /// Whether the caller blocks the user.
    blocked: bool,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is no relation, or no longer one.
    None,
    /// The caller has asked.
    Requested,
    /// The other user has asked.
    Received,
    Mutual,
}

impl From<wire::Contact> for Contact {
    fn from(contact: wire::Contact) -> Contact {
        let state = match contact.state() {
            wire::ContactState::Unspecified => State::None,
            wire::ContactState::Requested => State::Requested,
            wire::ContactState::Received => State::Received,
            wire::ContactState::Mutual => State::Mutual,
        };
        let wire::Contact { user_id, text, remark, since_ms, version, blocked, .. } = contact;
        Contact { user_id: Id(user_id), state, text, remark, since_ms, version, blocked }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContactQuery {
    /// `next` of the page before.
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,15}$")]
    after: Option<String>,
    /// A version: the changes after it, in their order, also the relations that have ended.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9007199254740991u64)]
    since: Option<u64>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// The caller's contacts and open requests, in order of the ids of their users.
#[utoipa::path(get, path = "/v1/contacts", tag = "contacts", params(ContactQuery),
    responses((status = 200, body = Contacts)))]
pub async fn list(asker: Asker, Query(query): Query<ContactQuery>) -> Result<Answer<Contacts>, Problem> {
    let limit = limit(query.limit, limits::PAGE_CONTACTS)?;
    let after = behind(query.after)?;
    let list = wire::ListContacts { after, limit, since: seq("since", query.since.unwrap_or_default())? };
    let page = asker.perform(list).await?;
    Ok(Answer(Contacts {
        contacts: page.contacts.into_iter().map(Contact::from).collect(),
        next: Some(page.next).filter(|next| *next != 0).map(|next| next.to_string()),
        version: page.version,
    }))
}

/// The user that a page begins behind.
fn behind(after: Option<String>) -> Result<u64, Problem> {
    let Some(after) = after else { return Ok(0) };
    let id = Id::parse(&after).ok_or_else(|| Problem::bad_request("after: name the last user of the page before"))?;
    Ok(id.0)
}

/// The caller's relation to one user, also that there is none.
#[utoipa::path(get, path = "/v1/contacts/{user}", tag = "contacts", params(("user" = Id, Path)),
    responses((status = 200, body = Contact)))]
pub async fn show(asker: Asker, Path(user): Path<String>) -> Result<Answer<Contact>, Problem> {
    Ok(Answer(asker.perform(wire::ShowContact { user_id: user_of_path(&user)? }).await?.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// For the other user.
    #[serde(default)]
    #[schema(max_length = 512)]
    text: String,
}

/// Asks a user to become a contact.
///
/// If that user has asked already, both are contacts at once. An open request stays as it is.
#[utoipa::path(put, path = "/v1/contacts/{user}", tag = "contacts",
    params(("user" = Id, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = Ask, responses((status = 200, body = Contact)))]
pub async fn ask(
    asker: Asker,
    Path(user): Path<String>,
    key: Key,
    Json(Ask { text }): Json<Ask>,
) -> Result<Answer<Contact>, Problem> {
    changed(&asker, &user, key, Change::Ask(text)).await
}

/// Accepts the request of a user.
#[utoipa::path(post, path = "/v1/contacts/{user}/accept", tag = "contacts",
    params(("user" = Id, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Contact)))]
pub async fn accept(asker: Asker, Path(user): Path<String>, key: Key) -> Result<Answer<Contact>, Problem> {
    changed(&asker, &user, key, Change::Accept(wire::Done {})).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// Empty: none.
    #[schema(max_length = 64)]
    remark: String,
}

/// Sets the caller's own name for a contact.
#[utoipa::path(patch, path = "/v1/contacts/{user}", tag = "contacts",
    params(("user" = Id, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = Remark, responses((status = 200, body = Contact)))]
pub async fn remark(
    asker: Asker,
    Path(user): Path<String>,
    key: Key,
    Json(Remark { remark }): Json<Remark>,
) -> Result<Answer<Contact>, Problem> {
    changed(&asker, &user, key, Change::Remark(remark)).await
}

/// Ends a contact: withdraws or refuses a request, or removes the contact for both users.
#[utoipa::path(delete, path = "/v1/contacts/{user}", tag = "contacts",
    params(("user" = Id, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "There is no relation any more")))]
pub async fn end(asker: Asker, Path(user): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    change(&asker, user_of_path(&user)?, key, Change::End(wire::Done {})).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn changed(asker: &Asker, user: &str, key: Key, to: Change) -> Result<Answer<Contact>, Problem> {
    let user_id = user_of_path(user)?;
    change(asker, user_id, key, to).await?;
    Ok(Answer(asker.perform(wire::ShowContact { user_id }).await?.into()))
}

async fn change(asker: &Asker, user_id: u64, key: Key, to: Change) -> Result<(), Problem> {
    let change = wire::ChangeContact { request: key.bytes(), user_id, change: Some(to) };
    asker.perform(change).await.map(drop).map_err(|problem| problem.of_meaning().under(key.id))
}

#[derive(Serialize, ToSchema)]
pub struct Blocks {
    blocks: Vec<Block>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Block {
    user_id: Id,
    since_ms: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BlockQuery {
    /// The last user id of the page before.
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,15}$")]
    after: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// The users that the caller blocks, in order of their ids.
#[utoipa::path(get, path = "/v1/blocks", tag = "contacts", params(BlockQuery),
    responses((status = 200, body = Blocks)))]
pub async fn blocks(asker: Asker, Query(query): Query<BlockQuery>) -> Result<Answer<Blocks>, Problem> {
    let limit = limit(query.limit, limits::PAGE_CONTACTS)?;
    let page = asker.perform(wire::ListBlocks { after: behind(query.after)?, limit }).await?;
    let block = |block: wire::Block| Block { user_id: Id(block.user_id), since_ms: block.since_ms };
    Ok(Answer(Blocks { blocks: page.blocks.into_iter().map(block).collect(), more: page.more }))
}

/// Blocks a user: its messages, requests and invitations are refused.
///
/// The block is in force when it is answered. The other user is not told of it.
#[utoipa::path(put, path = "/v1/blocks/{user}", tag = "contacts",
    params(("user" = Id, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "The user is blocked")))]
pub async fn block(asker: Asker, Path(user): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    change(&asker, user_of_path(&user)?, key, Change::Block(true)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lifts a block.
#[utoipa::path(delete, path = "/v1/blocks/{user}", tag = "contacts",
    params(("user" = Id, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "The user is not blocked")))]
pub async fn unblock(asker: Asker, Path(user): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    change(&asker, user_of_path(&user)?, key, Change::Block(false)).await?;
    Ok(StatusCode::NO_CONTENT)
}
