//! The audit log.

use axum::Json as Body;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};
use wire::admin::Operation;
use wire::admin_answer::Answer;

use super::{ask, other};
use crate::asker::Asker;
use crate::ids::Id;
use crate::problem::Problem;
use crate::query::{Query, limit, seq};

#[derive(Serialize, ToSchema)]
pub struct Audit {
    acts: Vec<Act>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Act {
    /// For `after` of the next page.
    place: String,
    time_ms: u64,
    /// Absent: an operator with the cluster's key, or the cluster itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Id>,
    by_name: String,
    address: String,
    action: String,
    target: String,
    detail: String,
}

impl From<wire::AuditRow> for Act {
    fn from(row: wire::AuditRow) -> Act {
        let place = row.place.unwrap_or_default();
        Act {
            place: format!("{}-{}-{}", place.time_ms, place.slot, place.number),
            time_ms: place.time_ms,
            by: Some(Id(row.by)).filter(|by| by.0 != 0),
            by_name: row.by_name,
            address: row.address,
            action: row.action,
            target: row.target,
            detail: row.detail,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Acts since this moment.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9007199254740991u64)]
    since_ms: Option<u64>,
    /// The place of the last act of the page before.
    #[param(pattern = "^[0-9]{1,15}-[0-9]{1,9}-[0-9]{1,15}$")]
    after: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Acts of administrators and operators over the whole cluster, in order of time.
#[utoipa::path(get, path = "/v1/admin/audit", tag = "administration", params(AuditQuery),
    responses((status = 200, body = Audit)))]
pub async fn read(asker: Asker, Query(query): Query<AuditQuery>) -> Result<Body<Audit>, Problem> {
    let limit = limit(query.limit, limits::PAGE_AUDIT)?;
    let since_ms = seq("since_ms", query.since_ms.unwrap_or_default())?;
    let wrong = || Problem::bad_request("after: it is the \"place\" of an act");
    let after = query.after.map(|after| place(&after).ok_or_else(wrong)).transpose()?;
    match ask(&asker, Operation::ReadAudit(wire::ReadAudit { since_ms, after, limit })).await? {
        Answer::Audit(page) => {
            Ok(Body(Audit { acts: page.rows.into_iter().map(Act::from).collect(), more: page.more }))
        }
        _ => Err(other(&asker)),
    }
}

fn place(text: &str) -> Option<wire::AuditPlace> {
    let mut parts = text.split('-').map(str::parse::<u64>);
    let (time_ms, slot, number) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let place = wire::AuditPlace { time_ms, slot: slot.try_into().ok()?, number };
    parts.next().is_none().then_some(place)
}
