//! What may be asked of the meta group.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::level::Range;
use troupe_core::{Level, NodeId, ShardId};

use super::settings::{ChangeSettings, Settings};
use super::state::{Addresses, NodeState};
use crate::cluster::LoginPolicy;
use crate::level::InForce;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaCommand {
    /// The birth. Nothing if the cluster is born already.
    Found {
        cluster_id: [u8; 16],
        shards: u32,
        replication: u32,
        login_policy: LoginPolicy,
        settings: Settings,
        /// That all founders support.
        in_force: InForce,
        nodes: BTreeMap<NodeId, Addresses>,
    },
    /// A newcomer asks for an id. The same request gets the same one.
    AddNode {
        request: [u8; 16],
        addresses: Addresses,
        levels: Range,
    },
    /// A node tells where it is now.
    UpdateNode(NodeId, Addresses),
    /// For the placement of that version, or not at all.
    BeginMove {
        shard: ShardId,
        version: u64,
        add: Option<NodeId>,
        remove: Option<NodeId>,
    },
    /// The shard's leader is about to change its members.
    PromoteMove {
        shard: ShardId,
        number: u64,
    },
    /// The shard's members are what the move wanted.
    FinishMove {
        shard: ShardId,
        number: u64,
    },
    CancelMove {
        shard: ShardId,
        number: u64,
    },
    /// Means something else with a node, and may change the replication of the cluster in the same
    /// step.
    SetNode {
        node: NodeId,
        state: NodeState,
        replication: Option<u32>,
    },
    /// Out for ever; only a node on which nothing is left.
    RemoveNode(NodeId),
    /// The cluster goes on with the content of another one, of which devices may have seen more.
    Adopt {
        history: u64,
        origin: [u8; 16],
    },
    /// An administrator wants the cluster otherwise.
    ChangeSettings(ChangeSettings),
    /// Every one of these members has said that it supports the level.
    RaiseLevel {
        to: InForce,
        nodes: BTreeSet<NodeId>,
    },
}

impl MetaCommand {
    /// The lowest feature level at which every member applies it alike.
    pub fn level(&self) -> Level {
        match self {
            MetaCommand::ChangeSettings(_) | MetaCommand::Adopt { .. } => Level::SECOND,
            // A birth has no level before it; and a rise is proposed only where every member knows
            // levels.
            MetaCommand::Found { .. } | MetaCommand::RaiseLevel { .. } => Level::FIRST,
            MetaCommand::AddNode { .. }
            | MetaCommand::UpdateNode(..)
            | MetaCommand::BeginMove { .. }
            | MetaCommand::PromoteMove { .. }
            | MetaCommand::FinishMove { .. }
            | MetaCommand::CancelMove { .. }
            | MetaCommand::SetNode { .. }
            | MetaCommand::RemoveNode(_) => Level::FIRST,
        }
    }
}
