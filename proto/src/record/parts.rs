//! Parts of several commands.

use troupe_core::command::CursorMove;
use troupe_core::form::DecodeError;
use troupe_core::record::OutboxKey;
use troupe_core::{Seq, UserId};

use crate::field;
use crate::wire::record as wire;

impl From<&OutboxKey> for wire::OutboxKey {
    fn from(key: &OutboxKey) -> Self {
        wire::OutboxKey {
            slot: key.slot.0.into(),
            conversation: key.conversation.to_string(),
            version: key.version.0,
            user: key.user.0,
        }
    }
}

impl TryFrom<wire::OutboxKey> for OutboxKey {
    type Error = DecodeError;

    fn try_from(key: wire::OutboxKey) -> Result<Self, DecodeError> {
        Ok(OutboxKey {
            slot: field::slot("outbox_key.slot", key.slot)?,
            conversation: field::conversation("outbox_key.conversation", &key.conversation)?,
            version: Seq(key.version),
            user: UserId(key.user),
        })
    }
}

impl From<&CursorMove> for wire::CursorMove {
    fn from(step: &CursorMove) -> Self {
        wire::CursorMove { user: step.user.0, delivered: step.delivered.0, read: step.read.0 }
    }
}

impl From<wire::CursorMove> for CursorMove {
    fn from(step: wire::CursorMove) -> Self {
        CursorMove { user: UserId(step.user), delivered: Seq(step.delivered), read: Seq(step.read) }
    }
}
