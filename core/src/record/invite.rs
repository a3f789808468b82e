//! A code to register with, in the slot of its hash.

use std::fmt;
use std::str::FromStr;

use prost::encoding::{DecodeContext, WireType};

use super::{Author, Home, Part, Parts, table};
use crate::form::{DecodeError, Field, Fixed, Record, record};
use crate::id::{ClientMessageId, Slot, Timestamp, TokenHash};

/// The first bytes of the hash of an invitation's code: enough to name it, too little to use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InviteId(pub u64);

impl InviteId {
    pub fn of(hash: &TokenHash) -> InviteId {
        let [a, b, c, d, e, f, g, h, ..] = hash.0;
        InviteId(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    pub fn slot(self) -> Slot {
        Slot::of(&self.0.to_be_bytes())
    }
}

impl fmt::Display for InviteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for InviteId {
    type Err = std::num::ParseIntError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(s, 16).map(InviteId)
    }
}

impl Part for InviteId {
    fn write(&self, out: &mut Vec<u8>) {
        Part::write(&self.0, out);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        u64::read(parts).map(InviteId)
    }
}

impl Home for InviteId {
    fn slot(&self) -> Slot {
        InviteId::slot(*self)
    }
}

impl Field for InviteId {
    type Raw = u64;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        <u64 as Field<Fixed>>::write(&self.0, number, out);
    }

    fn merge(
        raw: &mut u64,
        wire: WireType,
        from: &mut &[u8],
        context: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        <u64 as Field<Fixed>>::merge(raw, wire, from, context)
    }

    fn checked(raw: u64, _: &'static str) -> Result<Self, DecodeError> {
        Ok(InviteId(raw))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub id: InviteId,
    /// SHA-256 of the code; the code itself is never stored.
    pub hash: TokenHash,
    pub request: ClientMessageId,
    pub by: Author,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub uses: u32,
    /// Reservations, spent or not.
    pub used: u32,
    pub revoked: bool,
    pub note: String,
}

impl Invite {
    pub fn is_open(&self, now: Timestamp) -> bool {
        !self.revoked && now < self.expires && self.used < self.uses
    }
}

record! {
    "invite";
    pub struct Kept {
        pub hash: TokenHash = 1,
        pub request: ClientMessageId = 2,
        pub by: Author = 3,
        pub created: Timestamp = 4,
        pub expires: Timestamp = 5,
        pub uses: u32 = 6,
        pub used: u32 = 7,
        pub revoked: bool = 8,
        pub note: String = 9,
    }
}

impl Record for Invite {
    const VERSION: u8 = Kept::VERSION;

    fn encode(&self) -> Vec<u8> {
        let Invite { id: _, hash, request, by, created, expires, uses, used, revoked, note } = self.clone();
        Kept { hash, request, by, created, expires, uses, used, revoked, note }.encode()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Kept { hash, request, by, created, expires, uses, used, revoked, note } = Kept::decode(bytes)?;
        let id = InviteId::of(&hash);
        Ok(Invite { id, hash, request, by, created, expires, uses, used, revoked, note })
    }
}

table!(Invite, Users, Some(0x51), InviteId);
