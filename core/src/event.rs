//! Entries of a conversation's log.

mod seal;
pub mod wire;

use bytes::Bytes;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

pub use crate::content::{Content, Context};
pub use crate::feature::{EventKind, Fact, KINDS};
pub use seal::{ContentHash, Flags, Seal, verify};

use crate::id::{ClientMessageId, Seq, Timestamp, UserId};

/// One entry of a conversation's log, the same for every observer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub seq: Seq,
    /// Stamped by the leader; never before the previous event.
    pub time: Timestamp,
    /// The user that caused it.
    pub sender: UserId,
    /// The id from the sending device; the key of exactly once.
    pub client_message_id: ClientMessageId,
    pub kind: EventKind,
    /// `None` in events of level 1.
    pub seal: Option<Seal>,
}

/// The part of an event that each form of the chain covers: four numbers and the id.
const ENVELOPE_BYTES: usize = 4 * 8 + 16;

impl Event {
    /// The running hash after this event, given the one before it. Replicas with equal heads and
    /// equal chains hold equal logs. Its bytes never change: numbers big-endian, a tag per kind,
    /// and a length before every field of variable size. For a sealed event it covers the envelope
    /// only.
    pub fn chain(&self, before: u64) -> u64 {
        let mut envelope = [0; ENVELOPE_BYTES];
        let (numbers, id) = envelope.split_at_mut(4 * 8);
        let words = [before, self.seq.0, self.time.0, self.sender.0];
        words.iter().zip(numbers.chunks_exact_mut(8)).for_each(|(word, to)| to.copy_from_slice(&word.to_be_bytes()));
        id.copy_from_slice(&self.client_message_id.0);
        if let Some(seal) = self.seal {
            let mut sealed = [255; ENVELOPE_BYTES + 1 + 8 + 8 + 16];
            sealed[..ENVELOPE_BYTES].copy_from_slice(&envelope);
            let (kind, flags) = (u64::from(self.kind.number()), seal.flags.0);
            sealed[ENVELOPE_BYTES + 1..][..8].copy_from_slice(&kind.to_be_bytes());
            sealed[ENVELOPE_BYTES + 9..][..8].copy_from_slice(&flags.to_be_bytes());
            sealed[ENVELOPE_BYTES + 17..].copy_from_slice(&seal.content.0);
            return xxh3_64(&sealed);
        }
        let mut hash = Xxh3::new();
        let number = |hash: &mut Xxh3, number: u64| hash.update(&number.to_be_bytes());
        let bytes = |hash: &mut Xxh3, bytes: &[u8]| {
            number(hash, bytes.len() as u64);
            hash.update(bytes);
        };
        hash.update(&envelope);
        match &self.kind {
            EventKind::Message(body) => {
                hash.update(&[1]);
                number(&mut hash, u64::from(body.kind));
                bytes(&mut hash, &body.content);
            }
            EventKind::Created { name } => {
                hash.update(&[2]);
                bytes(&mut hash, name.as_bytes());
            }
            EventKind::Renamed { name } => {
                hash.update(&[3]);
                bytes(&mut hash, name.as_bytes());
            }
            EventKind::Added { users } => {
                hash.update(&[4]);
                number(&mut hash, users.len() as u64);
                users.iter().for_each(|user| number(&mut hash, user.0));
            }
            EventKind::Removed { user } => {
                hash.update(&[5]);
                number(&mut hash, user.0);
            }
            EventKind::RoleChanged { user, role } => {
                hash.update(&[6]);
                number(&mut hash, user.0);
                hash.update(&[role.number()]);
            }
            // The kinds that events without a seal have end here: later ones are always sealed.
            kind => {
                hash.update(&[0]);
                number(&mut hash, u64::from(kind.number()));
                bytes(&mut hash, &kind.content());
            }
        }
        hash.digest()
    }
}

/// The content of a message. `kind` 1 is text, and [`Content`] has the other known ones. Unknown
/// numbers are stored and forwarded unchanged, so that a client skips them. The content is shared:
/// a message passes a dozen hands.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Body {
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub content: Bytes,
    /// Boxed, because most messages have none. Only of level 2.
    #[prost(message, optional, boxed, tag = "30")]
    pub context: Option<Box<Context>>,
}

impl Body {
    pub const TEXT: u32 = 1;

    pub fn text(text: &str) -> Body {
        Body { kind: Body::TEXT, content: Bytes::copy_from_slice(text.as_bytes()), context: None }
    }

    pub fn as_text(&self) -> Option<&str> {
        if self.kind == Body::TEXT { std::str::from_utf8(&self.content).ok() } else { None }
    }
}

/// Ordered by power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Member,
    Admin,
    Owner,
}
