//! Groups: creation, and one change of a group.

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire::change_group::Change;
use troupe_actors::message::{Refusal, wire};
use troupe_core::{Seq, limits};
use troupe_proto::client;
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Id, conversation_of_path, users};
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::routes::messages::Placed;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    #[schema(min_length = 1, max_length = 64, example = "The team")]
    name: String,
    /// Whether any user may join by the id of the group.
    #[serde(default)]
    open: bool,
    #[serde(default)]
    #[schema(max_items = 200)]
    members: Vec<Id>,
}

#[derive(Serialize, ToSchema)]
pub struct GroupCreated {
    conversation: String,
}

/// Makes a group with the caller as its owner, once per `Idempotency-Key`.
#[utoipa::path(post, path = "/v1/groups", tag = "conversations", request_body = NewGroup,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = GroupCreated)))]
pub async fn create(asker: Asker, key: Key, Json(group): Json<NewGroup>) -> Result<Answer<GroupCreated>, Problem> {
    let NewGroup { name, open, members } = group;
    if members.len() > limits::MEMBERS_PER_REQUEST {
        return Err(asker.refused(troupe_core::Rejection::TooMany.into()));
    }
    let members = users(&members)?;
    let create = wire::CreateGroup { request: key.bytes(), name, open, members };
    let asked = create.clone();
    let created = asker.perform(create).await.map_err(|problem| problem.under(key.id))?;
    // Only a key of the client can have made a group before.
    if key.given {
        asker.is_the_same_group(&created.conversation, asked).await?;
    }
    Ok(Answer(GroupCreated { conversation: created.conversation }))
}

/// Places one change in the log of a group, once per key.
pub async fn change_group(asker: &Asker, group: &str, key: Key, change: Change) -> Result<Answer<Placed>, Problem> {
    match try_change_group(asker, group, &key, change).await? {
        Ok(placed) => Ok(Answer(placed)),
        Err(refusal) => Err(asker.refused(refusal).under(key.id)),
    }
}

/// The same, with the refusal of the change as it is.
pub async fn try_change_group(
    asker: &Asker,
    group: &str,
    key: &Key,
    change: Change,
) -> Result<Result<Placed, Refusal>, Problem> {
    let conversation = conversation_of_path(group)?;
    let change =
        wire::ChangeGroup { request: key.bytes(), conversation: conversation.to_string(), change: Some(change) };
    let asked = change.clone();
    let ack = match asker.try_perform(change).await? {
        Ok(ack) => ack,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if ack.duplicate && key.given {
        let changed = client::change_group(asker.known.caller.user(), asked);
        let intent = changed.map_err(|error| asker.refused(error.into()))?.intent;
        asker.is_the_same(conversation, Seq(ack.seq), &intent).await?;
    }
    Ok(Ok(Placed::of(&ack, key)))
}
