//! Reactions to messages.

use axum::Json as Answer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use troupe_actors::message::{Refusal, wire};
use troupe_core::{Intent, Seq};
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Conversation, conversation_of_path};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::Path;
use crate::routes::messages::{Placed, message_of_path};

/// The reactions to a message of a page.
#[derive(Serialize, ToSchema)]
pub struct Reaction {
    emoji: String,
    /// Users who have it.
    users: u64,
    /// Whether the caller is one of them.
    mine: bool,
}

impl From<wire::Reaction> for Reaction {
    fn from(reaction: wire::Reaction) -> Reaction {
        let wire::Reaction { emoji, users, mine } = reaction;
        Reaction { emoji, users, mine }
    }
}

/// Gives a reaction to a message.
///
/// A caller that has it already gets 204: nothing is placed.
#[utoipa::path(put, path = "/v1/conversations/{conversation}/messages/{seq}/reactions/{emoji}", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("emoji" = String, Path, description = "One emoji, percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "The caller has it already")))]
pub async fn give(
    asker: Asker,
    Path((conversation, seq, emoji)): Path<(String, String, String)>,
    key: Key,
) -> Result<Response, Problem> {
    react(&asker, &conversation, &seq, emoji, false, key).await
}

/// Takes a reaction back.
///
/// A caller that does not have it gets 204: nothing is placed.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/messages/{seq}/reactions/{emoji}", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("emoji" = String, Path, description = "One emoji, percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "The caller does not have it")))]
pub async fn take_back(
    asker: Asker,
    Path((conversation, seq, emoji)): Path<(String, String, String)>,
    key: Key,
) -> Result<Response, Problem> {
    react(&asker, &conversation, &seq, emoji, true, key).await
}

async fn react(
    asker: &Asker,
    conversation: &str,
    seq: &str,
    emoji: String,
    remove: bool,
    key: Key,
) -> Result<Response, Problem> {
    let conversation = conversation_of_path(conversation)?;
    let seq = message_of_path(seq)?;
    let intent = Intent::React { to: Seq(seq), emoji: emoji.clone(), remove };
    let react = wire::React { conversation: conversation.to_string(), request: key.bytes(), seq, emoji, remove };
    match asker.try_perform(react).await? {
        Ok(ack) => {
            if ack.duplicate && key.given {
                asker.is_the_same(conversation, Seq(ack.seq), &intent).await?;
            }
            Ok(Answer(Placed::of(&ack, &key)).into_response())
        }
        // `PUT` and `DELETE` name a state, and it is this one already.
        Err(refusal) if is_so(&refusal, remove) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => Err(asker.refused(refusal).under(key.id)),
    }
}

fn is_so(refusal: &Refusal, remove: bool) -> bool {
    let code_of_state = if remove { "no_such_reaction" } else { "already_reacted" };
    matches!(refusal, Refusal::Rejected { code, .. } if code == code_of_state)
}
