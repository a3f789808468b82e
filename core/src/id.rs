//! Ids and positions. One newtype per concept, so that a seq is never taken for a time nor a user
//! for a node.

use std::fmt;
use std::io::Write;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_64;

use crate::limits;

/// Slots of the key space. Ids carry their slot, so the number 1024 can never change.
pub const SLOTS: u16 = 1024;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map($name)
            }
        }
    };
}

number!(
    /// A registered user: `counter * 1024 + slot`, below 2^53 so that JSON keeps it exact. Zero is
    /// no user.
    UserId
);
number!(
    /// A group: `counter * 1024 + slot`, below 2^53.
    GroupId
);
number!(
    /// A server of the cluster. Never reused; zero is no node.
    NodeId
);
number!(
    /// One copy of one shard on one node: the Raft node id within its group. Never reused.
    ReplicaId
);
number!(
    /// Place of an event in its conversation: 1, 2, 3 ... without gaps. Zero is before the first.
    Seq
);
number!(
    /// Version of a placement: the Raft term of a shard's leader.
    Epoch
);
number!(
    /// Milliseconds since 1970-01-01 UTC, stamped by a leader. It never goes back within a
    /// conversation.
    Timestamp
);

impl Seq {
    pub const ZERO: Seq = Seq(0);

    /// Saturates, so that no external seq can cause a panic.
    pub fn next(self) -> Seq {
        Seq(self.0.saturating_add(1))
    }
}

impl UserId {
    pub fn slot(self) -> Slot {
        Slot((self.0 % u64::from(SLOTS)) as u16)
    }
}

impl GroupId {
    pub fn slot(self) -> Slot {
        Slot((self.0 % u64::from(SLOTS)) as u16)
    }
}

/// 1/1024 of the key space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

impl Slot {
    /// The slot of a key, by a hash whose output never changes (xxh3, 64 bits, no seed).
    pub fn of(key: &[u8]) -> Slot {
        Slot((xxh3_64(key) % u64::from(SLOTS)) as u16)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A range of slots that is replicated and moved as a unit: one Raft group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The division of slots into shards: `count` contiguous ranges, chosen when the cluster is
/// founded, 1 to 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardMap {
    pub count: u32,
}

impl ShardMap {
    pub fn shard(self, slot: Slot) -> ShardId {
        ShardId((u64::from(slot.0) * u64::from(self.count) / u64::from(SLOTS)) as u32)
    }

    /// First slot and one past the last slot of `shard`; an empty range for an unknown shard.
    pub fn slots(self, shard: ShardId) -> (u16, u16) {
        let count = u64::from(self.count.max(1));
        let start = |shard: u64| (shard * u64::from(SLOTS)).div_ceil(count).min(u64::from(SLOTS)) as u16;
        (start(u64::from(shard.0)), start(u64::from(shard.0) + 1))
    }

    pub fn shards(self) -> impl Iterator<Item = ShardId> {
        (0..self.count).map(ShardId)
    }
}

/// The log of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConversationId {
    /// The built-in channel that every user sees. It has no member rows.
    Everyone,
    /// Two different users; `low < high`.
    Direct {
        low: UserId,
        high: UserId,
    },
    Group(GroupId),
}

impl ConversationId {
    /// The direct conversation of two users; `None` for a user with themselves.
    pub fn direct(a: UserId, b: UserId) -> Option<ConversationId> {
        match a.cmp(&b) {
            std::cmp::Ordering::Less => Some(ConversationId::Direct { low: a, high: b }),
            std::cmp::Ordering::Greater => Some(ConversationId::Direct { low: b, high: a }),
            std::cmp::Ordering::Equal => None,
        }
    }

    pub fn is_group(self) -> bool {
        matches!(self, ConversationId::Group(_))
    }

    /// The slot of its owner. A group's id contains it; the others hash their name.
    pub fn slot(self) -> Slot {
        match self {
            ConversationId::Group(group) => group.slot(),
            other => {
                // Each key asks for it, so nothing is allocated. Two ids take 42 bytes.
                let mut text = [0; 48];
                let mut rest = &mut text[..];
                let written = write!(rest, "{other}");
                debug_assert!(written.is_ok());
                let left = rest.len();
                Slot::of(&text[..text.len() - left])
            }
        }
    }

    /// The other end of a direct conversation, if `user` is one end of it.
    pub fn peer_of(self, user: UserId) -> Option<UserId> {
        match self {
            ConversationId::Direct { low, high } if low == user => Some(high),
            ConversationId::Direct { low, high } if high == user => Some(low),
            _ => None,
        }
    }
}

/// `everyone`, `d12-40`, `g77`: the form of the wire, the disk and the terminal.
impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConversationId::Everyone => f.write_str("everyone"),
            ConversationId::Direct { low, high } => write!(f, "d{low}-{high}"),
            ConversationId::Group(group) => write!(f, "g{group}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadConversationId;

impl fmt::Display for BadConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a conversation is written 'everyone', 'd<low>-<high>' or 'g<id>'")
    }
}

impl std::error::Error for BadConversationId {}

impl FromStr for ConversationId {
    type Err = BadConversationId;

    /// Accepts only the canonical form: no leading zeros, no plus sign, low before high, no zero
    /// id.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let id = match s.as_bytes().first() {
            Some(b'e') => ConversationId::Everyone,
            Some(b'g') => match s[1..].parse() {
                Ok(group) if group != GroupId(0) => ConversationId::Group(group),
                _ => return Err(BadConversationId),
            },
            Some(b'd') => {
                let (low, high) = s[1..].split_once('-').ok_or(BadConversationId)?;
                let low = low.parse().map_err(|_| BadConversationId)?;
                let high = high.parse().map_err(|_| BadConversationId)?;
                if low >= high || low == UserId(0) {
                    return Err(BadConversationId);
                }
                ConversationId::Direct { low, high }
            }
            _ => return Err(BadConversationId),
        };
        if id.to_string() == s { Ok(id) } else { Err(BadConversationId) }
    }
}

/// 16 bytes chosen by the sending device; the key of exactly once. Also names any other request
/// that must be applied at most once (register, create a group, change its members).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClientMessageId(pub [u8; 16]);

impl fmt::Display for ClientMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ClientMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256 of a session's secret; the secret itself is never kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// The name of a device, unique per user: 1 to 64 bytes of printable ASCII without spaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    pub fn new(text: &str) -> Option<DeviceId> {
        let good = (1..=limits::DEVICE_ID_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| DeviceId(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
