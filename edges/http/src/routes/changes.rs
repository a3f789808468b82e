//! Changes of a message by its sender: another body, or none.

use std::borrow::Cow;

use axum::Json as Answer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use troupe_actors::message::{Refusal, wire};
use troupe_core::{Intent, Seq, limits};
use utoipa::openapi::schema::OneOfBuilder;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, conversation_of_path};
use crate::json::{Json, MESSAGE};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::routes::bodies::{MessageBody, schema};
use crate::routes::messages::{Placed, body_of, given, message_of_path};

/// A text, or a body of the kind that the message has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewContent {
    #[serde(default, deserialize_with = "given")]
    text: Option<String>,
    #[serde(default, deserialize_with = "given")]
    body: Option<MessageBody>,
}

impl PartialSchema for NewContent {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(schema::closed().property("text", schema::text(1, limits::MESSAGE_BYTES)).required("text"))
            .item(schema::closed().property("body", schema::body()).required("body"))
            .description(Some("A text, or a body of the kind that the message has."))
            .into()
    }
}

impl ToSchema for NewContent {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewContent")
    }
}

/// Gives a message of the caller another text or body.
///
/// The history of the message is its `edited` events. Only its sender may, and so often as the
/// limits say.
#[utoipa::path(patch, path = "/v1/conversations/{conversation}/messages/{seq}", tag = "messages",
    request_body = NewContent,
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn edit(
    asker: Asker,
    Path((conversation, seq)): Path<(String, String)>,
    key: Key,
    Json(content): Json<NewContent, MESSAGE>,
) -> Result<Answer<Placed>, Problem> {
    let body = body_of(content.text, content.body)?;
    let conversation = conversation_of_path(&conversation)?;
    let seq = message_of_path(&seq)?;
    let intent = Intent::Edit { to: Seq(seq), body: body.clone() };
    let (to, body) = (conversation.to_string(), Some((&body).into()));
    let edit = wire::EditMessage { conversation: to, request: key.bytes(), seq, body };
    let ack = asker.perform(edit).await.map_err(|problem| problem.under(key.id))?;
    if ack.duplicate && key.given {
        asker.is_the_same(conversation, Seq(ack.seq), &intent).await?;
    }
    Ok(Answer(Placed::of(&ack, &key)))
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum For {
    /// Recall it.
    #[default]
    Everyone,
    /// The others keep it.
    Me,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// Without it: `everyone`.
    #[serde(default, rename = "for")]
    #[param(inline)]
    whom: For,
}

/// Recalls a message: every replica erases its content, and those of its edits.
///
/// Its sender may for the time that the cluster sets, and members with the permission `recall`
/// always. A message that is erased already gets 204: nothing is placed. With `for=me` the message
/// is deleted for the caller alone, which cannot be undone.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/messages/{seq}", tag = "messages",
    params(DeleteQuery, ("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "It is erased already, or deleted for the caller")))]
pub async fn recall(
    asker: Asker,
    Path((conversation, seq)): Path<(String, String)>,
    Query(query): Query<DeleteQuery>,
    key: Key,
) -> Result<Response, Problem> {
    let conversation = conversation_of_path(&conversation)?;
    let seq = message_of_path(&seq)?;
    if matches!(query.whom, For::Me) {
        let delete = wire::DeleteForMe { conversation: conversation.to_string(), seqs: vec![seq] };
        asker.perform(delete).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let recall = wire::RecallMessage { conversation: conversation.to_string(), request: key.bytes(), seq };
    match asker.try_perform(recall).await? {
        Ok(ack) => {
            if ack.duplicate && key.given {
                let intent = Intent::Recall { to: Seq(seq), within_ms: 0 };
                asker.is_the_same(conversation, Seq(ack.seq), &intent).await?;
            }
            Ok(Answer(Placed::of(&ack, &key)).into_response())
        }
        // `DELETE` names a state, and it is this one already.
        Err(Refusal::Rejected { code, .. }) if code == "erased" => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => Err(asker.refused(refusal).under(key.id)),
    }
}
