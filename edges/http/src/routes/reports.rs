//! Reports of messages and users.

use axum::http::StatusCode;
use serde::Deserialize;
use troupe_actors::message::wire;
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::json::{Json, whole_given};
use crate::key::Key;
use crate::problem::Problem;
use crate::routes::messages::given;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Of the message, with its `seq`. Absent: the user is reported.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Conversation, required = false)]
    conversation: Option<String>,
    #[serde(default, deserialize_with = "whole_given")]
    #[schema(value_type = u64, required = false, minimum = 1, maximum = 9007199254740991u64)]
    seq: Option<u64>,
    /// Without a message.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Id, required = false)]
    user: Option<Id>,
    #[schema(max_length = 1024)]
    reason: String,
}

/// Reports a message, or a user, to the administrators.
///
/// A repeated report of the same is one.
#[utoipa::path(post, path = "/v1/reports", tag = "contacts", request_body = Report,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It waits for the administrators")))]
pub async fn file(asker: Asker, key: Key, Json(report): Json<Report>) -> Result<StatusCode, Problem> {
    let Report { conversation, seq, user, reason } = report;
    let (conversation, seq, user_id) = match (conversation, seq, user) {
        (Some(conversation), Some(seq), None) => (conversation_of_path(&conversation)?.to_string(), seq, 0),
        (None, None, Some(user)) => (String::new(), 0, user.user()?),
        _ => return Err(Problem::bad_request("name a conversation and a seq, or a user").of_meaning()),
    };
    let report = wire::Report { request: key.bytes(), conversation, seq, user_id, reason };
    asker.perform(report).await.map_err(|problem| problem.of_meaning().under(key.id))?;
    Ok(StatusCode::NO_CONTENT)
}
