//! What a command answers, the same on every replica.

use crate::error::Rejection;
use crate::id::{GroupId, Seq, Timestamp, TokenHash, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Registered {
        user: UserId,
    },
    /// `replaced`: the session of the same device that ended by this.
    SessionOpened {
        replaced: Option<TokenHash>,
    },
    SessionClosed {
        closed: Option<TokenHash>,
    },
    /// The place of a message or of a group's change, also when it was there already (`duplicate`).
    Placed {
        seq: Seq,
        time: Timestamp,
        duplicate: bool,
    },
    GroupCreated {
        group: GroupId,
    },
    /// Whether the session goes on.
    SessionTouched {
        open: bool,
    },
    Done,
    /// Was not applied and never will be.
    Rejected(Rejection),
}
