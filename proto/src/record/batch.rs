//! The batch of one Raft entry: commands, and the leader's stamps.

use bytes::{Buf, Bytes};
use prost::{Message, encoding};
use troupe_core::command::{Append, Intent};
use troupe_core::form::{DecodeError, Form, Nothing, open};
use troupe_core::{Body, ClientMessageId, Command, ConversationId, Level, Timestamp, UserId};

use super::{RECORD_VERSION, Record};
use crate::wire::record as wire;

/// The format of batches above the first feature level. Versions without levels do not read it, and
/// stop: they would apply such a batch by other rules than the other replicas.
const LEVELLED_VERSION: u8 = 2;

/// The content of one Raft entry: commands, and the leader's stamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampedBatch {
    /// The leader's wall clock at the proposal.
    pub now: Timestamp,
    /// The feature level in force, as the leader knew it.
    pub level: Level,
    pub commands: Vec<Command>,
}

/// A command as an entry carries it, so that its size is known and it is encoded once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedCommand(Vec<u8>);

impl EncodedCommand {
    /// Maximal bytes of the version, the time and the level of an entry, besides its commands.
    pub const ENVELOPE: usize = 24;
    /// Number of [`wire::StampedBatch::commands`].
    const FIELD: u32 = 2;

    pub fn of(command: &Command) -> EncodedCommand {
        let message = wire::Command::from(command);
        let mut bytes = Vec::with_capacity(encoding::message::encoded_len(Self::FIELD, &message));
        encoding::message::encode(Self::FIELD, &message, &mut bytes);
        EncodedCommand(bytes)
    }

    /// Bytes that the command takes in an entry.
    #[allow(clippy::len_without_is_empty, reason = "a command takes at least its tag and length")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The entry of these commands: the bytes of [`StampedBatch`].
    pub fn batch<'a>(
        now: Timestamp,
        level: Level,
        commands: impl IntoIterator<Item = &'a EncodedCommand> + Clone,
    ) -> Vec<u8> {
        let size: usize = commands.clone().into_iter().map(EncodedCommand::len).sum();
        let mut bytes = Vec::with_capacity(Self::ENVELOPE + size);
        bytes.push(version_of(level));
        wire::StampedBatch { now_ms: now.0, ..Default::default() }.encode_raw(&mut bytes);
        commands.into_iter().for_each(|command| bytes.extend_from_slice(&command.0));
        wire::StampedBatch { level: level.number(), ..Default::default() }.encode_raw(&mut bytes);
        bytes
    }
}

/// Bytes that a command takes in an entry.
pub fn command_bytes(command: &Command) -> usize {
    match command {
        // Called several times for each message, so it copies nothing.
        Command::Append(Append { conversation, actor, client_message_id, after, intent: Intent::Message(body) }) => {
            field_bytes(field_bytes(message_bytes(*conversation, *actor, client_message_id, after.as_ref(), body)))
        }
        _ => encoding::message::encoded_len(EncodedCommand::FIELD, &wire::Command::from(command)),
    }
}

fn message_bytes(
    conversation: ConversationId,
    actor: UserId,
    id: &ClientMessageId,
    after: Option<&ClientMessageId>,
    body: &Body,
) -> usize {
    let number = |number: u64| if number == 0 { 0 } else { 1 + encoding::encoded_len_varint(number) };
    let bytes = |len: usize| if len == 0 { 0 } else { field_bytes(len) };
    let digits = |number: u64| number.checked_ilog10().map_or(1, |log| log as usize + 1);
    let conversation = match conversation {
        ConversationId::Everyone => "everyone".len(),
        ConversationId::Direct { low, high } => "d-".len() + digits(low.0) + digits(high.0),
        ConversationId::Group(group) => "g".len() + digits(group.0),
    };
    bytes(conversation)
        + number(actor.0)
        + bytes(id.0.len())
        + bytes(after.map_or(0, |after| after.0.len()))
        // The body of core has the same fields.
        + field_bytes(body.encoded_len())
}

/// Of a field with a length prefix. All fields on the way to a message have numbers below 16, and
/// so a tag of one byte.
fn field_bytes(len: usize) -> usize {
    1 + encoding::encoded_len_varint(len as u64) + len
}

fn version_of(level: Level) -> u8 {
    if level <= Level::FIRST { RECORD_VERSION } else { LEVELLED_VERSION }
}

/// Version 1: of the first level, which it does not name.
pub struct Unlevelled(StampedBatch);

impl Form for Unlevelled {
    const VERSION: u8 = RECORD_VERSION;
    type Previous = Nothing;

    fn parse(message: &[u8]) -> Result<Self, DecodeError> {
        parse(Self::VERSION, message).map(Unlevelled)
    }

    fn migrate(previous: Nothing) -> Self {
        match previous {}
    }
}

impl Form for StampedBatch {
    const VERSION: u8 = LEVELLED_VERSION;
    type Previous = Unlevelled;

    fn parse(message: &[u8]) -> Result<Self, DecodeError> {
        parse(LEVELLED_VERSION, message)
    }

    fn migrate(Unlevelled(batch): Unlevelled) -> Self {
        batch
    }
}

impl StampedBatch {
    /// As [`Record::decode`]; the contents of messages share the bytes of the entry.
    pub fn of_entry(entry: &Bytes) -> Result<StampedBatch, DecodeError> {
        match entry.first() {
            Some(&version @ (RECORD_VERSION | LEVELLED_VERSION)) => parse(version, entry.slice(1..)),
            _ => StampedBatch::decode(entry),
        }
    }
}

fn parse(version: u8, message: impl Buf) -> Result<StampedBatch, DecodeError> {
    let batch = StampedBatch::try_from(wire::StampedBatch::decode(message)?)?;
    if version_of(batch.level) != version {
        return Err(DecodeError::Invalid { field: "stamped_batch.level", why: "the version is of another level" });
    }
    Ok(batch)
}

impl Record for StampedBatch {
    const VERSION: u8 = LEVELLED_VERSION;

    fn encode(&self) -> Vec<u8> {
        let commands: Vec<EncodedCommand> = self.commands.iter().map(EncodedCommand::of).collect();
        EncodedCommand::batch(self.now, self.level, &commands)
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        open(bytes)
    }
}

impl TryFrom<wire::StampedBatch> for StampedBatch {
    type Error = DecodeError;

    fn try_from(batch: wire::StampedBatch) -> Result<Self, DecodeError> {
        let commands = batch.commands.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(StampedBatch { now: Timestamp(batch.now_ms), level: Level::kept(batch.level), commands })
    }
}
