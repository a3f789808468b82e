//! The versioned forms of what a Raft entry of a shard carries.
//!
//! One byte of format version, then one message of `record.proto`. Fields may be added under the
//! same version; the byte changes only when old readers must not try, and then
//! [`Form`](troupe_core::form::Form) has a migration. Every value of the core types that can be
//! built by their constructors decodes to itself again, so that nothing a shard has agreed on can
//! become unreadable; the kept bytes in `tests/golden`, a file per version, show that formats do
//! not drift.
//!
//! The rows of applied state have their forms in [`troupe_core::record`], a file per kind. The
//! entries of a conversation's log have one form everywhere, [`troupe_core::event::wire`].

mod account;
mod append;
mod batch;
mod bot;
mod command;
mod due;
mod file;
mod hook;
mod import;
mod parts;
mod people;
mod personal;
mod push;
mod report;
mod room;
mod seen;
mod stream;

pub use batch::{EncodedCommand, StampedBatch, command_bytes};
pub use troupe_core::form::RECORD_VERSION;

use troupe_core::form::DecodeError;

/// A value of an entry with one kept byte form: [`troupe_core::form::Record`] of types that core
/// does not encode.
pub trait Record: Sized {
    /// The newest version that this program knows; it reads this one and all before it.
    const VERSION: u8;

    fn encode(&self) -> Vec<u8>;
    /// Total: any bytes give a value or an error.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}
