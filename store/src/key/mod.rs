//! The key space as a table: one enum per family, one variant per kind of key, encoded and decoded
//! here and nowhere else.
//!
//! | family          | layout                                    | file              |
//! | --------------- | ----------------------------------------- | ----------------- |
//! | `users`         | slot u16, tag, ...                        | [`users`]         |
//! | `conversations` | slot u16, tag, ...                        | [`conversations`] |
//! | `events`        | slot u16, conversation 17, seq u64        | [`events`]        |
//! | `raft_log`      | group u32, index u64                      | [`raft`]          |
//! | `raft_meta`     | group u32, what u8                        | [`raft`]          |
//! | `node`          | a name in ASCII                           | [`node`]          |
//!
//! All numbers are big endian, so the order of bytes is the order of what they say. What is not of
//! fixed width comes last. So a prefix is exact: the keys that begin with a conversation are that
//! conversation's and nobody else's. Decoding is total and strict: it takes exactly the bytes that
//! encoding gives. Values are none of this module's business.

pub mod conversations;
pub mod events;
pub mod node;
pub mod raft;
pub mod users;

#[cfg(test)]
mod tests;

use troupe_core::{ClientMessageId, ConversationId, GroupId, SLOTS, Seq, Slot, UserId};

pub use conversations::ConversationsKey;
pub use events::EventKey;
pub use raft::{RaftLogKey, RaftMetaKey, What};
pub use users::UsersKey;

/// Bytes of a conversation in a key: its kind and two numbers.
pub const CONVERSATION: usize = 17;

const EVERYONE: u8 = 0;
const DIRECT: u8 = 1;
const GROUP: u8 = 2;

/// First key and first key after a range of slots, in every family of slots. The second slot is
/// exclusive.
pub fn slot_range(from: u16, to: u16) -> (Vec<u8>, Vec<u8>) {
    (from.to_be_bytes().to_vec(), to.to_be_bytes().to_vec())
}

/// The first key after all keys that begin with `prefix`; `None` where there can be none.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// Writes a key. The capacity is what the whole key takes, so that it is allocated once.
struct Writer(Vec<u8>);

impl Writer {
    fn slot(slot: Slot, capacity: usize) -> Writer {
        Writer(Vec::with_capacity(capacity)).bytes(&slot.0.to_be_bytes())
    }

    fn tagged(slot: Slot, tag: u8, capacity: usize) -> Writer {
        Writer::slot(slot, capacity).bytes(&[tag])
    }

    fn bytes(mut self, bytes: &[u8]) -> Writer {
        self.0.extend_from_slice(bytes);
        self
    }

    fn number(self, number: u64) -> Writer {
        self.bytes(&number.to_be_bytes())
    }

    fn conversation(self, conversation: ConversationId) -> Writer {
        let (kind, first, second) = match conversation {
            ConversationId::Everyone => (EVERYONE, 0, 0),
            ConversationId::Direct { low, high } => (DIRECT, low.0, high.0),
            ConversationId::Group(group) => (GROUP, group.0, 0),
        };
        self.bytes(&[kind]).number(first).number(second)
    }

    fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a key from its front. `None` as soon as something is not as a writer writes it.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn slot(&mut self) -> Option<Slot> {
        let slot = u16::from_be_bytes(self.array()?);
        (slot < SLOTS).then_some(Slot(slot))
    }

    fn group(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn user(&mut self) -> Option<UserId> {
        self.number().map(UserId)
    }

    fn seq(&mut self) -> Option<Seq> {
        self.number().map(Seq)
    }

    fn message_id(&mut self) -> Option<ClientMessageId> {
        self.array().map(ClientMessageId)
    }

    fn conversation(&mut self) -> Option<ConversationId> {
        let (kind, first, second) = (self.byte()?, self.number()?, self.number()?);
        match kind {
            EVERYONE if first == 0 && second == 0 => Some(ConversationId::Everyone),
            DIRECT if first < second => Some(ConversationId::Direct { low: UserId(first), high: UserId(second) }),
            GROUP if second == 0 => Some(ConversationId::Group(GroupId(first))),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(std::mem::take(&mut self.0)).ok()
    }

    /// `value`, if nothing is left.
    fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}
