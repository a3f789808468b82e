//! A device that is logged in.

use super::table;
use crate::form::record;
use crate::id::{DeviceId, Timestamp, TokenHash, UserId};

record! {
    "session";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Session {
        pub device: DeviceId = 1,
        pub token: TokenHash = 2,
        pub created: Timestamp = 3,
        /// When it was seen in use, coarsely; zero: only at its login.
        pub used: Timestamp = 50,
    }
}

impl Session {
    pub fn last_used(&self) -> Timestamp {
        self.used.max(self.created)
    }
}

table!(Session, Users, Some(b's'), (UserId, DeviceId));
