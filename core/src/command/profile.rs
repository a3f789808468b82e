//! Changes of a user's profile, in the slot of the user.

use crate::id::{ClientMessageId, UserId};
use crate::record::Audience;

/// By the user itself. A repeat with the same `request` changes nothing and is answered alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeProfile {
    pub user: UserId,
    pub request: ClientMessageId,
    pub change: ProfileChange,
}

/// Values that are present are set, also empty texts; all others stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProfileChange {
    pub display_name: Option<String>,
    pub avatar: Option<String>,
    pub about: Option<String>,
    pub language: Option<String>,
    /// Whose first direct message the user takes without being asked.
    pub messages_from: Option<Audience>,
}
