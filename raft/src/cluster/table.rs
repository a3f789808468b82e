//! The routing table: who is where. Kept up to date by [`crate::routing`], read by everything above this crate.

use std::collections::BTreeMap;

use troupe_core::{Epoch, NodeId, ShardId, ShardMap, Slot};

use super::LoginPolicy;
use crate::meta::NodeState;

/// Who is where, as this node knows it now. Versioned by the meta group; leaders are hints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    pub shards: Option<ShardMap>,
    pub login_policy: LoginPolicy,
    pub nodes: BTreeMap<NodeId, NodeInfo>,
    pub placement: BTreeMap<ShardId, ShardPlace>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    pub id: NodeId,
    pub cluster_address: String,
    pub client_address: String,
    pub http_address: String,
    /// Whether this node's Raft connections reach it now.
    pub reachable: bool,
    /// What is meant to become of it.
    pub state: NodeState,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardPlace {
    /// Nodes with a replica.
    pub nodes: Vec<NodeId>,
    /// The leader this node believes in, and its term.
    pub leader: Option<NodeId>,
    pub epoch: Epoch,
    /// How often its replicas have moved.
    pub version: u64,
    pub moving: Option<ShardMove>,
}

/// A move under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardMove {
    pub add: Option<NodeId>,
    pub remove: Option<NodeId>,
    /// The newcomer has caught up, and the members change.
    pub promoted: bool,
}

impl Routing {
    pub fn shard(&self, slot: Slot) -> Option<ShardId> {
        self.shards.map(|map| map.shard(slot))
    }

    /// Whether this node is to be emptied: clients are better served elsewhere.
    pub fn leaves(&self, node: NodeId) -> bool {
        let state = self.nodes.get(&node).map(|node| node.state);
        matches!(state, Some(NodeState::Draining | NodeState::Leaving { .. }))
    }

    /// Where clients may go instead of here.
    pub fn elsewhere(&self) -> Vec<String> {
        let others = self.nodes.values().filter(|node| node.id != self.me && node.reachable && !self.leaves(node.id));
        others.map(|node| node.client_address.clone()).collect()
    }

    pub fn leader(&self, shard: ShardId) -> Option<(NodeId, Epoch)> {
        let place = self.placement.get(&shard)?;
        place.leader.map(|leader| (leader, place.epoch))
    }
}
