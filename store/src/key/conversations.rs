//! Family `conversations`: everything of a conversation but its events, in the slot of the
//! conversation. Written by the apply of that slot's shard.
//!
//! | key            | layout                                                    | value                   | lifetime                      |
//! | -------------- | --------------------------------------------------------- | ----------------------- | ----------------------------- |
//! | `Conversation` | slot, `c`, conversation 17                                | record of a conversation| for ever                      |
//! | `Placed`       | slot, `d`, conversation 17, sender u64, client id 16      | u64: the seq it took    | as long as the message        |
//! | `Request`      | slot, `g`, creator u64, request 16                        | u64: the group it made  | for ever                      |
//! | `Member`       | slot, `m`, conversation 17, user u64                      | record of a member      | until removal                 |
//! | `Outbox`       | slot, `o`, conversation 17, version u64, user u64         | record of an outbox row | until the other shard has it  |
//! | `Kept`         | slot, `p`, conversation 17                                | u64: see below          | for ever                      |
//! | `Cursor`       | slot, `r`, conversation 17, user u64                      | record of a cursor      | for ever                      |
//! | `Numbered`     | slot, 0x40, conversation 17, user u64, seq u64            | u64: its number         | as long as the event          |
//!
//! `Kept` is the head that a conversation had when it was restored from a backup, or recovered:
//! later events are of the new history.

use troupe_core::record::OutboxKey;
use troupe_core::{ClientMessageId, ConversationId, Seq, Slot, UserId};

use super::{CONVERSATION, Parts, Writer};

const ROW: u8 = b'c';
const PLACED: u8 = b'd';
const REQUEST: u8 = b'g';
const MEMBER: u8 = b'm';
const OUTBOX: u8 = b'o';
const KEPT: u8 = b'p';
const CURSOR: u8 = b'r';
const NUMBERED: u8 = 0x40;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConversationsKey {
    Conversation(ConversationId),
    Placed(ConversationId, UserId, ClientMessageId),
    Request(Slot, UserId, ClientMessageId),
    Member(ConversationId, UserId),
    Outbox(OutboxKey),
    Kept(ConversationId),
    Cursor(ConversationId, UserId),
    /// Of the events that are numbered for a user; user 0 stands for those that are no messages.
    Numbered(ConversationId, UserId, Seq),
}

impl ConversationsKey {
    pub fn encode(&self) -> Vec<u8> {
        match self {
            ConversationsKey::Conversation(conversation) => of(*conversation, ROW, 0).done(),
            ConversationsKey::Placed(conversation, sender, id) => {
                of(*conversation, PLACED, 24).number(sender.0).bytes(&id.0).done()
            }
            ConversationsKey::Request(slot, creator, id) => {
                Writer::tagged(*slot, REQUEST, 27).number(creator.0).bytes(&id.0).done()
            }
            ConversationsKey::Member(conversation, user) => of(*conversation, MEMBER, 8).number(user.0).done(),
            ConversationsKey::Outbox(OutboxKey { slot, conversation, version, user }) => {
                Writer::tagged(*slot, OUTBOX, 19 + CONVERSATION)
                    .conversation(*conversation)
                    .number(version.0)
                    .number(user.0)
                    .done()
            }
            ConversationsKey::Kept(conversation) => of(*conversation, KEPT, 0).done(),
            ConversationsKey::Cursor(conversation, user) => of(*conversation, CURSOR, 8).number(user.0).done(),
            ConversationsKey::Numbered(conversation, user, seq) => {
                of(*conversation, NUMBERED, 16).number(user.0).number(seq.0).done()
            }
        }
    }

    pub fn decode(key: &[u8]) -> Option<ConversationsKey> {
        let mut parts = Parts(key);
        let slot = parts.slot()?;
        let (key, home) = match parts.byte()? {
            ROW => {
                let conversation = parts.conversation()?;
                (ConversationsKey::Conversation(conversation), conversation.slot())
            }
            PLACED => {
                let conversation = parts.conversation()?;
                let (sender, id) = (parts.user()?, parts.message_id()?);
                (ConversationsKey::Placed(conversation, sender, id), conversation.slot())
            }
            REQUEST => (ConversationsKey::Request(slot, parts.user()?, parts.message_id()?), slot),
            MEMBER => {
                let conversation = parts.conversation()?;
                (ConversationsKey::Member(conversation, parts.user()?), conversation.slot())
            }
            OUTBOX => {
                let (conversation, version, user) = (parts.conversation()?, parts.seq()?, parts.user()?);
                (ConversationsKey::Outbox(OutboxKey { slot, conversation, version, user }), slot)
            }
            KEPT => {
                let conversation = parts.conversation()?;
                (ConversationsKey::Kept(conversation), conversation.slot())
            }
            CURSOR => {
                let conversation = parts.conversation()?;
                (ConversationsKey::Cursor(conversation, parts.user()?), conversation.slot())
            }
            NUMBERED => {
                let conversation = parts.conversation()?;
                let (user, seq) = (parts.user()?, parts.seq()?);
                (ConversationsKey::Numbered(conversation, user, seq), conversation.slot())
            }
            _ => return None,
        };
        if home == slot { parts.end(key) } else { None }
    }
}

fn of(conversation: ConversationId, tag: u8, more: usize) -> Writer {
    Writer::tagged(conversation.slot(), tag, 3 + CONVERSATION + more).conversation(conversation)
}

/// Prefix of all member rows of a conversation.
pub fn members_of(conversation: ConversationId) -> Vec<u8> {
    of(conversation, MEMBER, 0).done()
}

/// Prefix of the numbers of events that are numbered for a user.
pub fn numbered_for(conversation: ConversationId, user: UserId) -> Vec<u8> {
    of(conversation, NUMBERED, 8).number(user.0).done()
}

/// Prefix of all conversation rows of a slot.
pub fn rows_of(slot: Slot) -> Vec<u8> {
    Writer::tagged(slot, ROW, 3).done()
}

/// Prefix of what a slot owes to others.
pub fn outbox_of(slot: Slot) -> Vec<u8> {
    Writer::tagged(slot, OUTBOX, 3).done()
}

/// Prefix of what one conversation owes to others.
pub fn outbox_of_conversation(conversation: ConversationId) -> Vec<u8> {
    of(conversation, OUTBOX, 0).done()
}
