//! The routing table: who is where. Kept up to date by [`crate::routing`], read by everything above
//! this crate.

use std::collections::BTreeMap;

use troupe_core::{Epoch, Level, NodeId, ShardId, ShardMap, Slot};

use super::LoginPolicy;
use crate::address::Reach;
use crate::meta::{NodeState, Settings};

/// Who is where, as this node knows it now. Versioned by the meta group; leaders are hints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    pub shards: Option<ShardMap>,
    pub login_policy: LoginPolicy,
    pub settings: Settings,
    /// The feature level in force.
    pub level: Level,
    /// Which history the content is of, and the clusters that it was of before: see
    /// [`crate::meta::MetaState`].
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
    /// What is meant to become of it.
    pub state: NodeState,
}

impl NodeInfo {
    /// Where clients may be sent; `None` if this node has no address for them, or one of an earlier
    /// version that leads nowhere.
    pub fn for_clients(&self) -> Option<&str> {
        let address = self.client_address.as_str();
        (Reach::of(address) != Reach::Unspecified).then_some(address)
    }
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

    /// Whether this node and those that it reaches are fewer than the others, which go on without
    /// it. Of two halves none is.
    pub fn is_cut_off(&self) -> bool {
        let here = self.nodes.values().filter(|node| node.id == self.me || node.reachable).count();
        2 * here < self.nodes.len()
    }

    /// Where clients may go instead of here: to those that go on, so from a node that is cut off to
    /// those that it does not reach.
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

    /// Node 1 of so many, which reaches those.
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
