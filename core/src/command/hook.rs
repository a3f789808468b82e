//! Hooks of a conversation. All rows are in its slot.

use crate::event::Body;
use crate::id::{ClientMessageId, ConversationId, Seq, TokenHash, UserId};

/// By a member that may change the settings of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeHook {
    pub conversation: ConversationId,
    pub actor: UserId,
    pub request: ClientMessageId,
    pub change: HookChange,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookChange {
    Make {
        kind: u32,
        name: String,
        hash: TokenHash,
        /// The secret of an outgoing one; empty for an incoming one.
        key: String,
        url: String,
    },
    End {
        hook: u64,
    },
    /// Tries dead events again: this one, or with zero all of the hook.
    Retry {
        hook: u64,
        seq: Seq,
    },
}

/// Posts a message by an incoming hook, once for each id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostHook {
    pub conversation: ConversationId,
    pub hook: u64,
    pub hash: TokenHash,
    pub id: ClientMessageId,
    pub body: Body,
}

/// The leader has delivered the events up to `to`, has given some of them up, and has delivered
/// others that were given up before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvanceHook {
    pub conversation: ConversationId,
    pub hook: u64,
    pub to: Seq,
    pub dead: Vec<GivenUp>,
    pub taken: Vec<Seq>,
}

/// An event that the receiver did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    pub seq: Seq,
    pub attempts: u32,
    pub status: u32,
    pub why: String,
}
