//! A row that a slot owes to the shard of a user, until that shard has it.

use prost::encoding::{DecodeContext, WireType};
use xxhash_rust::xxh3::xxh3_128;

use super::{Key, Part, Parts, table};
use crate::form::{DecodeError, Field, merge_message, record, write_message};
use crate::id::{ClientMessageId, ConversationId, Seq, Slot, UserId};

record! {
    "outbox_row";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct OutboxRow {
        pub key: OutboxKey = 1,
        pub present: bool = 2,
        /// The other user that caused it, if another one did.
        pub by: Option<UserId> = 40,
    }
}

table!(OutboxRow, Conversations, Some(b'o'), OutboxKey);

record! {
    "outbox_key";
    /// An outbox row is named by what it says, so that writing it twice is writing it once.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub struct OutboxKey {
        /// Slot of the conversation that owes it.
        pub slot: Slot = 1,
        pub conversation: ConversationId = 2,
        pub version: Seq = 3,
        pub user: UserId = 4,
    }
}

impl OutboxKey {
    /// The client message id of the user's leaving, where its shard refuses the row: the same
    /// however often it is carried.
    pub fn refusal(&self) -> ClientMessageId {
        let mut named = *b"refused ........ ........";
        named[8..16].copy_from_slice(&self.version.0.to_be_bytes());
        named[17..].copy_from_slice(&self.user.0.to_be_bytes());
        ClientMessageId(xxh3_128(&named).to_be_bytes())
    }
}

impl Key for OutboxKey {
    fn slot(&self) -> Slot {
        self.slot
    }

    fn write(&self, out: &mut Vec<u8>) {
        Part::write(&self.conversation, out);
        Part::write(&self.version, out);
        Part::write(&self.user, out);
    }

    fn read(parts: &mut Parts) -> Option<Self> {
        let slot = parts.slot;
        let (conversation, version, user) = (Part::read(parts)?, Part::read(parts)?, Part::read(parts)?);
        Some(OutboxKey { slot, conversation, version, user })
    }
}

impl Field for OutboxKey {
    type Raw = Option<Vec<u8>>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        write_message(number, out, |out| OutboxKey::write(self, out));
    }

    fn merge(
        raw: &mut Self::Raw,
        wire: WireType,
        from: &mut &[u8],
        context: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        merge_message(raw, wire, from, context)
    }

    fn checked(raw: Self::Raw, field: &'static str) -> Result<Self, DecodeError> {
        OutboxKey::read(&raw.ok_or(DecodeError::Missing { field })?)
    }
}
