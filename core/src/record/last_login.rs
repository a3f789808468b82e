//! The last login of a user, for administrators.

use super::table;
use crate::form::record;
use crate::id::{Timestamp, UserId};

record! {
    "last_login";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct LastLogin {
        pub at: Timestamp = 1,
        /// Origin of the request: an IPv4 address, or the /64 network of an IPv6 address.
        pub from: String = 2,
    }
}

table!(LastLogin, Users, Some(0xe8), UserId);
