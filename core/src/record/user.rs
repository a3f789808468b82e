//! An account.

use prost::encoding::{self, DecodeContext, WireType};

use super::table;
use crate::form::{DecodeError, Field, Fixed, merge_message, record, write_message};
use crate::id::{ClientMessageId, Timestamp, UserId};

record! {
    "user";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct User {
        pub id: UserId = 1,
        /// As shown; its folded form is the key of the name row.
        pub name: String = 2,
        /// PHC string.
        pub password_hash: String = 3,
        pub created: Timestamp = 4,
        /// The request that registered it, so that a repeat is answered alike.
        pub request: ClientMessageId = 5,
        /// Absent in the row of an unchanged account, which so keeps the form of the first version.
        pub standing: Standing = 50,
    }
}

table!(User, Users, Some(b'u'), UserId);

record! {
    "standing";
    /// The standing of an account since its registration. The default is that of an unchanged
    /// account.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Standing {
        pub status: Status = 1,
        /// Whether the user administers the cluster.
        pub admin: bool = 2,
        /// The next login must set another password.
        pub one_time: bool = 3,
        /// Counts the passwords: a login that verified an earlier one opens no session.
        pub revision: u64 = 4,
        /// The requests that changed the account last, the newest at the end, so that a repeat is
        /// answered alike and changes nothing.
        pub changes: Vec<ClientMessageId> = 5,
        /// When the password was set; zero: at the registration.
        pub password_set: Timestamp = 6,
        /// Created by the cluster when it was founded.
        pub born_with_cluster: bool = 7,
        /// The acts of the last of `changes`. Rows of earlier versions have fewer.
        pub acts: Vec<Act> = 8,
        /// Whether the user reads what administrators read. No administrator is one, too.
        pub auditor: bool = 9,
    }
}

record! {
    "act";
    /// The act of a request on an account, so that another request under its id is refused.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Act {
        /// Of its author and the change, without a password.
        pub digest: u64 = 1 as Fixed,
        /// The revision of the password that it set; zero: it set none.
        pub revision: u64 = 2,
    }
}

impl Field for Vec<Act> {
    type Raw = Vec<Vec<u8>>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        self.iter().for_each(|act| write_message(number, out, |out| act.write(out)));
    }

    fn merge(
        raw: &mut Self::Raw,
        wire: WireType,
        from: &mut &[u8],
        context: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        encoding::bytes::merge_repeated(wire, raw, from, context)
    }

    fn checked(raw: Self::Raw, _: &'static str) -> Result<Self, DecodeError> {
        raw.iter().map(|message| Act::read(message)).collect()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Active,
    Disabled,
    /// Its name stays reserved, its password is erased.
    Deleted,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Disabled => "disabled",
            Status::Deleted => "deleted",
        }
    }
}

impl Field for Status {
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
        let known = [Status::Active, Status::Disabled, Status::Deleted].into_iter().find(|known| *known as u32 == raw);
        known.ok_or(DecodeError::Invalid { field, why: "an account is active, disabled or deleted" })
    }
}

impl Field for Standing {
    type Raw = Option<Vec<u8>>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if *self != Standing::default() {
            write_message(number, out, |out| Standing::write(self, out));
        }
    }

    fn merge(
        raw: &mut Self::Raw,
        wire: WireType,
        from: &mut &[u8],
        context: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        merge_message(raw, wire, from, context)
    }

    fn checked(raw: Self::Raw, _: &'static str) -> Result<Self, DecodeError> {
        raw.map_or_else(|| Ok(Standing::default()), |message| Standing::read(&message))
    }
}
