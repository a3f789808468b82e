//! Changes of a user's profile, in the slot of the user.

use crate::id::{ClientMessageId, UserId};

/// By the user itself. A repeat with the same `request` changes nothing and is answered alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeProfile {
    pub user: UserId,
    pub request: ClientMessageId,
    pub change: ProfileChange,
}

/// Texts that are present are set, also empty ones; all others stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProfileChange {
    pub display_name: Option<String>,
    pub avatar: Option<String>,
    pub about: Option<String>,
    pub language: Option<String>,
}
