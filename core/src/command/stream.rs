//! Messages that grow word by word.

use crate::id::{ConversationId, Seq, UserId};

/// Appends a piece to an open stream. A repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritePiece {
    pub conversation: ConversationId,
    pub sender: UserId,
    pub message: Seq,
    /// 0, 1, 2 ...: the number of pieces before it.
    pub index: u64,
    pub text: String,
}
