//! Family `events`: the logs of conversations, in the slot of the conversation. Written by the
//! apply of that slot's shard.
//!
//! | key        | layout                            | value              | lifetime |
//! | ---------- | --------------------------------- | ------------------ | -------- |
//! | `EventKey` | slot, conversation 17, seq u64    | record of an event | for ever |
//!
//! A family of its own, because its values are large, written once and read in runs.

use troupe_core::{ConversationId, Seq};

use super::{CONVERSATION, Parts, Writer};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventKey {
    pub conversation: ConversationId,
    pub seq: Seq,
}

impl EventKey {
    pub fn encode(&self) -> Vec<u8> {
        of(self.conversation, 8).number(self.seq.0).done()
    }

    pub fn decode(key: &[u8]) -> Option<EventKey> {
        let mut parts = Parts(key);
        let slot = parts.slot()?;
        let key = EventKey { conversation: parts.conversation()?, seq: parts.seq()? };
        if key.conversation.slot() == slot { parts.end(key) } else { None }
    }
}

fn of(conversation: ConversationId, more: usize) -> Writer {
    Writer::slot(conversation.slot(), 2 + CONVERSATION + more).conversation(conversation)
}

/// Prefix of all events of a conversation.
pub fn events_of(conversation: ConversationId) -> Vec<u8> {
    of(conversation, 0).done()
}
