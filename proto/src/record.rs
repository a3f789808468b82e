//! The versioned forms of all stored rows and Raft entries.
//!
//! One byte of format version, then one message of `record.proto`. Fields may be added under the
//! same version; the byte changes only when old readers must not try, and then [`form`] has a
//! migration. Every value that the constructors of core can build decodes to itself again, so that
//! no committed value becomes unreadable. The golden bytes in `tests/golden`, a file per version,
//! show that formats do not drift.
//!
//! [`row`] holds the rows of applied state, [`command`] what is proposed; the entries of a
//! conversation's log have one form everywhere, [`crate::event`]. Which key a record stands under
//! is `troupe-store`'s business.

mod account;
mod append;
mod command;
mod event;
mod form;
mod row;

pub use command::{EncodedCommand, StampedBatch, command_bytes};

use crate::error::DecodeError;
use form::{Form, Nothing, open, seal};

/// The version of all forms without a later one.
pub const RECORD_VERSION: u8 = 1;

/// A value with one stored byte form.
pub trait Record: Sized {
    /// The newest version that this program knows; it reads this one and all before it.
    const VERSION: u8;

    fn encode(&self) -> Vec<u8>;
    /// Total: any bytes give a value or an error.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}

macro_rules! records {
    ($($value:ty => $wire:ident),* $(,)?) => {$(
        impl Form for crate::wire::record::$wire {
            const VERSION: u8 = RECORD_VERSION;
            type Previous = Nothing;

            fn parse(message: &[u8]) -> Result<Self, DecodeError> {
                Ok(prost::Message::decode(message)?)
            }

            fn migrate(previous: Nothing) -> Self {
                match previous {}
            }
        }

        impl Record for $value {
            const VERSION: u8 = <crate::wire::record::$wire as Form>::VERSION;

            fn encode(&self) -> Vec<u8> {
                seal(Self::VERSION, &crate::wire::record::$wire::from(self))
            }

            fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
                open::<crate::wire::record::$wire>(bytes)?.try_into()
            }
        }
    )*};
}

records! {
    troupe_core::record::User => User,
    troupe_core::record::Session => Session,
    troupe_core::record::InboxEntry => InboxEntry,
    troupe_core::record::Invitation => Invitation,
    troupe_core::record::Conversation => Conversation,
    troupe_core::record::Member => Member,
    troupe_core::record::Cursor => Cursor,
    troupe_core::record::OutboxRow => OutboxRow,
    troupe_core::record::Standing => Standing,
    troupe_core::record::AuditRow => AuditRow,
    troupe_core::record::Invite => Invite,
    troupe_core::record::Reservation => Reservation,
    troupe_core::Command => Command,
}
