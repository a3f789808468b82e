//! Commands of the meta group.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::level::Range;
use troupe_core::{Level, NodeId, ShardId};

use crate::api::{Addresses, ChangeSettings, LoginPolicy, NodeState, Settings};
use crate::level::InForce;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaCommand {
    /// Creates the cluster. No effect if it exists already.
    Found {
        cluster_id: [u8; 16],
        shards: u32,
        replication: u32,
        login_policy: LoginPolicy,
        settings: Settings,
        /// The level that all founders support.
        in_force: InForce,
        nodes: BTreeMap<NodeId, Addresses>,
    },
    /// A newcomer asks for an id. The same request gets the same id.
    AddNode {
        request: [u8; 16],
        addresses: Addresses,
        levels: Range,
    },
    /// A node announces its present addresses.
    UpdateNode(NodeId, Addresses),
    /// Only for the placement of that version.
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
    /// The shard's members are the target of the move.
    FinishMove {
        shard: ShardId,
        number: u64,
    },
    CancelMove {
        shard: ShardId,
        number: u64,
    },
    /// Changes the intended state of a node, and the replication of the cluster in the same step.
    SetNode {
        node: NodeId,
        state: NodeState,
        replication: Option<u32>,
    },
    /// Removes an emptied node.
    RemoveNode(NodeId),
    /// The cluster continues with the content of another one, of which devices may have seen more.
    Adopt {
        history: u64,
        origin: [u8; 16],
    },
    /// An administrator changes settings.
    ChangeSettings(ChangeSettings),
    /// Every one of these members has announced that it supports the level.
    RaiseLevel {
        to: InForce,
        nodes: BTreeSet<NodeId>,
    },
}

impl MetaCommand {
    /// The lowest feature level at which all members apply the command alike.
    pub fn level(&self) -> Level {
        match self {
            MetaCommand::ChangeSettings(_) | MetaCommand::Adopt { .. } => Level::SECOND,
            // No level precedes the creation of a cluster. A raise is proposed only when every
            // member knows levels.
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
