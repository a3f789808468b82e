//! Commands of reports.

use bytes::Bytes;
use troupe_core::command::{CloseReport, FileReport};
use troupe_core::form::DecodeError;
use troupe_core::record::Report;
use troupe_core::{Seq, Timestamp, UserId};

use super::account::author;
use crate::field;
use crate::wire::record as wire;

impl From<&FileReport> for wire::FileReport {
    fn from(c: &FileReport) -> Self {
        let Report { by, about, conversation, seq, excerpt, reason, created: _, request } = c.report.clone();
        wire::FileReport {
            by: by.0,
            about: about.0,
            conversation: conversation.to_string(),
            seq: seq.0,
            excerpt,
            reason,
            request: Bytes::copy_from_slice(&request.0),
        }
    }
}

impl TryFrom<wire::FileReport> for FileReport {
    type Error = DecodeError;

    fn try_from(c: wire::FileReport) -> Result<Self, DecodeError> {
        let report = Report {
            by: UserId(c.by),
            about: UserId(c.about),
            conversation: field::conversation("file_report.conversation", &c.conversation)?,
            seq: Seq(c.seq),
            excerpt: c.excerpt,
            reason: c.reason,
            created: Timestamp(0),
            request: field::client_message_id("file_report.request", &c.request)?,
        };
        Ok(FileReport { report })
    }
}

impl From<&CloseReport> for wire::CloseReport {
    fn from(c: &CloseReport) -> Self {
        let request = Bytes::copy_from_slice(&c.request.0);
        wire::CloseReport { number: c.number, request, by: Some((&c.by).into()), note: c.note.clone() }
    }
}

impl TryFrom<wire::CloseReport> for CloseReport {
    type Error = DecodeError;

    fn try_from(c: wire::CloseReport) -> Result<Self, DecodeError> {
        let request = field::client_message_id("close_report.request", &c.request)?;
        Ok(CloseReport { number: c.number, request, by: author(c.by), note: c.note })
    }
}
