//! The relation of a user to another one, in the shard of each.
//!
//! Each shard decides its own user's part and hears the other part by the outbox. Both parts have
//! numbers, so that a late row stays late, and a row is kept after the relation has ended.

use prost::encoding::{DecodeContext, WireType};

use super::{Change, number, table};
use crate::form::{DecodeError, Field, record};
use crate::id::{Timestamp, UserId};

record! {
    "contact";
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Contact {
        /// The user wants the other one as a contact, and the version of that decision.
        pub wants: bool = 1,
        pub said: u64 = 2,
        /// The same of the other user, as its shard has said it.
        pub wanted: bool = 3,
        pub heard: u64 = 4,
        /// The latest decision of the other user that the user has ended: refused or removed.
        pub ended: u64 = 5,
        /// Of the pending request.
        pub text: String = 6,
        /// The user's own name for the contact.
        pub remark: String = 7,
        /// When the relation became the present one.
        pub since: Timestamp = 8,
        /// The change of the user's contacts that is the last of this row.
        pub version: u64 = 9,
        /// The last changes by requests, the newest at the end.
        pub changes: Vec<Change> = 10,
    }
}

table!(Contact, Users, Some(0xa1), (UserId, UserId));

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relation {
    #[default]
    None,
    /// The user has asked and has no answer.
    Requested,
    /// The other user has asked.
    Received,
    Mutual,
}

impl Contact {
    /// As its user sees it: requests of a blocked user are hidden, and do not count.
    pub fn shown(&self, blocked: bool) -> Relation {
        match self.relation() {
            Relation::Received if blocked => Relation::None,
            relation => relation,
        }
    }

    pub fn relation(&self) -> Relation {
        match (self.wants, self.wanted) {
            (false, false) => Relation::None,
            (true, false) => Relation::Requested,
            (false, true) => Relation::Received,
            (true, true) => Relation::Mutual,
        }
    }
}

record! {
    "block";
    /// The first user blocks the second.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Block {
        pub since: Timestamp = 1,
    }
}

table!(Block, Users, Some(0xa2), (UserId, UserId));

record! {
    "contact_book";
    /// The numbers of a user's contacts, so that a bound needs no count.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ContactBook {
        /// Counts the changes of contacts and blocks.
        pub version: u64 = 1,
        pub mutual: u32 = 2,
        pub sent: u32 = 3,
        /// Without those of blocked users.
        pub received: u32 = 4,
        pub blocks: u32 = 5,
    }
}

table!(ContactBook, Users, Some(0xa3), UserId);

/// The other user of a change, by the version of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactChange(pub UserId);

number!(ContactChange, Users, Some(0xa4), (UserId, u64));

record! {
    "owed_contact";
    /// Versions of a contact that other shards have not committed; zero: none.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct OwedContact {
        /// For the shard of the other user.
        pub contact: u64 = 1,
        /// For the shard of their direct conversation.
        pub gate: u64 = 2,
    }
}

table!(OwedContact, Users, Some(0xa5), (UserId, UserId));

/// Whose first direct message a user takes without being asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Audience {
    #[default]
    Everyone,
    /// The message of another user waits as an invitation.
    Contacts,
}

impl Audience {
    pub const ALL: [Audience; 2] = [Audience::Everyone, Audience::Contacts];

    /// For programs, in forms other than protobuf.
    pub fn name(self) -> &'static str {
        match self {
            Audience::Everyone => "everyone",
            Audience::Contacts => "contacts",
        }
    }
}

impl Field for Audience {
    type Raw = u32;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        Field::write(&(*self as u32), number, out);
    }

    fn merge(
        raw: &mut u32,
        wire: WireType,
        from: &mut &[u8],
        context: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        <u32 as Field>::merge(raw, wire, from, context)
    }

    fn checked(raw: u32, field: &'static str) -> Result<Self, DecodeError> {
        let known = Audience::ALL.into_iter().find(|known| *known as u32 == raw);
        known.ok_or(DecodeError::Invalid { field, why: "an audience is everyone or contacts" })
    }
}
