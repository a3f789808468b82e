//! What applied state wants done. Closed, idempotent data: only the leader's shard actor realises it, and an effect may
//! be repeated or lost without harm, because a device finds out from heads and cursors.

use crate::event::Event;
use crate::id::{ConversationId, DeviceId, Seq, Slot, TokenHash, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A new event of a conversation: push it to the nodes that are interested.
    Deliver { conversation: ConversationId, event: Event },
    /// The user's conversation list changed: tell the user's connections.
    InboxChanged { user: UserId, conversation: ConversationId, present: bool, version: Seq },
    /// A session ended: close its connection.
    SessionEnded { user: UserId, device: DeviceId, token: TokenHash },
    /// A member's cursors moved: tell the conversation's interested nodes.
    /// `read_moved`: not only `delivered`.
    CursorMoved { conversation: ConversationId, user: UserId, delivered: Seq, read: Seq, read_moved: bool },
    /// There are outbox rows in this slot to deliver.
    OutboxFilled { slot: Slot },
}
