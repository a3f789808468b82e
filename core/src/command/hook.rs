//! Hooks of a conversation. All rows are in its slot.

use super::WritePiece;
use crate::event::Body;
use crate::feature::Append;
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
        /// [`crate::record::Hook::closed`].
        closed: bool,
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

/// A message, an edit or a piece that the hook of its group has allowed, or that passes without an
/// answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vetted {
    /// The hook that the leader has asked.
    pub hook: u64,
    pub said: Said,
}

/// The part of a member that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Append(Append),
    Post(PostHook),
    Piece(WritePiece),
}

impl Said {
    pub fn conversation(&self) -> ConversationId {
        match self {
            Said::Append(c) => c.conversation,
            Said::Post(c) => c.conversation,
            Said::Piece(c) => c.conversation,
        }
    }
}

/// The hook has judged a scheduled message whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeScheduled {
    pub conversation: ConversationId,
    pub sender: UserId,
    pub client_message_id: ClientMessageId,
    pub hook: u64,
    /// The code of the refusal; empty: the message is placed.
    pub refused: String,
}
