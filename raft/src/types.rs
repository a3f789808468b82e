//! The one type configuration that all groups share, and short names for what openraft builds from
//! it.
//!
//! A shard's group and the meta group differ only in what applies their entries, so a proposal is
//! bytes here and [`crate::applier`] knows what they mean. Encodings are in [`crate::codec`].

use std::fmt;

use bytes::Bytes;
use openraft::OptionalSend;
use openraft::impls::leader_id_std::LeaderId;
use openraft::impls::{BoxedErrorSource, InlineBatch, OneshotResponder};
use openraft::vote::RaftLeaderId;
use troupe_core::limits::ENTRY_BYTES;
use troupe_core::{NodeId, ShardId};
use troupe_store::rows::Refusal;

use crate::cluster::Outcome;
use crate::state_machine::StateMachine;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Types;

impl openraft::RaftTypeConfig for Types {
    type D = Proposal;
    type R = Applied;
    type NodeId = u64;
    type Node = Home;
    type Term = u64;
    /// Standard Raft: one leader per term, so that a term can serve as the epoch of a leadership.
    type LeaderId = LeaderId<u64, u64>;
    type Vote = openraft::Vote<Self::LeaderId>;
    type Payload = Payload;
    type Entry = openraft::Entry<<Self::LeaderId as RaftLeaderId>::Committed, Payload>;
    /// The seam of simulation: this runtime's only randomness (election timeouts) comes from
    /// `getrandom`, which the simulation's binary replaces by a seeded one.
    type AsyncRuntime = openraft_rt_tokio::TokioRuntime;
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

pub type Raft = openraft::Raft<Types, StateMachine>;
pub type LogId = openraft::alias::LogIdOf<Types>;
pub type Vote = openraft::alias::VoteOf<Types>;
pub type Entry = openraft::alias::EntryOf<Types>;
pub type Payload = openraft::EntryPayload<Proposal, u64, Home>;
pub type Membership = openraft::Membership<u64, Home>;
pub type StoredMembership = openraft::alias::StoredMembershipOf<Types>;
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<Types>;
pub type Metrics = openraft::RaftMetrics<Types>;

/// The server on which a replica lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Home(pub NodeId);

/// What one entry carries: an encoded `StampedBatch` in a shard's group, a `MetaCommand` in the
/// meta group.
#[derive(Clone, PartialEq, Eq)]
pub struct Proposal(Bytes);

/// Definite: the bytes entered no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too large for one entry: {0} bytes, and {ENTRY_BYTES} are the most")]
pub struct TooLarge(pub usize);

impl Proposal {
    /// The only way into a log, so that no entry is larger than the layers below carry.
    pub fn new(bytes: Bytes) -> Result<Proposal, TooLarge> {
        if bytes.len() > ENTRY_BYTES { Err(TooLarge(bytes.len())) } else { Ok(Proposal(bytes)) }
    }

    /// Out of a log, to which an earlier version may have proposed up to `OLD_ENTRY_BYTES`.
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

/// What applying one entry gave.
#[derive(Clone, Debug)]
pub enum Applied {
    /// A blank entry or a membership.
    Nothing,
    Outcomes(Vec<Outcome>),
    Meta(Result<NodeId, String>),
    /// A part of a backup.
    Restored(Result<(), Refusal>),
}

/// Number of a Raft group, on disk and on the wire: zero is the meta group, a shard's is one above
/// its number.
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
