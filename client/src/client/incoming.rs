//! The events and notices that a client hands to its application.

use bytes::Bytes;
use troupe_core::{ClientMessageId, ConversationId, Event, Seq, UserId};

use super::{Acked, State};
use crate::error::Result;
use crate::requests::{ContactInfo, OwnProfile, Personal, Presence};

/// Incoming events and notices, in order per conversation.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Each event once, without gaps from the device's start position.
    Event {
        conversation: ConversationId,
        event: Event,
    },
    /// Another user's delivered and read positions. Omitted if the application is slow.
    Cursor {
        conversation: ConversationId,
        user: UserId,
        delivered: Seq,
        read: Seq,
    },
    ConversationAdded {
        conversation: ConversationId,
        head: Seq,
    },
    ConversationRemoved {
        conversation: ConversationId,
    },
    /// The cluster was restored or recovered with fewer events than this device has delivered.
    /// Events up to `kept` are unchanged, and the `lost` events after them are gone. The
    /// conversation continues after `kept`, which is 0 if nothing was kept.
    Restored {
        conversation: ConversationId,
        kept: Seq,
        lost: u64,
        /// Number of the history that the device follows from here on.
        history: u64,
    },
    /// A stranger has added this user to a group or written to it: see `Client::invitations`.
    Invitation {
        conversation: ConversationId,
        by: UserId,
    },
    /// This user has changed its profile, on any device.
    Profile(OwnProfile),
    /// Another user types, or tells this device something that no log keeps; may be omitted.
    Signal {
        conversation: ConversationId,
        from: UserId,
        /// The sending device, for an answer to it alone.
        device: u64,
        /// See `troupe_core::signal`.
        kind: u32,
        payload: Bytes,
        seq: Seq,
    },
    /// A watched user has come, has gone, or shows something else now; may be omitted.
    Presence(Presence),
    /// This user's relation to another one has changed, by either.
    Contact(ContactInfo),
    /// This user has saved a message, or saves it no more, on any device; a lower `version` is
    /// late.
    Favourite {
        conversation: ConversationId,
        seq: Seq,
        removed: bool,
        version: u64,
    },
    /// This user has changed its own state of a conversation, on any device.
    Personal {
        conversation: ConversationId,
        state: Personal,
    },
    State(State),
    /// The outcome of a message that was in the outbox at the start, or whose handle was dropped.
    Settled {
        conversation: ConversationId,
        id: ClientMessageId,
        outcome: Result<Acked>,
    },
}
