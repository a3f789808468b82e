//! The applied state of `troupe-core` as typed rows over an engine.
//!
//! [`View`] reads: rows one by one and in pages, for the actors. [`Transaction`] is what the
//! machine writes to: a view through which its own writes shine, and at its end one batch. Keys and
//! values are those of the tables in [`troupe_core::record`]. A row that cannot be read is
//! [`EngineError::Fatal`](crate::EngineError): the disk does not hold what this program wrote.

mod digest;
mod overlay;
mod restore;
pub mod search;
mod transaction;
mod view;

pub use digest::{Digest, digest_range};
pub use restore::{Part, Refusal, Row};
pub use transaction::{Numberings, Transaction};
pub use view::View;

/// First key and first key after a range of slots (`to` exclusive), in each of
/// [`Family::OF_SLOTS`](crate::Family::OF_SLOTS).
pub fn slot_range(from_slot: u16, to_slot: u16) -> (Vec<u8>, Vec<u8>) {
    crate::key::slot_range(from_slot, to_slot)
}
