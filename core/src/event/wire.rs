//! Events: one form on disk, between nodes and to devices.
//!
//! An event is an envelope that every version reads, and a content that only some understand: the
//! bytes of one field whose number says what kind of event it is. A program that does not know a
//! kind passes its bytes on unchanged. So `message Event` of `record.proto` and `client.proto` is
//! written here and not generated, because generated types forget what they do not know.

use std::ops::RangeFrom;

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError as Malformed, Message};

use super::{Body, ContentHash, Event as Core, EventKind, Flags, KINDS, Seal};
use crate::form::DecodeError;
use crate::id::{ClientMessageId, Seq, Timestamp, UserId};

const FLAGS: u32 = 1_000;
const CONTENT_HASH: u32 = 1_001;
/// Numbers of fields that later versions may add to the envelope.
const LATER: RangeFrom<u32> = 1_002..;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Event {
    pub seq: u64,
    pub time_ms: u64,
    pub sender: u64,
    pub client_message_id: Bytes,
    /// The number of the field that holds the content; 0: there is none.
    pub kind: u32,
    pub content: Bytes,
    pub flags: u64,
    /// 16 bytes; empty in events of level 1.
    pub content_hash: Bytes,
    /// Unknown fields of the envelope, as received.
    pub later: Vec<u8>,
}

impl Event {
    /// The body, if this is a message.
    pub fn body(&self) -> Option<Body> {
        (self.kind == EventKind::MESSAGE).then(|| Body::decode(self.content.clone()).ok()).flatten()
    }

    /// The event without any skipped byte of its content: it encodes to what it was. Nodes use this
    /// form, because other nodes get the event from them.
    pub fn faithful(self) -> Result<Core, DecodeError> {
        let (kind, seal) = (self.understood(), self.seal());
        let kind = if kind.content() == self.content { kind } else { self.as_it_is() };
        self.with(kind, seal)
    }

    fn fields(&self) -> Fields<'_> {
        Fields {
            numbers: [self.seq, self.time_ms, self.sender],
            client_message_id: &self.client_message_id,
            kind: self.kind,
            content: &self.content,
            flags: self.flags,
            content_hash: &self.content_hash,
            later: &self.later,
        }
    }

    fn seal(&self) -> Option<Seal> {
        let content = ContentHash(self.content_hash.as_ref().try_into().ok()?);
        Some(Seal { flags: Flags(self.flags), content })
    }

    /// The decoded content. A content that does not match its seal is unknown.
    fn understood(&self) -> EventKind {
        let is_whole = self.seal().is_none_or(|seal| seal.content == ContentHash::of(&self.content));
        let understood = is_whole.then(|| EventKind::decode(self.kind, &self.content)).flatten();
        understood.unwrap_or_else(|| self.as_it_is())
    }

    fn as_it_is(&self) -> EventKind {
        EventKind::Unknown { kind: self.kind, content: self.content.clone() }
    }

    fn with(self, kind: EventKind, seal: Option<Seal>) -> Result<Core, DecodeError> {
        Ok(Core {
            seq: Seq(self.seq),
            time: Timestamp(self.time_ms),
            sender: UserId(self.sender),
            client_message_id: ClientMessageId(self.client_message_id.as_ref().try_into().map_err(|_| wrong_id())?),
            kind,
            seal,
        })
    }
}

fn wrong_id() -> DecodeError {
    DecodeError::Invalid { field: "event.client_message_id", why: "it must be 16 bytes" }
}

impl From<&Core> for Event {
    fn from(event: &Core) -> Self {
        Event {
            seq: event.seq.0,
            time_ms: event.time.0,
            sender: event.sender.0,
            client_message_id: Bytes::copy_from_slice(&event.client_message_id.0),
            kind: event.kind.number(),
            content: event.kind.content(),
            flags: event.seal.map_or(0, |seal| seal.flags.0),
            content_hash: event.seal.map_or_else(Bytes::new, |seal| Bytes::copy_from_slice(&seal.content.0)),
            later: Vec::new(),
        }
    }
}

impl Core {
    /// The bytes behind `first` that [`Event`] encodes to. `content` is that of its kind.
    pub(crate) fn put(&self, content: &[u8], first: Option<u8>) -> Vec<u8> {
        let fields = Fields {
            numbers: [self.seq.0, self.time.0, self.sender.0],
            client_message_id: &self.client_message_id.0,
            kind: self.kind.number(),
            content,
            flags: self.seal.map_or(0, |seal| seal.flags.0),
            content_hash: self.seal.as_ref().map_or(&[][..], |seal| &seal.content.0),
            later: &[],
        };
        let mut bytes = Vec::with_capacity(1 + fields.encoded_len());
        bytes.extend(first);
        fields.encode(&mut bytes);
        bytes
    }

    /// The bytes of this event between nodes and to devices.
    pub fn to_wire(&self) -> Vec<u8> {
        self.put(&self.kind.content(), None)
    }
}

