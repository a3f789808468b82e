//! Commands about messages that are placed later, and about work that is due.

use crate::event::Body;
use crate::feature::{Append, Intent};
use crate::id::{ClientMessageId, ConversationId, Slot, Timestamp, UserId};

/// Keeps a message until its time. A repeat with the same client message id is answered alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub conversation: ConversationId,
    pub sender: UserId,
    pub client_message_id: ClientMessageId,
    pub at: Timestamp,
    pub body: Body,
}

impl Schedule {
    /// The message at its time.
    pub fn append(&self) -> Append {
        Append {
            conversation: self.conversation,
            actor: self.sender,
            client_message_id: self.client_message_id,
            after: None,
            intent: Intent::Message(self.body.clone()),
        }
    }
}

/// Takes a scheduled message back before its time, or a refused one off the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelScheduled {
    pub conversation: ConversationId,
    pub sender: UserId,
    pub client_message_id: ClientMessageId,
}

/// The leader has found work that is due in this slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDue {
    pub slot: Slot,
    /// Later work waits, even if it is due by the time of this command: the leader has not looked
    /// up its users.
    pub until: Timestamp,
    /// Rows at most. It is in the command, so that every version does the same number.
    pub most: u32,
    /// Users of this work without an account in order.
    pub gone: Vec<UserId>,
}
