//! The audit log: one row per act, in the slot where the act was committed and in the same commit.

use super::{Outcome, Step};
use crate::command::RecordAct;
use crate::error::Rejection;
use crate::id::{ClientMessageId, Slot, Timestamp};
use crate::limits;
use crate::planted::Bug;
use crate::record::{AuditKey, AuditRow, Author};
use crate::reply::Reply;
use crate::state::Rows;

impl Step<'_> {
    /// Writes one row, and drops the oldest row of the slot at the limit.
    pub(super) fn audit(
        &mut self,
        slot: Slot,
        request: ClientMessageId,
        by: &Author,
        action: &str,
        target: &str,
        detail: &str,
    ) {
        if self.planted(Bug::ActNotRecorded) {
            return;
        }
        let last = self.state.last::<AuditRow>(&slot, 1).pop();
        let (time, number) = last.map_or((Timestamp(0), 0), |(key, _)| (key.time, key.number));
        // A leader whose clock is behind writes the time of the row before, so that keys stay in
        // the order of acts.
        let key = AuditKey { slot, time: self.now.max(time), number: number.saturating_add(1) };
        let row = AuditRow {
            key,
            by: Author { user: by.user, name: cut(&by.name), address: cut(&by.address) },
            action: cut(action),
            target: cut(target),
            detail: cut(detail),
            request,
        };
        self.state.put(&key, &row);
        if let Some((first, _)) = self.state.page::<AuditRow>(&slot, None, 1).pop()
            && key.number.saturating_sub(first.number) >= limits::AUDIT_ROWS_PER_SLOT
        {
            self.state.delete::<AuditRow>(&first);
        }
    }

    /// One row for all commands of a request, unless many others come between them.
    pub(super) fn audit_once(
        &mut self,
        slot: Slot,
        request: ClientMessageId,
        by: &Author,
        action: &str,
        target: &str,
        detail: &str,
    ) {
        // An attempt without an answer may be committed late, behind acts of others.
        let rows = self.state.last::<AuditRow>(&slot, limits::AUDIT_ROWS_COMPARED);
        if rows.iter().all(|(_, row)| row.request != request) {
            self.audit(slot, request, by, action, target, detail);
        }
    }

    /// A repeat leaves no second row; another act under the same request is refused.
    pub(super) fn record_act(&mut self, c: &RecordAct) -> Outcome {
        let rows = self.state.last::<AuditRow>(&c.slot, limits::AUDIT_ROWS_COMPARED);
        let mut rows = rows.into_iter().map(|(_, row)| row).filter(|row| row.request == c.request).peekable();
        if rows.peek().is_none() {
            self.audit(c.slot, c.request, &c.by, &c.action, &c.target, &c.detail);
            return Ok(Reply::Done);
        }
        if self.planted(Bug::ReusedKeyAnswered) || rows.any(|row| is_of(&row, c)) {
            return Ok(Reply::Done);
        }
        Err(Rejection::RequestReused)
    }
}

/// One export asks for several lists under one request.
const EXPORT: &str = "cluster.export";

fn is_of(row: &AuditRow, c: &RecordAct) -> bool {
    let act = row.by.user == c.by.user && row.action == cut(&c.action) && row.target == cut(&c.target);
    act && (row.detail == cut(&c.detail) || c.action == EXPORT)
}

/// At most this many bytes, at a character boundary.
pub(super) fn cut(text: &str) -> String {
    let mut end = text.len().min(limits::AUDIT_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
