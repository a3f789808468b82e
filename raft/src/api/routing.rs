//! The routing table: which nodes hold and lead which shards. [`crate::control::routing`] maintains
//! it; everything above this crate reads it.

use std::collections::BTreeMap;

use troupe_core::{Epoch, Level, NodeId, ShardId, ShardMap, Slot};

use super::address::Reach;
use super::config::LoginPolicy;
use super::membership::NodeState;
use super::settings::Settings;

/// The placement as this node knows it now. The meta group versions it; leaders are hints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    pub shards: Option<ShardMap>,
    pub login_policy: LoginPolicy,
    pub settings: Settings,
    /// The feature level in force.
    pub level: Level,
    /// The history of the content, and the clusters that it belonged to before. See
    /// [`crate::control::meta::MetaState`].
    pub history: u64,
    pub continues: Vec<[u8; 16]>,
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
    /// The intended state of the node.
    pub state: NodeState,
}

impl NodeInfo {
    /// The address to which clients may be redirected. `None` if the node has none for them, or an
    /// unusable one of an earlier version.
    pub fn for_clients(&self) -> Option<&str> {
        let address = self.client_address.as_str();
        (Reach::of(address) != Reach::Unspecified).then_some(address)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardPlace {
    /// Nodes with a replica.
    pub nodes: Vec<NodeId>,
    /// The presumed leader and its term.
    pub leader: Option<NodeId>,
    pub epoch: Epoch,
    /// The number of finished moves of its replicas.
    pub version: u64,
    pub moving: Option<ShardMove>,
}

/// A move in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardMove {
    pub add: Option<NodeId>,
    pub remove: Option<NodeId>,
    /// The new replica has caught up, and the members change.
    pub promoted: bool,
}

impl Routing {
    pub fn shard(&self, slot: Slot) -> Option<ShardId> {
        self.shards.map(|map| map.shard(slot))
    }

    /// Whether a node is being emptied. Clients are better served by other nodes.
    pub fn leaves(&self, node: NodeId) -> bool {
        let state = self.nodes.get(&node).map(|node| node.state);
        matches!(state, Some(NodeState::Draining | NodeState::Leaving { .. }))
    }

    /// Whether this node and the nodes that it reaches are a minority. The majority continues
    /// without them. Neither of two halves is a minority.
    pub fn is_cut_off(&self) -> bool {
        let here = self.nodes.values().filter(|node| node.id == self.me || node.reachable).count();
        2 * here < self.nodes.len()
    }

    /// Nodes to which clients of this node may go. A node that is cut off names the nodes that it
    /// does not reach, because those continue.
    pub fn elsewhere(&self) -> Vec<String> {
        let goes_on = |node: &NodeInfo| node.reachable != self.is_cut_off();
        let others = self.nodes.values().filter(|node| node.id != self.me && goes_on(node) && !self.leaves(node.id));
        others.filter_map(|node| node.for_clients().map(str::to_owned)).collect()
    }

    pub fn leader(&self, shard: ShardId) -> Option<(NodeId, Epoch)> {
        let place = self.placement.get(&shard)?;
        place.leader.map(|leader| (leader, place.epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Node 1 of a cluster of `nodes`, which reaches the nodes in `reached`.
    fn seen(nodes: u64, reached: &[u64]) -> Routing {
        let node = |id| {
            let info = NodeInfo {
                id: NodeId(id),
                cluster_address: String::new(),
                client_address: format!("n{id}:7700"),
                http_address: String::new(),
                reachable: reached.contains(&id),
                state: NodeState::Active,
            };
            (NodeId(id), info)
        };
        Routing { me: NodeId(1), nodes: (1..=nodes).map(node).collect(), ..Routing::default() }
    }

    #[test]
    fn a_minority_is_cut_off_and_sends_clients_to_the_others() {
        assert!(seen(3, &[]).is_cut_off());
        assert_eq!(seen(3, &[]).elsewhere(), ["n2:7700", "n3:7700"]);
        assert!(seen(5, &[4]).is_cut_off());
        assert_eq!(seen(5, &[4]).elsewhere(), ["n2:7700", "n3:7700", "n5:7700"]);
    }

    #[test]
    fn no_client_is_sent_to_an_address_that_leads_nowhere() {
        let mut table = seen(3, &[2, 3]);
        for address in ["", "0.0.0.0:7700", "[::]:7700"] {
            table.nodes.get_mut(&NodeId(2)).unwrap().client_address = address.to_owned();
            assert_eq!(table.elsewhere(), ["n3:7700"], "{address}");
        }
    }

    #[test]
    fn a_majority_a_half_and_a_single_node_are_not() {
        for (nodes, reached) in [(0, &[][..]), (1, &[]), (2, &[]), (3, &[2]), (4, &[3]), (5, &[2, 4])] {
            assert!(!seen(nodes, reached).is_cut_off(), "{reached:?} of {nodes}");
        }
        assert_eq!(seen(3, &[2]).elsewhere(), ["n2:7700"]);
    }
}
