//! The audit log: one row per act of an administrator or operator, in order of time within a slot.

use prost::encoding::{DecodeContext, WireType};

use super::{Key, Part, Parts};
use crate::form::{DecodeError, Field, Record, merge_message, record, write_message};
use crate::id::{ClientMessageId, Slot, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub key: AuditKey,
    pub by: Author,
    /// A stable code, for instance `user.disable`.
    pub action: String,
    pub target: String,
    pub detail: String,
    /// The request of the act, so that a repeat leaves no second row.
    pub request: ClientMessageId,
}

/// In order of time within its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditKey {
    pub slot: Slot,
    pub time: Timestamp,
    /// Counts the rows of the slot, including dropped ones.
    pub number: u64,
}

impl AuditKey {
    /// The key directly before all rows at or after a moment.
    pub fn before(moment: Timestamp) -> AuditKey {
        AuditKey { slot: Slot(u16::MAX), time: Timestamp(moment.0.saturating_sub(1)), number: u64::MAX }
    }

    /// The order of rows over all slots.
    pub fn place(self) -> (Timestamp, Slot, u64) {
        (self.time, self.slot, self.number)
    }
}

impl Key for AuditKey {
    fn slot(&self) -> Slot {
        self.slot
    }

    fn write(&self, out: &mut Vec<u8>) {
        Part::write(&self.time, out);
        Part::write(&self.number, out);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        Some(AuditKey { slot: parts.slot, time: Part::read(parts)?, number: Part::read(parts)? })
    }
}

record! {
    "author";
    /// The actor of an act, as known then. User 0 is an operator with the cluster's key, or the
    /// cluster itself.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Author {
        pub user: UserId = 1,
        pub name: String = 2,
        /// Origin of the request; empty if unknown.
        pub address: String = 3,
    }
}

/// Always written, also an empty one; one that is absent is empty.
impl Field for Author {
    type Raw = Option<Vec<u8>>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        write_message(number, out, |out| Author::write(self, out));
    }

    fn merge(
        raw: &mut Self::Raw,
        wire: WireType,
        from: &mut &[u8],
        context: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        merge_message(raw, wire, from, context)
    }

    fn checked(raw: Self::Raw, _: &'static str) -> Result<Self, DecodeError> {
        Author::read(&raw.unwrap_or_default())
    }
}

record! {
    "audit_row";
    pub struct Kept {
        pub slot: Slot = 1,
        pub time: Timestamp = 2,
        pub number: u64 = 3,
        pub by: Author = 4,
        pub action: String = 5,
        pub target: String = 6,
        pub detail: String = 7,
        pub request: ClientMessageId = 8,
    }
}

impl Record for AuditRow {
    const VERSION: u8 = Kept::VERSION;

    fn encode(&self) -> Vec<u8> {
        let AuditRow { key: AuditKey { slot, time, number }, by, action, target, detail, request } = self.clone();
        Kept { slot, time, number, by, action, target, detail, request }.encode()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Kept { slot, time, number, by, action, target, detail, request } = Kept::decode(bytes)?;
        Ok(AuditRow { key: AuditKey { slot, time, number }, by, action, target, detail, request })
    }
}

super::table!(AuditRow, Users, Some(0x50), AuditKey);
