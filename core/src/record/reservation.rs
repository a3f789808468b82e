//! One use of an invitation, keyed by the registration that took it.

use super::{InviteId, table};
use crate::form::record;
use crate::id::{ClientMessageId, Timestamp, UserId};

record! {
    "reservation";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Reservation {
        pub invite: InviteId = 1,
        pub request: ClientMessageId = 2,
        /// The name to register.
        pub name: String = 3,
        pub at: Timestamp = 4,
        /// Zero until the registration is done.
        pub user: UserId = 5,
    }
}

table!(Reservation, Users, Some(0x52), (InviteId, ClientMessageId));
