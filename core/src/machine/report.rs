//! The queue of reports. A report stays until an administrator closes it; the audit log keeps that
//! act.

use super::{Outcome, Step, somebody};
use crate::command::{CloseReport, FileReport};
use crate::error::{Refused, Rejection};
use crate::id::UserId;
use crate::limits;
use crate::record::{AuditRow, Report, ReportBook, ReportOf};
use crate::reply::Reply;
use crate::state::Rows;
use crate::text::is_prose;

const TOO_MANY_REPORTS: Refused = Refused {
    code: "too_many_reports",
    text: "too many reports are open: report this again when administrators have closed some",
};
const NO_SUCH_REPORT: Refused =
    Refused { code: "no_such_report", text: "there is no such open report: list them again" };
pub const REFUSALS: &[Refused] = &[TOO_MANY_REPORTS, NO_SUCH_REPORT];

/// Refusals that need no state.
pub(super) fn check_report(c: &FileReport) -> Result<(), Rejection> {
    let Report { by, about, reason, excerpt, .. } = &c.report;
    somebody(*by)?;
    somebody(*about)?;
    if by == about {
        return Err(Rejection::BadRequest("a report is about another user: name one, or a message of one"));
    }
    if reason.len() > limits::REPORT_REASON_BYTES || !is_prose(reason) {
        return Err(Rejection::BadRequest(
            "the reason of a report has at most 1024 bytes and no control characters but line ends",
        ));
    }
    if excerpt.len() > limits::REPORT_EXCERPT_BYTES { Err(Rejection::TooLarge) } else { Ok(()) }
}

impl Step<'_> {
    /// A user has one open report about a message or a user, so a repeat files no second one.
    pub(super) fn file_report(&mut self, c: &FileReport) -> Outcome {
        check_report(c)?;
        let (slot, report) = (Report::slot(), &c.report);
        let own = self.state.page::<ReportOf>(&(slot, report.by), None, limits::REPORTS_OF_USER);
        for ((_, _, number), _) in &own {
            let Some(held) = self.state.get::<Report>(&(slot, *number)) else { continue };
            if held.is_about(report) {
                return Ok(Reply::Done);
            }
            if held.request == report.request {
                return Err(Rejection::RequestReused);
            }
        }
        let mut book = self.state.get::<ReportBook>(&slot).unwrap_or_default();
        if own.len() >= limits::REPORTS_OF_USER || book.open as usize >= limits::REPORTS {
            return Err(TOO_MANY_REPORTS.into());
        }
        book.last += 1;
        book.open += 1;
        self.state.put(&(slot, book.last), &Report { created: self.now, ..report.clone() });
        self.state.put(&(slot, report.by, book.last), &ReportOf(report.about));
        self.state.put(&slot, &book);
        Ok(Reply::Done)
    }

    pub(super) fn close_report(&mut self, c: &CloseReport) -> Outcome {
        let slot = Report::slot();
        let Some(report) = self.state.get::<Report>(&(slot, c.number)) else {
            let rows = self.state.last::<AuditRow>(&slot, limits::AUDIT_ROWS_COMPARED);
            let is_repeat = rows.iter().any(|(_, row)| row.request == c.request);
            return if is_repeat { Ok(Reply::Done) } else { Err(NO_SUCH_REPORT.into()) };
        };
        self.state.delete::<Report>(&(slot, c.number));
        self.state.delete::<ReportOf>(&(slot, report.by, c.number));
        let mut book = self.state.get::<ReportBook>(&slot).unwrap_or_default();
        book.open = book.open.saturating_sub(1);
        self.state.put(&slot, &book);
        let UserId(about) = report.about;
        self.audit(slot, c.request, &c.by, "report.close", &format!("report {} about {about}", c.number), &c.note);
        Ok(Reply::Done)
    }
}
