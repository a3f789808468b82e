//! Pins: messages that a conversation shows first, for all of its members.
//!
//! Each change is an event of the log. One row per conversation has the pins of the present, oldest
//! first, and is bounded. A recall takes the pin of its message away in the same commit.

use prost::Message;

use super::Append;
use super::policy::{Act, permit};
use crate::error::{Refused, Rejection};
use crate::event::{Event, EventKind, Role};
use crate::id::{ConversationId, Seq};
use crate::limits;
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::{Conversation, table};
use crate::state::Rows;

const ALREADY_PINNED: Refused =
    Refused { code: "already_pinned", text: "this message is pinned already: there is nothing to do" };
const NOT_PINNED: Refused =
    Refused { code: "not_pinned", text: "this message is not pinned: there is nothing to take away" };
const TOO_MANY_PINS: Refused =
    Refused { code: "too_many_pins", text: "this conversation has its largest number of pins: take one away" };
pub(super) const REFUSALS: &[Refused] = &[ALREADY_PINNED, NOT_PINNED, TOO_MANY_PINS];

/// The pinned messages of a conversation. One without any has no row.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Pins {
    #[prost(message, repeated, tag = "1")]
    pub pins: Vec<Pin>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Pin {
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    #[prost(uint64, tag = "2")]
    pub by: u64,
    #[prost(uint64, tag = "3")]
    pub time_ms: u64,
}

table!(message Pins, Conversations, Some(0x59), ConversationId);

impl Step<'_> {
    /// Members with the permission in a group, and both users of a direct conversation. No one pins
    /// in the channel, which is of all.
    pub(super) fn decide_pin(
        &self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
        to: Seq,
        remove: bool,
    ) -> Result<EventKind, Rejection> {
        let conversation = append.conversation;
        match conversation {
            ConversationId::Group(_) => permit(role, row, Act::Pin)?,
            ConversationId::Direct { .. } => {}
            ConversationId::Everyone => return Err(Rejection::NotAllowed),
        }
        self.message_for(conversation, append.actor, to)?;
        let pins = self.state.get::<Pins>(&conversation).unwrap_or_default().pins;
        match (remove, pins.iter().any(|pin| pin.seq == to.0)) {
            (true, false) => Err(NOT_PINNED.into()),
            (false, true) => Err(ALREADY_PINNED.into()),
            (false, false) if pins.len() >= limits::PINS => Err(TOO_MANY_PINS.into()),
            _ => Ok(EventKind::Pinned { to, removed: remove }),
        }
    }

    pub(super) fn project_pinned(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        event: &Event,
        to: Seq,
        removed: bool,
    ) {
        if removed {
            return self.unpin(conversation, row, to);
        }
        let mut pins = self.state.get::<Pins>(&conversation).unwrap_or_default();
        pins.pins.push(Pin { seq: to.0, by: event.sender.0, time_ms: event.time.0 });
        row.pins = pins.pins.len() as u32;
        self.state.put(&conversation, &pins);
    }

    /// The content of this message is gone.
    pub(super) fn forget_pin(&mut self, conversation: ConversationId, row: &mut Conversation, seq: Seq) {
        if row.pins > 0 && !self.planted(Bug::PinOutlivesRecall) {
            self.unpin(conversation, row, seq);
        }
    }

    fn unpin(&mut self, conversation: ConversationId, row: &mut Conversation, seq: Seq) {
        let mut pins = self.state.get::<Pins>(&conversation).unwrap_or_default();
        pins.pins.retain(|pin| pin.seq != seq.0);
        row.pins = pins.pins.len() as u32;
        if pins.pins.is_empty() {
            self.state.delete::<Pins>(&conversation);
        } else {
            self.state.put(&conversation, &pins);
        }
    }
}
