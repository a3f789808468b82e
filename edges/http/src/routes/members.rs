//! Members of a conversation.

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_actors::message::wire::change_group::Change;
use troupe_core::{Rejection, limits};
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path, user_of_path, users};
use crate::json::{Json, whole_given};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit};
use crate::routes::event::Role;
use crate::routes::groups::change_group;
use crate::routes::messages::{Placed, given};

#[derive(Serialize, ToSchema)]
pub struct Members {
    members: Vec<Member>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Member {
    user_id: Id,
    role: Role,
    /// Its devices hold everything up to this seq.
    delivered: u64,
    read: u64,
    /// Absent if it may speak.
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until_ms: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The last user of the page before.
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,15}$")]
    after: Option<Id>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Members in order of their ids. `everyone` has all users and lists none.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/members", tag = "members",
    params(("conversation" = inline(Conversation), Path), ListQuery),
    responses((status = 200, body = Members)))]
pub async fn list(
    asker: Asker,
    Path(conversation): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Members>, Problem> {
    let limit = limit(query.limit, limits::PAGE_MEMBERS)?;
    let after = query.after.map_or(0, |after| after.0);
    let conversation = conversation_of_path(&conversation)?.to_string();
    let page = asker.perform(wire::ListMembers { conversation, after, limit }).await?;
    let member = |member: wire::Member| {
        let role = Role::of_wire(member.role());
        let wire::Member { user_id, delivered, read, muted_until_ms, .. } = member;
        let muted_until_ms = Some(muted_until_ms).filter(|until| *until != 0);
        Member { user_id: Id(user_id), role, delivered, read, muted_until_ms }
    };
    Ok(Answer(Members { members: page.members.into_iter().map(member).collect(), more: page.more }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMembers {
    #[schema(min_items = 1, max_items = 200)]
    users: Vec<Id>,
}

/// Adds users to a group.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/members", tag = "members",
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = AddMembers, responses((status = 200, body = Placed)))]
pub async fn add(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(add): Json<AddMembers>,
) -> Result<Answer<Placed>, Problem> {
    if add.users.len() > limits::MEMBERS_PER_REQUEST {
        return Err(asker.refused(Rejection::TooMany.into()));
    }
    let users = users(&add.users)?;
    change_group(&asker, &conversation, key, Change::Add(wire::AddMembers { users })).await
}

/// Adds one user. With the caller's own id it joins an open group.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/members/{user}", tag = "members",
    params(("conversation" = inline(Conversation), Path), ("user" = inline(Id), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn add_one(
    asker: Asker,
    Path((conversation, user)): Path<(String, String)>,
    key: Key,
) -> Result<Answer<Placed>, Problem> {
    let user = user_of_path(&user)?;
    let joins = user == asker.user();
    let change = if joins { Change::Join(wire::Done {}) } else { Change::Add(wire::AddMembers { users: vec![user] }) };
    change_group(&asker, &conversation, key, change).await
}

/// One of them.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeMember {
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Role)]
    role: Option<Role>,
    /// Until then the member cannot speak; 0 lifts the mute.
    #[serde(deserialize_with = "whole_given")]
    #[schema(value_type = u64, minimum = 0, maximum = 9007199254740991u64)]
    muted_until_ms: Option<u64>,
}

/// Sets the role of a member, which owners may, or mutes it, which admins may as a rule.
#[utoipa::path(patch, path = "/v1/conversations/{conversation}/members/{user}", tag = "members",
    params(("conversation" = inline(Conversation), Path), ("user" = inline(Id), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = ChangeMember, responses((status = 200, body = Placed)))]
pub async fn change(
    asker: Asker,
    Path((conversation, user)): Path<(String, String)>,
    key: Key,
    Json(change): Json<ChangeMember>,
) -> Result<Answer<Placed>, Problem> {
    let user = user_of_path(&user)?;
    let change = match (change.role, change.muted_until_ms) {
        (Some(role), None) => Change::SetRole(wire::RoleChanged { user, role: role.wire().into() }),
        (None, Some(until_ms)) => Change::Mute(wire::Muted { user, until_ms }),
        _ => {
            return Err(Problem::bad_request("give one of `role` and `muted_until_ms`").of_meaning());
        }
    };
    change_group(&asker, &conversation, key, change).await.map_err(Problem::of_meaning)
}

/// Removes a member. With the caller's own id it leaves the group.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/members/{user}", tag = "members",
    params(("conversation" = inline(Conversation), Path), ("user" = inline(Id), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn remove(
    asker: Asker,
    Path((conversation, user)): Path<(String, String)>,
    key: Key,
) -> Result<Answer<Placed>, Problem> {
    let user = user_of_path(&user)?;
    let leaves = user == asker.user();
    let change = if leaves { Change::Leave(wire::Done {}) } else { Change::Remove(user) };
    change_group(&asker, &conversation, key, change).await
}
