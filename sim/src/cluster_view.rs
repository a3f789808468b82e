//! A view of the membership, merged from all running nodes: the newest table, and for each group
//! the report of its latest leader.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use troupe_core::{NodeId, ShardId};
use troupe_raft::Routing;
use troupe_raft::api::NodeState;
use troupe_raft::cluster::Voting;

use crate::machines::{Machines, REPLICATION, cluster_address, name};

/// Voters of the meta group for a number of active nodes, as in `docs/operations.md`.
fn meta_voters(active: usize) -> usize {
    match active {
        4 => 3,
        _ => active.min(5),
    }
}

pub struct ClusterView {
    newest: Option<Arc<Routing>>,
    /// By group; `None` is the meta group.
    voting: BTreeMap<Option<ShardId>, Voting>,
    /// The machine whose disk holds each node's data.
    disks: BTreeMap<NodeId, usize>,
    /// Machines with a running node that publishes its view.
    running: Vec<usize>,
}

impl ClusterView {
    pub fn of(machines: &Machines) -> ClusterView {
        let mut voting: BTreeMap<Option<ShardId>, Voting> = BTreeMap::new();
        let (mut disks, mut running) = (BTreeMap::new(), Vec::new());
        for machine in 0..machines.len() {
            disks.extend(machines.identity(machine).map(|node| (node, machine)));
            let Some(inspection) = machines.inspect(machine) else { continue };
            running.push(machine);
            for said in inspection.voting {
                if voting.get(&said.shard).is_none_or(|known| known.epoch < said.epoch) {
                    voting.insert(said.shard, said);
                }
            }
        }
        ClusterView { newest: machines.newest(), voting, disks, running }
    }

    /// Machines that run a node of the cluster.
    pub fn running(&self) -> Vec<usize> {
        self.running.clone()
    }

    pub fn state(&self, node: NodeId) -> Option<NodeState> {
        Some(self.newest.as_ref()?.nodes.get(&node)?.state)
    }

    /// Whether any node knows that this one has left the cluster.
    pub fn is_gone(&self, node: NodeId) -> bool {
        self.newest.as_ref().is_some_and(|table| !table.nodes.contains_key(&node))
    }

    pub fn nodes(&self, state: NodeState) -> Vec<NodeId> {
        let nodes = self.newest.iter().flat_map(|table| table.nodes.values());
        nodes.filter(|node| node.state == state).map(|node| node.id).collect()
    }

    /// Machines that hold the data of a member, on or off.
    pub fn members(&self) -> Vec<usize> {
        self.disks.iter().filter(|(node, _)| self.state(**node).is_some()).map(|(_, machine)| *machine).collect()
    }

    pub fn is_member(&self, machine: usize) -> bool {
        self.members().contains(&machine)
    }

    pub fn addresses(&self) -> Vec<String> {
        self.members().into_iter().map(cluster_address).collect()
    }

    pub fn leaders(&self) -> impl Iterator<Item = usize> + '_ {
        self.newest
            .iter()
            .flat_map(|table| table.placement.values())
            .filter_map(|place| self.disks.get(&place.leader?).copied())
    }

    /// The meta group and all shards.
    fn groups(&self) -> Vec<Option<ShardId>> {
        let shards = self.newest.iter().flat_map(|table| table.placement.keys()).map(|shard| Some(*shard));
        std::iter::once(None).chain(shards).collect()
    }

    /// Whether any group counts this node as a voter, or may do so.
    pub fn may_count_on(&self, node: NodeId) -> bool {
        self.newest.is_none()
            || self.groups().iter().any(|group| {
                self.voting.get(group).is_none_or(|voting| !voting.agreed || voting.voters.contains(&node))
            })
    }

    /// Whether each group keeps a majority of its voters, and all their disks, without this node.
    pub fn may_lose(&self, node: NodeId) -> bool {
        self.newest.is_some()
            && self.groups().iter().all(|group| {
                self.voting.get(group).is_some_and(|Voting { agreed, voters, .. }| {
                    let left = voters.iter().filter(|voter| **voter != node).count();
                    *agreed && voters.iter().all(|voter| self.disks.contains_key(voter)) && 2 * left > voters.len()
                })
            })
    }

    /// The missing steps until every shard has all its voters, on working nodes that have caught
    /// up.
    pub fn waits(&self, machines: &Machines) -> Vec<String> {
        let Some(table) = &self.newest else { return vec!["no node knows the cluster".to_owned()] };
        let mut waits = Vec::new();
        for machine in machines.present() {
            let node = machines.identity(machine);
            if !self.running.contains(&machine) || node.is_none_or(|node| !table.nodes.contains_key(&node)) {
                waits.push(format!("{} is node {node:?} and is not a member", name(machine)));
            }
            if let Some(inspection) = machines.inspect(machine).filter(|it| !alike(&it.routing, table)) {
                waits.push(format!("{} has an old table: {}", name(machine), inspection.meta_applied));
            }
        }
        for node in table.nodes.values() {
            if matches!(node.state, NodeState::Leaving { .. } | NodeState::Lost) {
                waits.push(format!("node {} is {:?}", node.id, node.state));
            }
        }
        let active: BTreeSet<NodeId> = self.nodes(NodeState::Active).into_iter().collect();
        for group in self.groups() {
            let what = group.map_or_else(|| "the meta group".to_owned(), |shard| format!("shard {shard}"));
            let Some(Voting { voters, agreed, behind, .. }) = self.voting.get(&group) else {
                waits.push(format!("{what} has no leader"));
                continue;
            };
            let place = group.and_then(|shard| table.placement.get(&shard));
            let wanted = if group.is_some() { active.len().min(REPLICATION) } else { meta_voters(active.len()) };
            if !agreed || voters.len() != wanted || !voters.is_subset(&active) {
                waits.push(format!("{what} has voters {voters:?}, agreed: {agreed}, active nodes {active:?}"));
            }
            if let Some(place) = place
                && (place.moving.is_some() || place.nodes.iter().copied().collect::<BTreeSet<_>>() != *voters)
            {
                waits.push(format!("{what} is placed on {:?}, has voters {voters:?}, {:?}", place.nodes, place.moving));
            }
            if behind.values().any(|entries| *entries > 0) {
                waits.push(format!("{what} has replicas that are behind: {behind:?}"));
            }
        }
        waits
    }
}

/// Whether two tables agree on all decisions of the meta group.
fn alike(one: &Routing, other: &Routing) -> bool {
    let nodes = |table: &Routing| -> Vec<(NodeId, NodeState, String)> {
        table.nodes.values().map(|node| (node.id, node.state, node.cluster_address.clone())).collect()
    };
    let places = |table: &Routing| -> Vec<_> {
        table
            .placement
            .iter()
            .map(|(shard, place)| (*shard, place.version, place.nodes.clone(), place.moving))
            .collect()
    };
    nodes(one) == nodes(other) && places(one) == places(other)
}
