//! Saved messages, in the slot of the user.

use crate::id::{ClientMessageId, ConversationId, Seq, UserId};

/// By the user itself. The caller has verified that it sees a message that it saves. A repeat with
/// the same `request` changes nothing and is answered alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeFavourite {
    pub user: UserId,
    pub request: ClientMessageId,
    pub conversation: ConversationId,
    pub seq: Seq,
    /// It is none any more.
    pub removed: bool,
}
