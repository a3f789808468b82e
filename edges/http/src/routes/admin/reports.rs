//! The queue of reports.

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
use crate::ids::Id;
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit, seq};

#[derive(Serialize, ToSchema)]
pub struct Reports {
    reports: Vec<ReportRow>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct ReportRow {
    number: u64,
    by: Id,
    about: Id,
    /// Of the message; absent: the user is reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// The beginning of the message.
    excerpt: String,
    reason: String,
    created_ms: u64,
}

impl From<wire::ReportRow> for ReportRow {
    fn from(row: wire::ReportRow) -> ReportRow {
        let wire::ReportRow { number, by, about, conversation, seq, excerpt, reason, created_ms } = row;
        ReportRow {
            number,
            by: Id(by),
            about: Id(about),
            conversation: Some(conversation).filter(|text| !text.is_empty()),
            seq: Some(seq).filter(|seq| *seq != 0),
            excerpt,
            reason,
            created_ms,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The last number of the page before.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9007199254740991u64)]
    after: Option<u64>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Open reports, the oldest first.
#[utoipa::path(get, path = "/v1/admin/reports", tag = "administration", params(ListQuery),
    responses((status = 200, body = Reports)))]
pub async fn list(asker: Asker, Query(query): Query<ListQuery>) -> Result<Body<Reports>, Problem> {
    let limit = limit(query.limit, limits::PAGE_REPORTS)?;
    let after = seq("after", query.after.unwrap_or_default())?;
    match ask(&asker, Operation::ListReports(wire::ListReports { after, limit })).await? {
        Answer::Reports(page) => {
            Ok(Body(Reports { reports: page.reports.into_iter().map(ReportRow::from).collect(), more: page.more }))
        }
        _ => Err(other(&asker)),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// For the audit log.
    #[serde(default)]
    #[schema(max_length = 256)]
    note: String,
}

/// Takes a report off the queue. The act is in the audit log.
#[utoipa::path(post, path = "/v1/admin/reports/{number}/close", tag = "administration",
    params(("number" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = Close, responses((status = 204, description = "It is closed")))]
pub async fn close(
    asker: Asker,
    Path(number): Path<String>,
    key: Key,
    Json(Close { note }): Json<Close>,
) -> Result<StatusCode, Problem> {
    // A text that is no number is no report's.
    let number = number.parse().unwrap_or(u64::MAX);
    match order(&asker, key, Operation::CloseReport(wire::CloseReport { number, note })).await? {
        Answer::Done(_) => Ok(StatusCode::NO_CONTENT),
        _ => Err(other(&asker)),
    }
}