/// The fields of an event during one encoding, which copies none of them before.
struct Fields<'a> {
    /// Fields 1 to 3.
    numbers: [u64; 3],
    client_message_id: &'a [u8],
    kind: u32,
    content: &'a [u8],
    flags: u64,
    content_hash: &'a [u8],
    later: &'a [u8],
}

const CLIENT_MESSAGE_ID: u32 = 4;

impl Fields<'_> {
    fn encode(&self, out: &mut impl BufMut) {
        for (field, number) in (1..).zip(&self.numbers) {
            if *number != 0 {
                encoding::uint64::encode(field, number, out);
            }
        }
        if !self.client_message_id.is_empty() {
            put_bytes(CLIENT_MESSAGE_ID, self.client_message_id, out);
        }
        if KINDS.contains(&self.kind) {
            put_bytes(self.kind, self.content, out);
        }
        if self.flags != 0 {
            encoding::uint64::encode(FLAGS, &self.flags, out);
        }
        if !self.content_hash.is_empty() {
            put_bytes(CONTENT_HASH, self.content_hash, out);
        }
        out.put_slice(self.later);
    }

    fn encoded_len(&self) -> usize {
        let numbers = (1..).zip(&self.numbers).filter(|(_, number)| **number != 0);
        let mut size: usize = numbers.map(|(field, number)| encoding::uint64::encoded_len(field, number)).sum();
        if !self.client_message_id.is_empty() {
            size += bytes_len(CLIENT_MESSAGE_ID, self.client_message_id);
        }
        if KINDS.contains(&self.kind) {
            size += bytes_len(self.kind, self.content);
        }
        if self.flags != 0 {
            size += encoding::uint64::encoded_len(FLAGS, &self.flags);
        }
        if !self.content_hash.is_empty() {
            size += bytes_len(CONTENT_HASH, self.content_hash);
        }
        size + self.later.len()
    }
}

fn put_bytes(field: u32, bytes: &[u8], out: &mut impl BufMut) {
    encoding::encode_key(field, WireType::LengthDelimited, out);
    encoding::encode_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}

fn bytes_len(field: u32, bytes: &[u8]) -> usize {
    encoding::key_len(field) + encoding::encoded_len_varint(bytes.len() as u64) + bytes.len()
}

/// As a reader understands it: additions of later versions are skipped, and the seal with them,
/// since it covers more than the rest.
impl TryFrom<Event> for Core {
    type Error = DecodeError;

    fn try_from(event: Event) -> Result<Self, DecodeError> {
        let kind = event.understood();
        let seal = event.seal().filter(|_| kind.content() == event.content);
        event.with(kind, seal)
    }
}

impl Message for Event {
    fn encode_raw(&self, out: &mut impl BufMut) {
        self.fields().encode(out);
    }

    fn encoded_len(&self) -> usize {
        self.fields().encoded_len()
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        from: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), Malformed> {
        match tag {
            1 => encoding::uint64::merge(wire_type, &mut self.seq, from, context),
            2 => encoding::uint64::merge(wire_type, &mut self.time_ms, from, context),
            3 => encoding::uint64::merge(wire_type, &mut self.sender, from, context),
            CLIENT_MESSAGE_ID => encoding::bytes::merge(wire_type, &mut self.client_message_id, from, context),
            kind if KINDS.contains(&kind) && wire_type == WireType::LengthDelimited => {
                encoding::bytes::merge(wire_type, &mut self.content, from, context)?;
                self.kind = kind;
                Ok(())
            }
            FLAGS => encoding::uint64::merge(wire_type, &mut self.flags, from, context),
            CONTENT_HASH => encoding::bytes::merge(wire_type, &mut self.content_hash, from, context),
            later if LATER.contains(&later) => keep(&mut self.later, tag, wire_type, from, context),
            _ => encoding::skip_field(wire_type, tag, from, context),
        }
    }

    fn clear(&mut self) {
        *self = Event::default();
    }
}

/// Copies a field unchanged, with its number.
fn keep(
    out: &mut Vec<u8>,
    tag: u32,
    wire_type: WireType,
    from: &mut impl Buf,
    context: DecodeContext,
) -> Result<(), Malformed> {
    match wire_type {
        WireType::Varint => {
            let mut number = 0;
            encoding::uint64::merge(wire_type, &mut number, from, context)?;
            encoding::uint64::encode(tag, &number, out);
        }
        WireType::SixtyFourBit => {
            let mut number = 0;
            encoding::fixed64::merge(wire_type, &mut number, from, context)?;
            encoding::fixed64::encode(tag, &number, out);
        }
        WireType::ThirtyTwoBit => {
            let mut number = 0;
            encoding::fixed32::merge(wire_type, &mut number, from, context)?;
            encoding::fixed32::encode(tag, &number, out);
        }
        WireType::LengthDelimited => {
            let mut bytes = Bytes::new();
            encoding::bytes::merge(wire_type, &mut bytes, from, context)?;
            encoding::bytes::encode(tag, &bytes, out);
        }
        // No form of this project has groups.
        WireType::StartGroup | WireType::EndGroup => encoding::skip_field(wire_type, tag, from, context)?,
    }
    Ok(())
}
