//! The proposals that a planted bug of a replica's start applies again.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use troupe_proto::wire::raft as wire;
use troupe_store::engine::{Engine, EngineError, Family};
use troupe_store::key::RaftLogKey;

use crate::codec;
use crate::types::{GroupId, Payload};

const REAPPLIED: u64 = 16;

/// The newest proposals up to `applied` that the log still has.
pub(super) fn newest(engine: &Arc<dyn Engine>, group: GroupId, applied: u64) -> Result<Vec<Bytes>, EngineError> {
    let key = |index| RaftLogKey { group: group.0, index }.encode();
    let range = (Bound::Included(key(applied.saturating_sub(REAPPLIED))), Bound::Excluded(key(applied + 1)));
    let mut proposals = Vec::new();
    for (_, bytes) in engine.scan(Family::RaftLog, range, false, REAPPLIED as usize + 1)? {
        let entry = codec::open::<wire::Entry>(&bytes, "entry").and_then(codec::entry_in);
        let entry = entry.map_err(|error| EngineError::Fatal(format!("log of {group}: {error}")))?;
        if let Payload::Normal(proposal) = entry.payload {
            proposals.push(proposal.bytes().clone());
        }
    }
    Ok(proposals)
}
