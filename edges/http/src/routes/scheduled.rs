//! Messages that wait for their time.

use axum::Json as Answer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use troupe_actors::message::{Refusal, wire};
use troupe_core::{Body, ConversationId, Intent, Rejection, Seq, limits};
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, conversation_of_path};
use crate::key::{self, Key};
use crate::problem::{Problem, reused};
use crate::query::{Path, Query, limit};
use crate::routes::bodies::{MessageBody, Refers};

/// The message is on the disks of a majority, and is sent at its time.
#[derive(Serialize, ToSchema)]
pub struct Scheduled {
    /// The key of the request, 32 hexadecimal digits: to cancel it, and the id of the message.
    client_message_id: String,
    deliver_at_ms: u64,
    /// An earlier request with the same key has scheduled it.
    duplicate: bool,
    /// Its place, if it has been sent already.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_ms: Option<u64>,
}

/// `POST .../messages` with `deliver_at_ms`.
pub async fn schedule(
    asker: &Asker,
    conversation: ConversationId,
    key: Key,
    body: wire::Body,
    deliver_at_ms: u64,
) -> Result<Response, Problem> {
    let intent = Intent::Message(body.clone().into());
    let (name, client_message_id) = (conversation.to_string(), key.bytes());
    let schedule = wire::Schedule { conversation: name, client_message_id, body: Some(body), deliver_at_ms };
    let kept = match asker.try_perform(schedule).await? {
        Ok(kept) => kept,
        Err(Refusal::Rejected { code, .. }) if code == Rejection::RequestReused.code() => return Err(reused()),
        Err(refusal) => return Err(asker.refused(refusal).under(key.id)),
    };
    let seq = Some(kept.seq).filter(|seq| *seq != 0);
    if let Some(seq) = seq.filter(|_| key.given) {
        asker.is_the_same(conversation, Seq(seq), &intent).await?;
    }
    let scheduled = Scheduled {
        client_message_id: key.id.to_string(),
        deliver_at_ms,
        duplicate: kept.duplicate,
        seq,
        time_ms: seq.map(|_| kept.time_ms),
    };
    Ok((StatusCode::ACCEPTED, Answer(scheduled)).into_response())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScheduledQuery {
    /// The last `client_message_id` of the page before.
    #[param(value_type = Option<String>, pattern = "^[0-9a-f]{32}$")]
    after: Option<String>,
    /// Without it: as many as a page takes.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct ScheduledList {
    /// In order of `client_message_id`.
    messages: Vec<ScheduledMessage>,
    /// Whether there are further ones.
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct ScheduledMessage {
    client_message_id: String,
    deliver_at_ms: u64,
    body: MessageBody,
    #[serde(flatten)]
    refers: Refers,
    /// The code of the refusal at its time. It leaves the list after a week, or by a `DELETE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// The caller's messages that wait in a conversation, and those refused at their time.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/scheduled", tag = "messages",
    params(("conversation" = inline(Conversation), Path), ScheduledQuery),
    responses((status = 200, body = ScheduledList)))]
pub async fn list(
    asker: Asker,
    Path(conversation): Path<String>,
    Query(query): Query<ScheduledQuery>,
) -> Result<Answer<ScheduledList>, Problem> {
    let limit = limit(query.limit, limits::PAGE_SCHEDULED)?;
    let after = match query.after.as_deref().map(key::parse) {
        None => Bytes::new(),
        Some(Some(id)) => Bytes::copy_from_slice(&id.0),
        Some(None) => return Err(Problem::bad_request("after: it is 32 hexadecimal digits or a UUID")),
    };
    let conversation = conversation_of_path(&conversation)?.to_string();
    let list = asker.perform(wire::ListScheduled { conversation, after, limit }).await?;
    let message = |message: wire::ScheduledMessage| {
        let body = Body::from(message.body.unwrap_or_default());
        ScheduledMessage {
            client_message_id: message.client_message_id.iter().map(|byte| format!("{byte:02x}")).collect(),
            deliver_at_ms: message.deliver_at_ms,
            body: MessageBody::from(&body),
            refers: Refers::from(&body),
            refused: Some(message.refused).filter(|code| !code.is_empty()),
        }
    };
    Ok(Answer(ScheduledList { messages: list.messages.into_iter().map(message).collect(), more: list.more }))
}

/// Cancels a message that waits, or takes a refused one off the list.
///
/// A message that has been sent is refused with `already_sent`.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/scheduled/{client_message_id}", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("client_message_id" = String, Path, description = "As listed")),
    responses((status = 204, description = "It is not sent")))]
pub async fn cancel(
    asker: Asker,
    Path((conversation, client_message_id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    // A text that is no id is that of no message.
    let no_such = || Rejection::from(troupe_core::feature::NO_SUCH_SCHEDULED);
    let id = key::parse(&client_message_id).ok_or_else(no_such)?;
    let client_message_id = Bytes::copy_from_slice(&id.0);
    asker.perform(wire::CancelScheduled { conversation, client_message_id }).await?;
    Ok(StatusCode::NO_CONTENT)
}
