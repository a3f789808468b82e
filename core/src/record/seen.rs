//! When a user was last online, and the users who may see that.

use super::table;
use crate::form::record;
use crate::id::{Timestamp, UserId};

/// The users who see whether a user is online, and when it last was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Viewers {
    #[default]
    Everyone,
    /// Its contacts.
    Contacts,
    NoOne,
}

impl Viewers {
    pub const ALL: [Viewers; 3] = [Viewers::Everyone, Viewers::Contacts, Viewers::NoOne];

    pub const fn number(self) -> u8 {
        match self {
            Viewers::Everyone => 0,
            Viewers::Contacts => 1,
            Viewers::NoOne => 2,
        }
    }

    /// For programs, in forms other than protobuf.
    pub const fn name(self) -> &'static str {
        match self {
            Viewers::Everyone => "everyone",
            Viewers::Contacts => "contacts",
            Viewers::NoOne => "no_one",
        }
    }

    pub fn of(number: u64) -> Option<Viewers> {
        Viewers::ALL.into_iter().find(|of| u64::from(of.number()) == number)
    }
}

record! {
    "seen";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Seen {
        /// The end of its last connection, coarsely. Zero: there was none.
        pub at: Timestamp = 1,
        pub shown_to: Viewers = 2,
    }
}

impl Default for Seen {
    fn default() -> Seen {
        Seen { at: Timestamp(0), shown_to: Viewers::Everyone }
    }
}

table!(Seen, Users, Some(0x89), UserId);
