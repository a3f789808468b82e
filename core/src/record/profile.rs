//! The texts that a user shows to other users.

use super::{Audience, Change, table};
use crate::form::record;
use crate::id::UserId;

record! {
    "profile";
    /// The default is the profile of a user that has set nothing.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Profile {
        /// Beside the unique name, which never changes. It is not unique.
        pub display_name: String = 1,
        /// A reference that clients understand, such as the hash of a file.
        pub avatar: String = 2,
        pub about: String = 3,
        /// A language tag of BCP 47.
        pub language: String = 4,
        /// Counts the changes, so that a device recognises a late push.
        pub version: u64 = 5,
        /// The last changes, the newest at the end.
        pub changes: Vec<Change> = 6,
        /// Not shown to others.
        pub messages_from: Audience = 7,
    }
}

table!(Profile, Users, Some(0xa0), UserId);
