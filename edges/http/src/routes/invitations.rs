//! Groups to which strangers have added the caller, and direct conversations that they have begun.

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::json::{Json, whole};
use crate::problem::Problem;
use crate::query::{Path, seq};

#[derive(Serialize, ToSchema)]
pub struct Invitations {
    invitations: Vec<Invitation>,
}

#[derive(Serialize, ToSchema)]
pub struct Invitation {
    conversation: String,
    /// The group's, or the other user's.
    name: String,
    invited_by: Id,
    /// The event that added the caller, or the first message.
    seq: u64,
    created_ms: u64,
}

/// Invitations without an answer.
#[utoipa::path(get, path = "/v1/invitations", tag = "conversations", responses((status = 200, body = Invitations)))]
pub async fn list(asker: Asker) -> Result<Answer<Invitations>, Problem> {
    let list = asker.perform(wire::ListInvitations {}).await?;
    let line = |line: wire::Invitation| {
        let wire::Invitation { conversation, name, invited_by, seq, created_ms } = line;
        Invitation { conversation, name, invited_by: Id(invited_by), seq, created_ms }
    };
    Ok(Answer(Invitations { invitations: list.invitations.into_iter().map(line).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// As listed.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 9007199254740991u64)]
    seq: u64,
}

/// Accepts an invitation: the group is on the caller's list from now on.
#[utoipa::path(post, path = "/v1/invitations/{conversation}/accept", tag = "conversations",
    params(("conversation" = inline(Conversation), Path)), request_body = Accept,
    responses((status = 204, description = "The caller is in the group")))]
pub async fn accept(
    asker: Asker,
    Path(conversation): Path<String>,
    Json(accept): Json<Accept>,
) -> Result<StatusCode, Problem> {
    let seq = seq("seq", accept.seq)?;
    let conversation = conversation_of_path(&conversation)?.to_string();
    asker.perform(wire::AcceptInvitation { conversation, seq, decline: false }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Declines an invitation: the caller leaves the group, or the direct conversation stays unlisted.
#[utoipa::path(post, path = "/v1/invitations/{conversation}/decline", tag = "conversations",
    params(("conversation" = inline(Conversation), Path)), request_body = Accept,
    responses((status = 204, description = "There is no such invitation any more")))]
pub async fn decline(
    asker: Asker,
    Path(conversation): Path<String>,
    Json(decline): Json<Accept>,
) -> Result<StatusCode, Problem> {
    let seq = seq("seq", decline.seq)?;
    let conversation = conversation_of_path(&conversation)?.to_string();
    asker.perform(wire::AcceptInvitation { conversation, seq, decline: true }).await?;
    Ok(StatusCode::NO_CONTENT)
}
