//! Keys and the parts that they are made of.

use crate::file::FileHash;
use crate::form::DecodeError;
use crate::id::{ClientMessageId, ConversationId, DeviceId, GroupId, SLOTS, Seq, Slot, Timestamp, UserId};

const EVERYONE: u8 = 0;
const DIRECT: u8 = 1;
const GROUP: u8 = 2;

/// A whole key, or the beginning of one.
pub trait Key: Sized {
    fn slot(&self) -> Slot;
    /// Writes the part behind slot and tag.
    fn write(&self, out: &mut Vec<u8>);
    fn read(parts: &mut Parts) -> Option<Self>;
}

/// Part of a key.
pub trait Part: Sized {
    fn write(&self, out: &mut Vec<u8>);
    fn read(parts: &mut Parts) -> Option<Self>;
}

/// The first part of a key, which says the slot.
pub trait Home: Part {
    fn slot(&self) -> Slot;
}

/// Reads a key from its front. `None` as soon as something is not as it is written.
pub struct Parts<'a> {
    pub slot: Slot,
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    pub fn of(key: &'a [u8]) -> Option<Parts<'a>> {
        let (slot, rest) = key.split_first_chunk()?;
        let slot = u16::from_be_bytes(*slot);
        (slot < SLOTS).then_some(Parts { slot: Slot(slot), rest })
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// All that is left.
    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(std::mem::take(&mut self.rest)).ok()
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<A: Home> Key for A {
    fn slot(&self) -> Slot {
        Home::slot(self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        Part::write(self, out);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        Part::read(parts)
    }
}

impl<A: Home, B: Part> Key for (A, B) {
    fn slot(&self) -> Slot {
        self.0.slot()
    }

    fn write(&self, out: &mut Vec<u8>) {
        Part::write(&self.0, out);
        self.1.write(out);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        Some((Part::read(parts)?, B::read(parts)?))
    }
}

impl<A: Home, B: Part, C: Part> Key for (A, B, C) {
    fn slot(&self) -> Slot {
        self.0.slot()
    }

    fn write(&self, out: &mut Vec<u8>) {
        Part::write(&self.0, out);
        self.1.write(out);
        self.2.write(out);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        Some((Part::read(parts)?, B::read(parts)?, C::read(parts)?))
    }
}

/// The slot itself: it stands before the tag already.
impl Part for Slot {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(parts: &mut Parts) -> Option<Self> {
        Some(parts.slot)
    }
}

impl Home for Slot {
    fn slot(&self) -> Slot {
        *self
    }
}

impl Part for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        parts.array().map(u64::from_be_bytes)
    }
}

/// Parts that are one number.
macro_rules! numbers {
    ($($part:ident),*) => {$(
        impl Part for $part {
            fn write(&self, out: &mut Vec<u8>) {
                self.0.write(out);
            }

            fn read(parts: &mut Parts) -> Option<Self> {
                u64::read(parts).map($part)
            }
        }
    )*};
}

numbers!(UserId, GroupId, Seq, Timestamp);

impl Home for UserId {
    fn slot(&self) -> Slot {
        UserId::slot(*self)
    }
}

impl Part for ClientMessageId {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        parts.array().map(ClientMessageId)
    }
}

impl Part for FileHash {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        parts.array().map(FileHash)
    }
}

/// The beginning of the keys of all groups of a slot.
pub struct GroupsOf(pub Slot);

impl Key for GroupsOf {
    fn slot(&self) -> Slot {
        self.0
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(GROUP);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        (parts.byte()? == GROUP).then_some(GroupsOf(parts.slot))
    }
}

/// 17 bytes: the kind, and two numbers.
impl Part for ConversationId {
    fn write(&self, out: &mut Vec<u8>) {
        let (kind, first, second) = match self {
            ConversationId::Everyone => (EVERYONE, 0, 0),
            ConversationId::Direct { low, high } => (DIRECT, low.0, high.0),
            ConversationId::Group(group) => (GROUP, group.0, 0),
        };
        out.push(kind);
        first.write(out);
        second.write(out);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        let (kind, first, second) = (parts.byte()?, u64::read(parts)?, u64::read(parts)?);
        match kind {
            EVERYONE if first == 0 && second == 0 => Some(ConversationId::Everyone),
            DIRECT if first < second => Some(ConversationId::Direct { low: UserId(first), high: UserId(second) }),
            GROUP if second == 0 => Some(ConversationId::Group(GroupId(first))),
            _ => None,
        }
    }
}

impl Home for ConversationId {
    fn slot(&self) -> Slot {
        ConversationId::slot(*self)
    }
}

impl Part for DeviceId {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_str().as_bytes());
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        DeviceId::new(parts.text()?)
    }
}

impl Part for String {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        parts.text().map(str::to_owned)
    }
}

/// The number of eight bytes that a value is.
pub(super) fn number<N: Part>(value: &[u8]) -> Result<N, DecodeError> {
    let mut parts = Parts { slot: Slot(0), rest: value };
    let number = N::read(&mut parts).filter(|_| parts.rest.is_empty());
    number.ok_or(DecodeError::Invalid { field: "row", why: "a number has eight bytes" })
}
