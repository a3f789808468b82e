//! Pinned messages of a conversation.

use axum::Json as Answer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use troupe_actors::message::{Refusal, wire};
use troupe_core::{Intent, Seq};
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::Path;
use crate::routes::messages::{Placed, message_of_path};

#[derive(Serialize, ToSchema)]
pub struct Pins {
    /// The one that was pinned first comes first.
    pins: Vec<Pin>,
}

#[derive(Serialize, ToSchema)]
pub struct Pin {
    seq: u64,
    by: Id,
    time_ms: u64,
}

/// The pinned messages that the caller sees.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/pins", tag = "messages",
    params(("conversation" = inline(Conversation), Path)), responses((status = 200, body = Pins)))]
pub async fn list(asker: Asker, Path(conversation): Path<String>) -> Result<Answer<Pins>, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    let list = asker.perform(wire::ListPins { conversation }).await?;
    let pin = |pin: wire::Pin| Pin { seq: pin.seq, by: Id(pin.by), time_ms: pin.time_ms };
    Ok(Answer(Pins { pins: list.pins.into_iter().map(pin).collect() }))
}

/// Pins a message for all members.
///
/// A message that is pinned already gets 204: nothing is placed.
#[utoipa::path(put, path = "/v1/conversations/{conversation}/pins/{seq}", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "The message is pinned already")))]
pub async fn pin(asker: Asker, Path((place, seq)): Path<(String, String)>, key: Key) -> Result<Response, Problem> {
    change(&asker, &place, &seq, false, key).await
}

/// Takes the pin of a message away.
///
/// A message that is not pinned gets 204: nothing is placed.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/pins/{seq}", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "The message is not pinned")))]
pub async fn unpin(asker: Asker, Path((place, seq)): Path<(String, String)>, key: Key) -> Result<Response, Problem> {
    change(&asker, &place, &seq, true, key).await
}

async fn change(asker: &Asker, conversation: &str, seq: &str, remove: bool, key: Key) -> Result<Response, Problem> {
    let conversation = conversation_of_path(conversation)?;
    let seq = message_of_path(seq)?;
    let pin = wire::PinMessage { request: key.bytes(), conversation: conversation.to_string(), seq, remove };
    match asker.try_perform(pin).await? {
        Ok(ack) => {
            if ack.duplicate && key.given {
                asker.is_the_same(conversation, Seq(ack.seq), &Intent::Pin { to: Seq(seq), remove }).await?;
            }
            Ok(Answer(Placed::of(&ack, &key)).into_response())
        }
        // `PUT` and `DELETE` name a state, and it is this one already.
        Err(refusal) if is_so(&refusal, remove) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => Err(asker.refused(refusal).under(key.id)),
    }
}

fn is_so(refusal: &Refusal, remove: bool) -> bool {
    let code_of_state = if remove { "not_pinned" } else { "already_pinned" };
    matches!(refusal, Refusal::Rejected { code, .. } if code == code_of_state)
}
