//! The keys of what a node keeps besides applied state, and where applied state lies.
//!
//! | family          | layout                                    | declared in             |
//! | --------------- | ----------------------------------------- | ----------------------- |
//! | `users`         | slot u16, tag, ...                        | [`troupe_core::record`] |
//! | `conversations` | slot u16, tag, ...                        | [`troupe_core::record`] |
//! | `events`        | slot u16, conversation 17, seq u64        | [`troupe_core::record`] |
//! | `raft_log`      | group u32, index u64                      | [`raft`]                |
//! | `raft_meta`     | group u32, what u8                        | [`raft`]                |
//! | `node`          | a name in ASCII                           | [`node`]                |
//!
//! All numbers are big endian, so the order of bytes is the order of what they say. Decoding is
//! total and strict: it takes exactly the bytes that encoding gives.

pub mod node;
pub mod raft;

#[cfg(test)]
mod tests;

pub use raft::{RaftLogKey, RaftMetaKey, What};

/// First key and first key after a range of slots, in every family of slots. The second slot is
/// exclusive.
pub fn slot_range(from: u16, to: u16) -> (Vec<u8>, Vec<u8>) {
    (from.to_be_bytes().to_vec(), to.to_be_bytes().to_vec())
}

/// Reads a key from its front. `None` as soon as something is not as a writer writes it.
struct Parts<'a>(&'a [u8]);

impl Parts<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn group(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// `value`, if nothing is left.
    fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}
