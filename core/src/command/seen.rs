//! The presence of a user, in the slot of the user.

use crate::id::{Timestamp, UserId};
use crate::record::Viewers;

/// By the leader: the last connection of the user has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteSeen {
    pub user: UserId,
    pub at: Timestamp,
}

/// By the user itself: who sees its presence from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShowPresence {
    pub user: UserId,
    pub to: Viewers,
}
