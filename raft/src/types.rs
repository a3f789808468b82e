//! The type configuration that all groups share, and short names for the types that openraft
//! derives from it.
//!
//! A shard's group and the meta group differ only in how they apply entries. A proposal is bytes
//! here, and [`crate::log::applier`] interprets them. Encodings are in [`crate::codec`].

use std::fmt;

use bytes::Bytes;
use openraft::OptionalSend;
use openraft::ServerState;
use openraft::impls::leader_id_std::LeaderId;
use openraft::impls::{BoxedErrorSource, InlineBatch, OneshotResponder};
use openraft::vote::RaftLeaderId;
use troupe_core::limits::ENTRY_BYTES;
use troupe_core::{Epoch, NodeId, ShardId};
use troupe_store::rows::Refusal;

use crate::api::Outcome;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Types;

impl openraft::RaftTypeConfig for Types {
    type D = Proposal;
    type R = Applied;
    type NodeId = u64;
    type Node = RaftNode;
    type Term = u64;
    /// Standard Raft: one leader per term, so a term can serve as the epoch of a leadership.
    type LeaderId = LeaderId<u64, u64>;
    type Vote = openraft::Vote<Self::LeaderId>;
    type Payload = Payload;
    type Entry = openraft::Entry<<Self::LeaderId as RaftLeaderId>::Committed, Payload>;
    /// The seam of simulation. The only randomness of this runtime (election timeouts) comes from
    /// `getrandom`, which the simulation's binary replaces by a seeded one.
    type AsyncRuntime = crate::replication::runtime::Runtime;
    type Responder<T>
        = OneshotResponder<Self, T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

pub type LogId = openraft::alias::LogIdOf<Types>;
pub type Vote = openraft::alias::VoteOf<Types>;
pub type Entry = openraft::alias::EntryOf<Types>;
pub type Payload = openraft::EntryPayload<Proposal, u64, RaftNode>;
pub type Membership = openraft::Membership<u64, RaftNode>;
pub type StoredMembership = openraft::alias::StoredMembershipOf<Types>;
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<Types>;
pub type Metrics = openraft::RaftMetrics<Types>;

/// The node that hosts a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RaftNode(pub NodeId);

/// The content of one entry: an encoded `StampedBatch` in a shard's group, a `MetaCommand` in the
/// meta group.
#[derive(Clone, PartialEq, Eq)]
pub struct Proposal(Bytes);

/// Definite: the bytes entered no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too large for one entry: {0} bytes, at most {ENTRY_BYTES}")]
pub struct TooLarge(pub usize);

impl Proposal {
    /// The only way into a log. No entry is larger than the layers below carry.
    pub fn new(bytes: Bytes) -> Result<Proposal, TooLarge> {
        if bytes.len() > ENTRY_BYTES { Err(TooLarge(bytes.len())) } else { Ok(Proposal(bytes)) }
    }

    /// An entry from a log. An earlier version may have proposed up to `OLD_ENTRY_BYTES`.
    pub fn logged(bytes: Bytes) -> Proposal {
        Proposal(bytes)
    }

    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// The result of applying one entry.
#[derive(Clone, Debug)]
pub enum Applied {
    /// A blank entry or a membership.
    Nothing,
    Outcomes(Vec<Outcome>),
    Meta(Result<NodeId, String>),
    /// A part of a backup.
    Restored(Result<(), Refusal>),
}

/// The number of a Raft group, on disk and on the wire. Zero is the meta group; the group of a
/// shard is one above the shard's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(pub u32);

impl GroupId {
    pub const META: GroupId = GroupId(0);

    pub fn of(shard: ShardId) -> GroupId {
        GroupId(shard.0 + 1)
    }

    /// `None` for the meta group.
    pub fn shard(self) -> Option<ShardId> {
        self.0.checked_sub(1).map(ShardId)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shard() {
            Some(shard) => write!(f, "shard {shard}"),
            None => f.write_str("meta"),
        }
    }
}

/// The epoch of a replica that leads and is writable: a majority has acked it in its term.
pub fn led_epoch(metrics: &Metrics) -> Option<Epoch> {
    let writable = metrics.state == ServerState::Leader && metrics.last_quorum_acked.is_some();
    writable.then_some(Epoch(metrics.current_term))
}

/// The node that hosts a member.
pub fn node_of(metrics: &Metrics, replica: u64) -> Option<NodeId> {
    metrics.membership_config.get_node(&replica).map(|home| home.0)
}
