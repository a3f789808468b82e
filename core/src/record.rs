//! The key space of applied state as typed tables: one file per kind of row, which holds its key,
//! its value and their byte forms.
//!
//! A key begins with the slot of its first part, so that a range of slots is a range of keys in
//! each family. All numbers are big endian, so the order of bytes is the order of what they say. A
//! part without a fixed width comes last. So a prefix is exact: the keys that begin with a
//! conversation belong to that conversation. Decoding is total and strict: it takes exactly the
//! bytes that encoding gives. `docs/keyspace.md` is the same for people; a test holds it against
//! the tables.

mod audit;
mod bot;
mod change;
mod contact;
mod conversation;
mod counter;
mod cursor;
mod due;
mod event;
mod favourite;
mod file;
mod gate;
mod group_of_request;
mod hook;
mod inbox;
mod invitation;
mod invite;
mod kept_head;
mod key;
mod known;
mod large;
mod last_login;
mod member;
mod name;
mod numbered;
mod outbox;
mod personal;
mod placed;
mod profile;
mod push;
mod report;
mod reservation;
mod role;
mod room;
mod seen;
mod session;
mod user;

#[cfg(test)]
mod tests;

use std::ops::Bound;

pub use audit::{AuditKey, AuditRow, Author};
pub use bot::{Bot, BotOwner, BotsMade};
pub use change::Change;
pub use contact::{Audience, Block, Contact, ContactBook, ContactChange, OwedContact, Relation};
pub use conversation::Conversation;
pub use counter::Counter;
pub use cursor::Cursor;
pub use due::{Due, DueKey, Work};
pub use favourite::{Favourite, FavouriteBook, FavouriteOf};
pub use file::{Chunk, ChunkHash, File, FileMessage, FileUsage, Preview, Upload};
pub use gate::Gate;
pub use group_of_request::GroupOfRequest;
pub use hook::{DeadEvent, Hook, HookKey};
pub use inbox::InboxEntry;
pub use invitation::Invitation;
pub use invite::{Invite, InviteId};
pub use kept_head::KeptHead;
pub use key::{GroupsOf, Home, Key, Part, Parts};
pub use known::Known;
pub use large::Large;
pub use last_login::LastLogin;
pub use member::Member;
pub use name::NameOf;
pub use numbered::Number;
pub use outbox::{OutboxKey, OutboxRow};
pub use personal::{Mention, Personal};
pub use placed::Placed;
pub use profile::Profile;
pub use push::{PushKey, PushSubscription, PushSubscriptionKey};
pub use report::{Report, ReportBook, ReportOf};
pub use reservation::Reservation;
pub use role::AccountRole;
pub use room::{OwedRoom, Room, RoomReserved, RoomUsed};
pub use seen::{Seen, Viewers};
pub use session::Session;
pub use user::{Act, Standing, Status, User};

use crate::form::DecodeError;

/// The ordered maps that applied state is kept in. First bytes of every key are the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Everything of users.
    Users,
    /// Everything of conversations but their events.
    Conversations,
    /// The logs of conversations: large values, written once and read in runs.
    Events,
}

/// A kind of row.
pub trait Table: Sized {
    const FAMILY: Family;
    /// Behind the slot; `None` where the family has one kind.
    const TAG: Option<u8>;
    type Key: Key;

    fn to_value(&self) -> Vec<u8>;
    /// Total: any bytes give a row or an error.
    fn from_value(value: &[u8]) -> Result<Self, DecodeError>;

    fn key(key: &Self::Key) -> Vec<u8> {
        Self::prefix(key)
    }

    /// The common prefix of the keys of all rows whose key begins with `start`.
    fn prefix(start: &impl Key) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&start.slot().0.to_be_bytes());
        bytes.extend(Self::TAG);
        start.write(&mut bytes);
        bytes
    }

    fn key_in(bytes: &[u8]) -> Option<Self::Key> {
        let mut parts = Parts::of(bytes)?;
        if let Some(tag) = Self::TAG
            && parts.byte()? != tag
        {
            return None;
        }
        let slot = parts.slot;
        let key = Self::Key::read(&mut parts)?;
        (parts.is_empty() && key.slot() == slot).then_some(key)
    }
}

/// Rows whose value is a record, or a protobuf message in the first version of its form.
macro_rules! table {
    (message $row:ident, $family:ident, $tag:expr, $key:ty) => {
        impl $crate::form::Record for $row {
            const VERSION: u8 = $crate::form::RECORD_VERSION;

            fn encode(&self) -> Vec<u8> {
                $crate::form::seal($crate::form::RECORD_VERSION, self)
            }

            fn decode(bytes: &[u8]) -> Result<Self, $crate::form::DecodeError> {
                match bytes.split_first() {
                    Some((&$crate::form::RECORD_VERSION, message)) => Ok(prost::Message::decode(message)?),
                    Some((&found, _)) => {
                        Err($crate::form::DecodeError::Version { found, known: $crate::form::RECORD_VERSION })
                    }
                    None => Err($crate::form::DecodeError::Missing { field: "record.version" }),
                }
            }
        }

        $crate::record::table!($row, $family, $tag, $key);
    };
    ($row:ty, $family:ident, $tag:expr, $key:ty) => {
        impl $crate::record::Table for $row {
            const FAMILY: $crate::record::Family = $crate::record::Family::$family;
            const TAG: Option<u8> = $tag;
            type Key = $key;

            fn to_value(&self) -> Vec<u8> {
                $crate::form::Record::encode(self)
            }

            fn from_value(value: &[u8]) -> Result<Self, $crate::form::DecodeError> {
                $crate::form::Record::decode(value)
            }
        }
    };
}

/// Rows whose value is one number of 8 bytes, big endian.
macro_rules! number {
    ($row:ident, $family:ident, $tag:expr, $key:ty) => {
        impl $crate::record::Table for $row {
            const FAMILY: $crate::record::Family = $crate::record::Family::$family;
            const TAG: Option<u8> = $tag;
            type Key = $key;

            fn to_value(&self) -> Vec<u8> {
                let mut value = Vec::with_capacity(8);
                $crate::record::Part::write(&self.0, &mut value);
                value
            }

            fn from_value(value: &[u8]) -> Result<Self, $crate::form::DecodeError> {
                $crate::record::key::number(value).map($row)
            }
        }
    };
}

use number;
pub(crate) use table;

/// The first key after all keys that begin with `prefix`; `None` where there can be none.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// Keys from the first bound to the second.
pub type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The keys that begin with `prefix`, after `last` if there is one.
pub fn within(prefix: &[u8], last: Option<Vec<u8>>) -> KeyRange {
    let start = last.map_or_else(|| Bound::Included(prefix.to_vec()), Bound::Excluded);
    (start, after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded))
}
