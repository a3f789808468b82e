//! Record encoding: one protobuf message each, framed by length and CRC-32.

use bytes::{Buf, Bytes};
use prost::Message;
use troupe_core::{Body, ClientMessageId, Event, Seq, UserId};
use troupe_proto::wire::client as wire;

use super::{Queued, Record, Session};

/// Largest payload: an event of the largest size, with headroom. A longer one is damage.
pub(super) const RECORD_BYTES: usize = 256 * 1024;
pub(super) const HEADER_BYTES: usize = 8;

#[derive(Clone, PartialEq, Message)]
struct Disk {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 75, 90")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    LoggedIn(wire::LoggedIn),
    #[prost(message, tag = "2")]
    LoggedOut(wire::Done),
    #[prost(message, tag = "3")]
    Queued(wire::Send),
    #[prost(bytes = "bytes", tag = "4")]
    Settled(Bytes),
    #[prost(message, tag = "5")]
    HandedOut(wire::EventPush),
    #[prost(message, tag = "6")]
    Cursor(wire::Acknowledge),
    #[prost(message, tag = "75")]
    History(History),
    #[prost(bytes = "bytes", tag = "90")]
    Cluster(Bytes),
}

#[derive(Clone, PartialEq, Message)]
struct History {
    #[prost(string, tag = "1")]
    conversation: String,
    #[prost(fixed64, tag = "2")]
    history: u64,
}

/// Appends the record with its header.
pub(super) fn encode(record: &Record, target: &mut Vec<u8>) {
    let kind = match record {
        Record::Cluster(id) => Kind::Cluster(id.clone()),
        Record::LoggedIn(session) => Kind::LoggedIn(wire::LoggedIn {
            user_id: session.user.0,
            name: session.name.clone(),
            device: session.device.clone(),
            token: session.token.clone(),
        }),
        Record::LoggedOut => Kind::LoggedOut(wire::Done {}),
        Record::Queued(queued) => Kind::Queued(wire::Send {
            conversation: queued.conversation.to_string(),
            client_message_id: Bytes::copy_from_slice(&queued.id.0),
            after: Bytes::new(),
            body: Some((&queued.body).into()),
        }),
        Record::Settled(id) => Kind::Settled(Bytes::copy_from_slice(&id.0)),
        Record::HandedOut { conversation, event } => {
            Kind::HandedOut(wire::EventPush { conversation: conversation.to_string(), event: Some(event.into()) })
        }
        Record::Cursor { conversation, seq } => {
            Kind::Cursor(wire::Acknowledge { conversation: conversation.to_string(), seq: seq.0 })
        }
        Record::History { conversation, history } => {
            Kind::History(History { conversation: conversation.to_string(), history: *history })
        }
    };
    let payload = Disk { kind: Some(kind) }.encode_to_vec();
    target.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    target.extend_from_slice(&crc32fast::hash(&payload).to_be_bytes());
    target.extend_from_slice(&payload);
}

/// Decodes the first record of `bytes` and advances past it. `None`: there is no complete, valid
/// record.
pub(super) fn decode(bytes: &mut Bytes) -> Option<Record> {
    if bytes.len() < HEADER_BYTES {
        return None;
    }
    let mut header = bytes.slice(..HEADER_BYTES);
    let (length, crc) = (header.get_u32() as usize, header.get_u32());
    if length == 0 || length > RECORD_BYTES || bytes.len() - HEADER_BYTES < length {
        return None;
    }
    let payload = bytes.slice(HEADER_BYTES..HEADER_BYTES + length);
    if crc32fast::hash(&payload) != crc {
        return None;
    }
    let record = understand(Disk::decode(payload).ok()?.kind?)?;
    bytes.advance(HEADER_BYTES + length);
    Some(record)
}

fn understand(kind: Kind) -> Option<Record> {
    let id = |bytes: &Bytes| Some(ClientMessageId(bytes.as_ref().try_into().ok()?));
    Some(match kind {
        Kind::Cluster(id) => Record::Cluster(id),
        Kind::LoggedIn(session) => Record::LoggedIn(Session {
            user: UserId(session.user_id),
            name: session.name,
            device: session.device,
            token: session.token,
        }),
        Kind::LoggedOut(wire::Done {}) => Record::LoggedOut,
        Kind::Queued(send) => Record::Queued(Queued {
            conversation: send.conversation.parse().ok()?,
            id: id(&send.client_message_id)?,
            body: Body::from(send.body?),
        }),
        Kind::Settled(bytes) => Record::Settled(id(&bytes)?),
        Kind::HandedOut(push) => Record::HandedOut {
            conversation: push.conversation.parse().ok()?,
            event: Event::try_from(push.event?).ok()?,
        },
        Kind::Cursor(cursor) => {
            Record::Cursor { conversation: cursor.conversation.parse().ok()?, seq: Seq(cursor.seq) }
        }
        Kind::History(History { conversation, history }) => {
            Record::History { conversation: conversation.parse().ok()?, history }
        }
    })
}
