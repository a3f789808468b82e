//! Requests to join a group that lets users in by approval.

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_actors::message::wire::change_group::Change;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path, user_of_path};
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit};
use crate::routes::groups::change_group;
use crate::routes::messages::Placed;

#[derive(Serialize, ToSchema)]
pub struct JoinRequests {
    requests: Vec<JoinRequest>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct JoinRequest {
    user_id: Id,
    text: String,
    time_ms: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JoinRequestsQuery {
    /// The last user of the page before.
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,15}$")]
    after: Option<Id>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Open requests to join a group, in order of the ids of their users.
///
/// Members that may invite see all of them. A user that is no member sees its own.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/requests", tag = "members",
    params(("conversation" = inline(Conversation), Path), JoinRequestsQuery),
    responses((status = 200, body = JoinRequests)))]
pub async fn list(
    asker: Asker,
    Path(conversation): Path<String>,
    Query(query): Query<JoinRequestsQuery>,
) -> Result<Answer<JoinRequests>, Problem> {
    let limit = limit(query.limit, limits::PAGE_JOIN_REQUESTS)?;
    let after = query.after.map_or(0, |after| after.0);
    let conversation = conversation_of_path(&conversation)?.to_string();
    let page = asker.perform(wire::ListJoinRequests { conversation, after, limit }).await?;
    let request = |request: wire::JoinRequest| {
        let wire::JoinRequest { user_id, text, time_ms } = request;
        JoinRequest { user_id: Id(user_id), text, time_ms }
    };
    Ok(Answer(JoinRequests { requests: page.requests.into_iter().map(request).collect(), more: page.more }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// For those that decide, at most 512 bytes.
    #[serde(default)]
    #[schema(max_length = 512)]
    text: String,
}

/// Asks to join a group that lets users in by approval.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/requests", tag = "members",
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = Asking, responses((status = 200, body = Placed)))]
pub async fn ask(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(Asking { text }): Json<Asking>,
) -> Result<Answer<Placed>, Problem> {
    change_group(&asker, &conversation, key, Change::AskToJoin(text)).await.map_err(Problem::of_meaning)
}

/// Takes the own request back.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/requests", tag = "members",
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn withdraw(asker: Asker, Path(conversation): Path<String>, key: Key) -> Result<Answer<Placed>, Problem> {
    change_group(&asker, &conversation, key, Change::Withdraw(wire::Done {})).await
}

/// Lets a user in that has asked to join.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/requests/{user}/accept", tag = "members",
    params(("conversation" = inline(Conversation), Path), ("user" = inline(Id), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn accept(
    asker: Asker,
    Path((conversation, user)): Path<(String, String)>,
    key: Key,
) -> Result<Answer<Placed>, Problem> {
    answer(&asker, &conversation, &user, key, true).await
}

/// Refuses a request to join.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/requests/{user}/refuse", tag = "members",
    params(("conversation" = inline(Conversation), Path), ("user" = inline(Id), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn refuse(
    asker: Asker,
    Path((conversation, user)): Path<(String, String)>,
    key: Key,
) -> Result<Answer<Placed>, Problem> {
    answer(&asker, &conversation, &user, key, false).await
}

async fn answer(
    asker: &Asker,
    conversation: &str,
    user: &str,
    key: Key,
    accept: bool,
) -> Result<Answer<Placed>, Problem> {
    let change = Change::AnswerRequest(wire::AnswerRequest { user: user_of_path(user)?, accept });
    change_group(asker, conversation, key, change).await
}
