//! The versioned forms of everything stored and of what a Raft entry carries.
//!
//! One byte of format version, then one message of `record.proto`. Fields may be added under the
//! same version; the byte changes only when old readers must not try. Every value of the core types
//! that can be built by their constructors decodes to itself again, so that nothing a shard has
//! agreed on can become unreadable; the kept bytes in `tests/golden` show that formats do not
//! drift.
//!
//! [`row`] holds the rows of applied state, [`command`] what is proposed; the entries of a
//! conversation's log have one form everywhere, [`crate::event`]. Which key a record stands under
//! is `troupe-store`'s business.

mod account;
mod command;
mod row;

pub use command::{EncodedCommand, StampedBatch, command_bytes};

use crate::error::DecodeError;

/// The format that this program writes and the only one it reads, but for batches of commands
/// ([`StampedBatch`]).
pub const RECORD_VERSION: u8 = 1;

/// A value with one kept byte form.
pub trait Record: Sized {
    fn encode(&self) -> Vec<u8>;
    /// Total: any bytes give a value or an error.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}

fn seal(message: &impl prost::Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + message.encoded_len());
    bytes.push(RECORD_VERSION);
    message.encode_raw(&mut bytes);
    bytes
}

fn open<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, DecodeError> {
    match bytes.split_first() {
        Some((&RECORD_VERSION, message)) => Ok(M::decode(message)?),
        Some((&found, _)) => Err(DecodeError::Version { found, known: RECORD_VERSION }),
        None => Err(DecodeError::Missing { field: "record.version" }),
    }
}

impl Record for troupe_core::Event {
    fn encode(&self) -> Vec<u8> {
        seal(&crate::event::Event::from(self))
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        open::<crate::event::Event>(bytes)?.faithful()
    }
}

macro_rules! records {
    ($($value:ty => $wire:ident),* $(,)?) => {$(
        impl Record for $value {
            fn encode(&self) -> Vec<u8> {
                seal(&crate::wire::record::$wire::from(self))
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
