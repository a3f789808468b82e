//! Messages to many conversations at once: forwards, and a broadcast to all contacts.

use std::borrow::Cow;

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::limits;
use utoipa::openapi::schema::{Array, ArrayBuilder, OneOfBuilder};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::json::{Json, MESSAGE, whole, whole_given};
use crate::key::Key;
use crate::problem::{Problem, Shown};
use crate::query::{GREATEST, limit, seq};
use crate::routes::bodies::{MessageBody, schema};
use crate::routes::messages::{body_of, given};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewForward {
    /// The conversation of the messages.
    #[schema(value_type = Conversation)]
    from: String,
    /// The messages, in the order in which they are sent.
    #[schema(schema_with = some_seqs)]
    seqs: Vec<MessageSeq>,
    /// The conversations to which they are sent.
    #[schema(value_type = Vec<Conversation>, min_items = 1, max_items = 20)]
    to: Vec<String>,
    /// Whether they are sent as one message, with senders and times.
    #[serde(default)]
    bundle: bool,
    /// A message behind them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 65536)]
    text: Option<String>,
}

fn some_seqs() -> Array {
    let seq = schema::whole(1, GREATEST);
    ArrayBuilder::new().items(seq).min_items(Some(1)).max_items(Some(limits::FORWARDED)).build()
}

#[derive(Deserialize)]
struct MessageSeq(#[serde(deserialize_with = "whole")] u64);

/// The outcome for each conversation.
#[derive(Serialize, ToSchema)]
pub struct Forwarded {
    outcomes: Vec<ForwardOutcome>,
    /// Of a broadcast: there are contacts behind this one. Repeat the request with it as `after`,
    /// and with the same `Idempotency-Key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Id>,
}

#[derive(Serialize, ToSchema)]
pub struct ForwardOutcome {
    conversation: String,
    /// The places of the messages that have one.
    placed: Vec<ForwardPlace>,
    /// Of the first message without a place. Absent: all have theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Shown>)]
    problem: Option<Problem>,
}

#[derive(Serialize, ToSchema)]
pub struct ForwardPlace {
    seq: u64,
    time_ms: u64,
    /// It follows from the key of the request, 32 hexadecimal digits.
    client_message_id: String,
    duplicate: bool,
}

impl From<wire::Forwarded> for Forwarded {
    fn from(forwarded: wire::Forwarded) -> Forwarded {
        let place = |ack: wire::SendAck| ForwardPlace {
            seq: ack.seq,
            time_ms: ack.time_ms,
            client_message_id: ack.client_message_id.iter().map(|byte| format!("{byte:02x}")).collect(),
            duplicate: ack.duplicate,
        };
        let outcome = |outcome: wire::ForwardOutcome| ForwardOutcome {
            conversation: outcome.conversation,
            placed: outcome.acks.into_iter().map(place).collect(),
            problem: outcome.failure.map(Problem::from),
        };
        let next = Some(Id(forwarded.next)).filter(|next| next.0 != 0);
        Forwarded { outcomes: forwarded.outcomes.into_iter().map(outcome).collect(), next }
    }
}

/// Forwards messages that the caller sees to other conversations.
///
/// Each conversation has an outcome of its own. A repeat with the same key sends nothing twice, and
/// sends what has no place yet.
#[utoipa::path(post, path = "/v1/forward", tag = "messages", request_body = NewForward,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Forwarded)))]
pub async fn forward(
    asker: Asker,
    key: Key,
    Json(new): Json<NewForward, MESSAGE>,
) -> Result<Answer<Forwarded>, Problem> {
    let NewForward { from, seqs, to, bundle, text } = new;
    let from = conversation_of_path(&from)?.to_string();
    let to = to.iter().map(|to| conversation_of_path(to).map(|to| to.to_string())).collect::<Result<_, _>>()?;
    let seqs = seqs.into_iter().map(|of| seq("seqs", of.0)).collect::<Result<_, _>>()?;
    let text = text.unwrap_or_default();
    let forward = wire::Forward { request: key.bytes(), from, seqs, to, bundle, text };
    let forwarded = asker.perform(forward).await.map_err(|problem| problem.under(key.id))?;
    Ok(Answer(forwarded.into()))
}

/// A text or a body for all contacts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBroadcast {
    #[serde(default, deserialize_with = "given")]
    text: Option<String>,
    #[serde(default, deserialize_with = "given")]
    body: Option<MessageBody>,
    #[serde(default, deserialize_with = "given")]
    after: Option<Id>,
    #[serde(default, deserialize_with = "whole_given")]
    limit: Option<u32>,
}

impl PartialSchema for NewBroadcast {
    fn schema() -> RefOr<Schema> {
        let message = || {
            let after = Id::schema();
            let contacts = schema::whole(1, limits::BROADCAST_CONTACTS as u64);
            schema::closed().property("after", after).property("limit", contacts)
        };
        OneOfBuilder::new()
            .item(message().property("text", schema::text(1, limits::MESSAGE_BYTES)).required("text"))
            .item(message().property("body", schema::body()).required("body"))
            .description(Some("A text or a body, and the `next` of the answer before as `after`."))
            .into()
    }
}

impl ToSchema for NewBroadcast {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewBroadcast")
    }
}

/// Sends a message to the direct conversation of each contact, up to 50 contacts in one request.
///
/// `next` says where to go on, with the same key: no contact gets the message twice.
#[utoipa::path(post, path = "/v1/broadcast", tag = "messages", request_body = NewBroadcast,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Forwarded)))]
pub async fn broadcast(
    asker: Asker,
    key: Key,
    Json(new): Json<NewBroadcast, MESSAGE>,
) -> Result<Answer<Forwarded>, Problem> {
    let body = body_of(new.text, new.body)?;
    let limit = limit(new.limit, limits::BROADCAST_CONTACTS)?;
    let after = new.after.map_or(0, |after| after.0.min(GREATEST));
    let broadcast = wire::Broadcast { request: key.bytes(), body: Some((&body).into()), after, limit };
    let forwarded = asker.perform(broadcast).await.map_err(|problem| problem.under(key.id))?;
    Ok(Answer(forwarded.into()))
}
