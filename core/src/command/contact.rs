//! Contacts and blocks. A command of a user changes rows of its own slot only; the outbox carries
//! the consequences to the other user's slot and to that of their direct conversation.

use crate::id::{ClientMessageId, ConversationId, Slot, UserId};

/// In the slot of the user. A repeat with the same `request` changes nothing and is answered alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeContact {
    pub user: UserId,
    pub other: UserId,
    pub request: ClientMessageId,
    pub act: ContactAct,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ContactAct {
    /// A request; if the other user has asked already, both are contacts at once.
    Ask {
        text: String,
    },
    /// Only if the other user has asked.
    Accept,
    /// Withdraws, refuses or removes, whichever it is.
    End,
    Remark {
        text: String,
    },
    Block,
    Unblock,
}

/// In the slot of the user: the part of the other one, as its shard has it. Applied only if `said`
/// is above the version held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HearContact {
    pub user: UserId,
    pub by: UserId,
    pub said: u64,
    pub wants: bool,
    /// The latest version of the user's own part that the other one has ended.
    pub ended: u64,
    pub text: String,
}

/// In the slot of the direct conversation: whether the user takes messages there. Applied only if
/// `version` is above the one held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetGate {
    pub conversation: ConversationId,
    pub user: UserId,
    pub version: u64,
    pub closed: bool,
}

/// The other shards have committed these versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleContacts {
    pub slot: Slot,
    pub rows: Vec<SettledContact>,
}

/// Versions that were committed; zero: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledContact {
    pub user: UserId,
    pub other: UserId,
    pub contact: u64,
    pub gate: u64,
}
