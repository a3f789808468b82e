//! Reports for the administrators, in the slot of all reports.

use crate::id::ClientMessageId;
use crate::record::{Author, Report};

/// The caller has verified that the reporting user sees the message, and has copied its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Its time is that of the commit.
    pub report: Report,
}

/// By an administrator. A repeat with the same `request` is answered alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReport {
    pub number: u64,
    pub request: ClientMessageId,
    pub by: Author,
    /// For the audit log.
    pub note: String,
}
