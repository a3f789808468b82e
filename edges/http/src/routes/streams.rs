//! Messages that grow word by word: `stream` of a new message, its pieces, and its end.

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::Deserialize;
use troupe_actors::message::wire;
use troupe_core::{Intent, Seq};
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Conversation, conversation_of_path};
use crate::json::{Json, MESSAGE, whole};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::Path;
use crate::routes::messages::{Placed, message_of_path};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPiece {
    /// The number of pieces before it. A repeat changes nothing.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 9007199254740991u64)]
    index: u64,
    /// At most 3072 bytes.
    #[schema(min_length = 1, max_length = 3072)]
    text: String,
}

/// Appends a piece to an own message that was sent with `stream`.
///
/// It is on the disks of a majority. Devices of other members that are connected now get it as
/// `piece` of `GET /v1/events`, and history has the text until now.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/messages/{seq}/pieces", tag = "messages",
    request_body = NewPiece,
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64)),
    responses((status = 204, description = "The message has it")))]
pub async fn write(
    asker: Asker,
    Path((conversation, seq)): Path<(String, String)>,
    Json(piece): Json<NewPiece>,
) -> Result<StatusCode, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    let (seq, NewPiece { index, text }) = (message_of_path(&seq)?, piece);
    let write = wire::WritePiece { conversation, seq, index, text };
    asker.perform(write).await.map_err(Problem::of_meaning)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EndOfStream {
    /// The whole text of the message. Without it: what was streamed.
    #[schema(required = false, max_length = 65536)]
    text: String,
    /// The sender breaks it off.
    #[schema(required = false)]
    aborted: bool,
}

/// Ends a stream: the message has its last body, as an event `stream_ended`.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/messages/{seq}/end", tag = "messages",
    request_body = EndOfStream,
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn end(
    asker: Asker,
    Path((conversation, seq)): Path<(String, String)>,
    key: Key,
    Json(end): Json<EndOfStream, MESSAGE>,
) -> Result<Answer<Placed>, Problem> {
    let conversation = conversation_of_path(&conversation)?;
    let (seq, EndOfStream { text, aborted }) = (message_of_path(&seq)?, end);
    let intent = Intent::EndStream { to: Seq(seq), text: text.clone(), aborted };
    let end = wire::EndStream { request: key.bytes(), conversation: conversation.to_string(), seq, text, aborted };
    let ack = asker.perform(end).await.map_err(|problem| problem.under(key.id))?;
    if ack.duplicate && key.given {
        asker.is_the_same(conversation, Seq(ack.seq), &intent).await?;
    }
    Ok(Answer(Placed::of(&ack, &key)))
}
