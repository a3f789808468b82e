//! Invitation codes.

use axum::Json as Body;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};
use wire::admin::Operation;
use wire::admin_answer::Answer;

use super::{ask, order, other};
use crate::asker::Asker;
use crate::json::{Json, whole};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit, seq};

#[derive(Serialize, ToSchema)]
pub struct Invites {
    invites: Vec<Invite>,
    more: bool,
}

/// An invitation, without its code.
#[derive(Serialize, ToSchema)]
pub struct Invite {
    id: String,
    created_ms: u64,
    expires_ms: u64,
    /// Accounts that it may register, and those that it has.
    uses: u32,
    used: u32,
    revoked: bool,
    note: String,
    by: String,
}

impl From<wire::Invite> for Invite {
    fn from(invite: wire::Invite) -> Invite {
        let wire::Invite { id, created_ms, expires_ms, uses, used, revoked, note, by } = invite;
        Invite { id, created_ms, expires_ms, uses, used, revoked, note, by }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The last id of the page before.
    after: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// All invitations.
#[utoipa::path(get, path = "/v1/admin/invites", tag = "administration", params(ListQuery),
    responses((status = 200, body = Invites)))]
pub async fn list(asker: Asker, Query(query): Query<ListQuery>) -> Result<Body<Invites>, Problem> {
    let limit = limit(query.limit, limits::PAGE_ACCOUNTS)?;
    let after = query.after.unwrap_or_default();
    match ask(&asker, Operation::ListInvites(wire::ListInvites { after, limit })).await? {
        Answer::Invites(page) => {
            Ok(Body(Invites { invites: page.invites.into_iter().map(Invite::from).collect(), more: page.more }))
        }
        _ => Err(other(&asker)),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvite {
    /// The client chooses it, and the cluster keeps its hash only.
    #[schema(pattern = "^[A-Za-z0-9-]{12,64}$")]
    code: String,
    /// Accounts that it may register.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 1000)]
    uses: u32,
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 9007199254740991u64)]
    expires_ms: u64,
    #[serde(default)]
    #[schema(max_length = 256)]
    note: String,
}

/// Makes an invitation.
#[utoipa::path(post, path = "/v1/admin/invites", tag = "administration", request_body = NewInvite,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Invite)))]
pub async fn create(asker: Asker, key: Key, Json(invite): Json<NewInvite>) -> Result<Body<Invite>, Problem> {
    let NewInvite { code, uses, expires_ms, note } = invite;
    let expires_ms = seq("expires_ms", expires_ms)?;
    let create = wire::CreateInvite { code, uses, expires_ms, note };
    match order(&asker, key, Operation::CreateInvite(create)).await? {
        Answer::Invites(page) => {
            page.invites.into_iter().next().map(|invite| Body(invite.into())).ok_or_else(|| other(&asker))
        }
        _ => Err(other(&asker)),
    }
}

/// Ends an invitation: its code registers no more accounts.
#[utoipa::path(delete, path = "/v1/admin/invites/{id}", tag = "administration",
    params(("id" = String, Path, description = "As listed"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is revoked")))]
pub async fn revoke(asker: Asker, Path(id): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    match order(&asker, key, Operation::RevokeInvite(id)).await? {
        Answer::Done(_) => Ok(StatusCode::NO_CONTENT),
        _ => Err(other(&asker)),
    }
}
