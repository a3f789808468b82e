//! The queue of reports: listing them, and closing one.

use troupe_core::command::CloseReport;
use troupe_core::record::{Author, Report};
use troupe_core::{ClientMessageId, Command, Rejection, Seq, Slot, UserId, limits};
use troupe_store::rows::View;

use super::{Act, Part, Told, part};
use crate::message::{Refusal, page_limit, wire};
use crate::service::Service;

pub(super) async fn list(service: &Service, asker: UserId, list: wire::ListReports) -> Result<Told, Refusal> {
    part(service, Report::slot(), asker, Act::ListReports(list)).await
}

pub(super) fn page(view: &View, list: &wire::ListReports) -> Part {
    let limit = page_limit(list.limit, limits::PAGE_REPORTS);
    let slot = Report::slot();
    let mut rows = view.page::<Report>(&slot, Some(&(slot, list.after)), limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let row = |((_, number), row): ((Slot, u64), Report)| wire::ReportRow {
        number,
        by: row.by.0,
        about: row.about.0,
        conversation: if row.seq == Seq::ZERO { String::new() } else { row.conversation.to_string() },
        seq: row.seq.0,
        excerpt: row.excerpt,
        reason: row.reason,
        created_ms: row.created.0,
    };
    Ok(Ok(Told::Reports(wire::Reports { reports: rows.into_iter().map(row).collect(), more })))
}

pub(super) async fn close(
    service: &Service,
    by: Author,
    request: ClientMessageId,
    close: wire::CloseReport,
) -> Result<Told, Refusal> {
    let wire::CloseReport { number, note } = close;
    if note.len() > limits::AUDIT_TEXT_BYTES {
        return Err(Rejection::BadRequest("the note of a closed report has at most 256 bytes").into());
    }
    let close = Command::from(CloseReport { number, request, by, note });
    Ok(Told::Done(service.commit_done(close).await?))
}
