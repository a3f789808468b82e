//! Reports of messages and users, which wait for the administrators. All are in one slot, so that
//! their number has a bound.

use super::{number, table};
use crate::form::record;
use crate::id::{ClientMessageId, ConversationId, Seq, Slot, Timestamp, UserId};

/// The slot of all reports is that of this text.
const PLACE: &[u8] = b"reports for administrators";

record! {
    "report";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Report {
        pub by: UserId = 1,
        pub about: UserId = 2,
        /// `everyone` and zero where the user is reported and no message.
        pub conversation: ConversationId = 3,
        pub seq: Seq = 4,
        /// The beginning of the reported text, as the reporting user saw it.
        pub excerpt: String = 5,
        pub reason: String = 6,
        pub created: Timestamp = 7,
        pub request: ClientMessageId = 8,
    }
}

impl Report {
    pub fn slot() -> Slot {
        Slot::of(PLACE)
    }

    /// Whether it reports the same as another one.
    pub fn is_about(&self, other: &Report) -> bool {
        (self.about, self.conversation, self.seq) == (other.about, other.conversation, other.seq)
    }
}

table!(Report, Users, Some(0xa6), (Slot, u64));

record! {
    "report_book";
    /// The numbers of all reports.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ReportBook {
        /// The last number that was given out.
        pub last: u64 = 1,
        pub open: u32 = 2,
    }
}

table!(ReportBook, Users, Some(0xa7), Slot);

/// The reported user, by the reporting one and the number of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportOf(pub UserId);

number!(ReportOf, Users, Some(0xa8), (Slot, UserId, u64));
