//! The groups of the cluster.

use axum::Json as Body;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};
use wire::admin::Operation;
use wire::admin_answer::Answer;

use super::{ask, other};
use crate::asker::Asker;
use crate::problem::Problem;
use crate::query::{Query, limit};

#[derive(Serialize, ToSchema)]
pub struct AdminGroups {
    groups: Vec<AdminGroup>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct AdminGroup {
    conversation: String,
    name: String,
    members: u32,
    /// The last event of its log: messages and other events.
    head: u64,
    /// Of its files, uploads included.
    file_bytes: u64,
    /// The time of its last event.
    last_ms: u64,
    created_ms: u64,
    /// Whether any user may join by id.
    open: bool,
    /// It takes no event any more.
    disbanded: bool,
}

impl From<wire::GroupRow> for AdminGroup {
    fn from(row: wire::GroupRow) -> AdminGroup {
        let wire::GroupRow { conversation, name, members, head, file_bytes, last_ms, created_ms, open, disbanded } =
            row;
        AdminGroup { conversation, name, members, head, file_bytes, last_ms, created_ms, open, disbanded }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The last group of the page before.
    #[param(value_type = Option<String>, pattern = "^g[1-9][0-9]{0,15}$")]
    after: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// All groups with their sizes, those that have ended too.
///
/// Administrators see names and numbers, and nothing that members write.
#[utoipa::path(get, path = "/v1/admin/groups", tag = "administration", params(ListQuery),
    responses((status = 200, body = AdminGroups)))]
pub async fn list(asker: Asker, Query(query): Query<ListQuery>) -> Result<Body<AdminGroups>, Problem> {
    let limit = limit(query.limit, limits::PAGE_GROUPS)?;
    if query.after.as_ref().is_some_and(String::is_empty) {
        return Err(Problem::bad_request("after: it is the id of a group, or absent"));
    }
    let list = wire::ListGroups { after: query.after.unwrap_or_default(), limit };
    match ask(&asker, Operation::ListGroups(list)).await? {
        Answer::Groups(page) => {
            Ok(Body(AdminGroups { groups: page.groups.into_iter().map(AdminGroup::from).collect(), more: page.more }))
        }
        _ => Err(other(&asker)),
    }
}
