//! Work that has a time: a row each, in order of time within its slot. The row has no value.
//!
//! The leader of a shard reads the first rows of its slots only, so work in the future costs
//! nothing. A kind of work is a variant of [`Work`] and an arm of `machine/due.rs`.

use super::{Family, Key, Part, Parts, Table};
use crate::form::DecodeError;
use crate::id::{ClientMessageId, ConversationId, Seq, Slot, Timestamp, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueKey {
    pub at: Timestamp,
    pub work: Work,
}

/// A kind of work, and the key of its rows. The numbers of the kinds are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// A scheduled message is placed, or its row is over.
    Scheduled { conversation: ConversationId, sender: UserId, id: ClientMessageId },
    /// A call has rung, or lasted, for too long.
    Call { conversation: ConversationId, call: Seq },
}

const SCHEDULED: u8 = 1;
const CALL: u8 = 50;

impl Work {
    pub fn slot(&self) -> Slot {
        match self {
            Work::Scheduled { conversation, .. } | Work::Call { conversation, .. } => conversation.slot(),
        }
    }

    /// The user whose account must be in order when the work is done.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Work::Scheduled { sender, .. } => Some(*sender),
            Work::Call { .. } => None,
        }
    }
}

impl Part for Work {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Work::Scheduled { conversation, sender, id } => {
                out.push(SCHEDULED);
                Part::write(conversation, out);
                Part::write(sender, out);
                Part::write(id, out);
            }
            Work::Call { conversation, call } => {
                out.push(CALL);
                Part::write(conversation, out);
                Part::write(call, out);
            }
        }
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        match parts.byte()? {
            SCHEDULED => Some(Work::Scheduled {
                conversation: Part::read(parts)?,
                sender: Part::read(parts)?,
                id: Part::read(parts)?,
            }),
            CALL => Some(Work::Call { conversation: Part::read(parts)?, call: Part::read(parts)? }),
            _ => None,
        }
    }
}

impl Key for DueKey {
    fn slot(&self) -> Slot {
        self.work.slot()
    }

    fn write(&self, out: &mut Vec<u8>) {
        Part::write(&self.at, out);
        self.work.write(out);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        Some(DueKey { at: Part::read(parts)?, work: Part::read(parts)? })
    }
}

impl Table for Due {
    const FAMILY: Family = Family::Conversations;
    const TAG: Option<u8> = Some(0x80);
    type Key = DueKey;

    fn to_value(&self) -> Vec<u8> {
        Vec::new()
    }

    fn from_value(_: &[u8]) -> Result<Due, DecodeError> {
        Ok(Due)
    }
}
