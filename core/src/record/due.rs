//! Work that has a time: a row each, in order of time within its slot. The row has no value.
//!
//! The leader of a shard reads the first rows of its slots only, so work in the future costs
//! nothing. A kind of work is a variant of [`Work`] and an arm of `machine/due.rs`.

use super::{Family, Key, Part, Parts, Table};
use crate::file::FileHash;
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
    /// The time of a poll is over.
    Poll { conversation: ConversationId, poll: Seq },
    /// An upload expires.
    Upload { conversation: ConversationId, owner: UserId, id: ClientMessageId },
    /// A reservation of room has had no upload.
    Room { user: UserId, conversation: ConversationId, until: Timestamp },
    /// A file that no event refers to is removed.
    File { conversation: ConversationId, file: FileHash },
    /// Chunks are removed: those of a number, from `next` to before `end`.
    Chunks { conversation: ConversationId, number: u64, next: u64, end: u64 },
    /// A stream has been left alone, or lasts for too long.
    Stream { conversation: ConversationId, message: Seq },
    /// A message vanishes.
    Vanish { conversation: ConversationId, message: Seq },
}

const SCHEDULED: u8 = 1;
const POLL: u8 = 12;
const UPLOAD: u8 = 2;
const FILE: u8 = 3;
const CHUNKS: u8 = 4;
const VANISH: u8 = 40;
const CALL: u8 = 50;
const ROOM: u8 = 70;
const STREAM: u8 = 90;

impl Work {
    pub fn slot(&self) -> Slot {
        match self {
            Work::Scheduled { conversation, .. }
            | Work::Call { conversation, .. }
            | Work::Poll { conversation, .. }
            | Work::Upload { conversation, .. }
            | Work::File { conversation, .. }
            | Work::Chunks { conversation, .. }
            | Work::Vanish { conversation, .. }
            | Work::Stream { conversation, .. } => conversation.slot(),
            Work::Room { user, .. } => user.slot(),
        }
    }

    /// The user whose account must be in order when the work is done.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Work::Scheduled { sender, .. } => Some(*sender),
            Work::Call { .. } | Work::Poll { .. } | Work::Vanish { .. } | Work::Stream { .. } => None,
            Work::Upload { .. } | Work::Room { .. } | Work::File { .. } | Work::Chunks { .. } => None,
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
            Work::Poll { conversation, poll } => {
                out.push(POLL);
                Part::write(conversation, out);
                Part::write(poll, out);
            }
            Work::Upload { conversation, owner, id } => {
                out.push(UPLOAD);
                Part::write(conversation, out);
                Part::write(owner, out);
                Part::write(id, out);
            }
            Work::Room { user, conversation, until } => {
                out.push(ROOM);
                Part::write(user, out);
                Part::write(conversation, out);
                Part::write(until, out);
            }
            Work::File { conversation, file } => {
                out.push(FILE);
                Part::write(conversation, out);
                Part::write(file, out);
            }
            Work::Chunks { conversation, number, next, end } => {
                out.push(CHUNKS);
                Part::write(conversation, out);
                [number, next, end].into_iter().for_each(|number| Part::write(number, out));
            }
            Work::Stream { conversation, message } => {
                out.push(STREAM);
                Part::write(conversation, out);
                Part::write(message, out);
            }
            Work::Vanish { conversation, message } => {
                out.push(VANISH);
                Part::write(conversation, out);
                Part::write(message, out);
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
            POLL => Some(Work::Poll { conversation: Part::read(parts)?, poll: Part::read(parts)? }),
            UPLOAD => Some(Work::Upload {
                conversation: Part::read(parts)?,
                owner: Part::read(parts)?,
                id: Part::read(parts)?,
            }),
            ROOM => Some(Work::Room {
                user: Part::read(parts)?,
                conversation: Part::read(parts)?,
                until: Part::read(parts)?,
            }),
            FILE => Some(Work::File { conversation: Part::read(parts)?, file: Part::read(parts)? }),
            CHUNKS => Some(Work::Chunks {
                conversation: Part::read(parts)?,
                number: Part::read(parts)?,
                next: Part::read(parts)?,
                end: Part::read(parts)?,
            }),
            STREAM => Some(Work::Stream { conversation: Part::read(parts)?, message: Part::read(parts)? }),
            VANISH => Some(Work::Vanish { conversation: Part::read(parts)?, message: Part::read(parts)? }),
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
