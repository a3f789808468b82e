//! Envelopes and frames as bytes: sizes and conversions.

use prost::Message as _;
use troupe_core::{ShardId, limits};
pub use troupe_proto::wire::mesh::Frame;
use troupe_proto::wire::mesh::{self as wire, envelope};

use super::{Envelope, Kind};

/// The version of this build. A node with another version is never up.
pub const VERSION: u32 = 1;
/// Lanes of envelopes between two nodes.
pub const LANES: u32 = 2;
/// The lane of hello and heartbeats only.
pub const CONTROL: u32 = LANES;

/// An upper bound of what protobuf adds to a body (kind 2, correlation 11, shard 6, deadline 6, two
/// lengths 12).
const ENVELOPE_OVERHEAD: usize = 40;
/// An upper bound of what a frame, ractor's wrapping and the length add to the envelopes.
const FRAME_OVERHEAD: usize = 128;
/// The largest body an envelope may have.
pub const BODY_BYTES: usize = limits::NODE_FRAME_BYTES - FRAME_OVERHEAD - ENVELOPE_OVERHEAD;

/// An upper bound of the bytes of the envelope in a frame.
pub fn size(envelope: &Envelope) -> usize {
    envelope.body.len() + ENVELOPE_OVERHEAD
}

/// A frame that the code of this version would never send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a frame of this protocol: {0}")]
pub struct Malformed(pub &'static str);

pub fn decode(bytes: bytes::Bytes) -> Result<Frame, Malformed> {
    Frame::decode(bytes).map_err(|_| Malformed("undecodable"))
}

impl From<Envelope> for wire::Envelope {
    fn from(envelope: Envelope) -> wire::Envelope {
        let kind = match envelope.kind {
            Kind::Request => envelope::Kind::Request,
            Kind::Reply => envelope::Kind::Reply,
            Kind::Push => envelope::Kind::Push,
        };
        wire::Envelope {
            kind: kind.into(),
            correlation: envelope.correlation,
            shard: envelope.shard.map(|shard| shard.0),
            deadline_ms: envelope.deadline_ms,
            body: envelope.body,
        }
    }
}

impl TryFrom<wire::Envelope> for Envelope {
    type Error = Malformed;

    fn try_from(envelope: wire::Envelope) -> Result<Envelope, Malformed> {
        let kind = match envelope.kind() {
            envelope::Kind::Request => Kind::Request,
            envelope::Kind::Reply => Kind::Reply,
            envelope::Kind::Push => Kind::Push,
            envelope::Kind::Unspecified => return Err(Malformed("kind of envelope")),
        };
        Ok(Envelope {
            kind,
            correlation: envelope.correlation,
            shard: envelope.shard.map(ShardId),
            deadline_ms: envelope.deadline_ms,
            body: envelope.body,
        })
    }
}
