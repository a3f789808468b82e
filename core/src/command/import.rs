//! Events that were decided elsewhere: by another cluster, or by a conversion from another system.

use crate::command::CursorMove;
use crate::event::Event;
use crate::id::{ClientMessageId, ConversationId, Slot, UserId};
use crate::record::Author;

/// Continues the log of a conversation with these events, at their seqs and times. Events that the
/// log has already are compared, so that a repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub into: Destination,
    /// Of the run: all its commands leave one row per slot in the audit log.
    pub request: ClientMessageId,
    pub by: Author,
    /// The origin of the events, for the audit log.
    pub source: String,
    /// Consecutive. Of a seal only the flags of an unknown kind count, and the hash of an erased
    /// content.
    pub events: Vec<Event>,
    /// Positions of members, after the events.
    pub cursors: Vec<CursorMove>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A conversation whose id follows from its users.
    Known(ConversationId),
    /// The group of this key. The first import with it creates the group.
    Group { key: ClientMessageId, open: bool },
}

/// The creator in the row that finds an imported group by its key. No user has this id.
pub(crate) const IMPORTER: UserId = UserId(0);

impl Import {
    pub fn slot(&self) -> Slot {
        match self.into {
            Destination::Known(conversation) => conversation.slot(),
            Destination::Group { key, .. } => Slot::of(&key.0),
        }
    }
}
