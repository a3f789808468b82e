//! The state on which the meta group agrees: the nodes and their intended states, the placement of
//! shards, the moves in progress, and the settings of the cluster. Pure: the same commands give the
//! same state on every node.
//!
//! [`super::plan`] chooses the moves, and [`super::wire`] encodes the state.

mod nodes;
mod recovered;

use std::collections::BTreeMap;

use troupe_core::{NodeId, ReplicaId, SLOTS, ShardId, ShardMap};

use super::command::MetaCommand;
use crate::api::{Addresses, LoginPolicy, NodeState, Settings};
use crate::level::InForce;

pub use nodes::removed_text;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaState {
    pub cluster_id: [u8; 16],
    /// `None` until the cluster is created.
    pub shards: Option<ShardMap>,
    pub login_policy: LoginPolicy,
    pub settings: Settings,
    /// The feature level, which only rises.
    pub in_force: InForce,
    pub nodes: BTreeMap<NodeId, Member>,
    /// Removed nodes, with their last cluster address.
    pub removed: BTreeMap<NodeId, String>,
    pub placement: BTreeMap<ShardId, Placement>,
    /// Replicas per shard to which the last order agreed. It decides which orders are allowed.
    pub replication: u32,
    /// Replicas that each shard should have when there are enough nodes. An order that accepts
    /// fewer because it leaves fewer nodes does not change it, so the copies return with the nodes.
    /// It decides about no command: versions that do not know it must decide alike.
    pub target: u32,
    /// The history of the content: a new number when a cluster continues from less than devices may
    /// have seen, after a restore or a recovery. 0 until then. Devices compare it.
    pub history: u64,
    /// Clusters whose content this one continued, oldest first; the last [`CONTINUES`].
    pub continues: Vec<[u8; 16]>,
    /// Admitted requests, and their node ids.
    pub(super) admitted: BTreeMap<[u8; 16], NodeId>,
    pub(super) last_node: u64,
    pub(super) last_replica: u64,
    pub(super) last_move: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    pub addresses: Addresses,
    pub state: NodeState,
}

/// The placement of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    pub replicas: Vec<(NodeId, ReplicaId)>,
    /// Counts the finished moves; at 0 the shard is where it was created.
    pub version: u64,
    pub moving: Option<Move>,
}

/// A replica that is added, one that is removed, or one that replaces another. It begins as a
/// learner and may be cancelled until it is promoted. Then each leader of the shard drives it to
/// its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub number: u64,
    pub add: Option<(NodeId, ReplicaId)>,
    pub remove: Option<(NodeId, ReplicaId)>,
    pub promoted: bool,
}

impl Placement {
    /// The replicas when the move in progress is done.
    pub fn target(&self) -> Vec<(NodeId, ReplicaId)> {
        let Some(moving) = &self.moving else { return self.replicas.clone() };
        let stay = self.replicas.iter().filter(|replica| Some(**replica) != moving.remove);
        stay.copied().chain(moving.add).collect()
    }

    /// All replicas that may exist now: those of the placement, and the one being added.
    pub fn everyone(&self) -> impl Iterator<Item = (NodeId, ReplicaId)> + '_ {
        self.replicas.iter().copied().chain(self.moving.as_ref().and_then(|moving| moving.add))
    }

    pub fn replica(&self, node: NodeId) -> Option<ReplicaId> {
        self.everyone().find(|(at, _)| *at == node).map(|(_, replica)| replica)
    }
}

/// Remembered clusters that this one continued. Beyond them the oldest is forgotten: its devices
/// start over.
pub const CONTINUES: usize = 16;

impl MetaState {
    pub fn is_born(&self) -> bool {
        self.shards.is_some()
    }

    /// The replica that a node has, or is about to have.
    pub fn replica(&self, shard: ShardId, node: NodeId) -> Option<ReplicaId> {
        self.placement.get(&shard)?.replica(node)
    }

    /// Whether a replica of this id was ever allocated. An allocated replica that this state does
    /// not name has ended.
    pub fn has_handed_out(&self, replica: ReplicaId) -> bool {
        replica.0 <= self.last_replica
    }

    /// Nodes that may receive replicas.
    pub fn active(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().filter(|(_, member)| member.state == NodeState::Active).map(|(id, _)| *id)
    }

    pub fn is_active(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|member| member.state == NodeState::Active)
    }

    /// Whether a node is present or expected to return.
    pub fn counts_on(&self, node: NodeId) -> bool {
        let state = self.nodes.get(&node).map(|member| member.state);
        matches!(state, Some(NodeState::Active | NodeState::Draining))
    }

    /// Whether the node that this request created was removed since.
    pub fn was_removed(&self, request: &[u8; 16]) -> bool {
        self.admitted.get(request).is_some_and(|node| self.removed.contains_key(node))
    }

    /// Replicas per shard below which an order must not go implicitly, with this many active nodes.
    fn agreed_copies(&self, active: usize) -> usize {
        (self.replication as usize).clamp(1, active.max(1))
    }

    /// Replicas that each shard should have now, with this many active nodes.
    pub fn copies(&self, active: usize) -> usize {
        (self.target as usize).clamp(1, active.max(1))
    }

    /// Shards of which a node holds, receives or still keeps a replica.
    pub fn shards_on(&self, node: NodeId) -> usize {
        self.placement.values().filter(|place| place.replica(node).is_some()).count()
    }

    /// Returns the node that the command concerns, or a refusal.
    pub fn apply(&mut self, command: MetaCommand) -> Result<NodeId, String> {
        if !self.is_born() && !matches!(command, MetaCommand::Found { .. }) {
            return Err("the cluster is not created yet".to_owned());
        }
        const NOBODY: NodeId = NodeId(0);
        match command {
            MetaCommand::Found { cluster_id, shards, replication, login_policy, settings, in_force, nodes } => {
                if !self.is_born() {
                    self.settings = settings;
                    self.in_force = in_force;
                    self.found(cluster_id, shards, replication, login_policy, nodes);
                }
                Ok(NOBODY)
            }
            MetaCommand::AddNode { request, addresses, levels } => {
                // Checked here, because the level may have risen since the leader checked it.
                self.in_force.refusal(levels).map_or(Ok(()), Err)?;
                self.admit(request, addresses)
            }
            MetaCommand::UpdateNode(id, addresses) => {
                self.member(id)?.addresses = addresses;
                Ok(id)
            }
            MetaCommand::BeginMove { shard, version, add, remove } => {
                self.begin_move(shard, version, add, remove).map(|()| NOBODY)
            }
            MetaCommand::PromoteMove { shard, number } => {
                self.moving(shard, number)?.promoted = true;
                Ok(NOBODY)
            }
            MetaCommand::FinishMove { shard, number } => {
                if !self.moving(shard, number)?.promoted {
                    return Err(format!("move {number} of shard {shard} was not promoted"));
                }
                if let Some(place) = self.placement.get_mut(&shard) {
                    place.replicas = place.target();
                    place.moving = None;
                    place.version += 1;
                }
                Ok(NOBODY)
            }
            MetaCommand::CancelMove { shard, number } => {
                if self.moving(shard, number)?.promoted {
                    return Err(format!("move {number} of shard {shard} cannot be cancelled any more"));
                }
                if let Some(place) = self.placement.get_mut(&shard) {
                    place.moving = None;
                }
                Ok(NOBODY)
            }
            MetaCommand::SetNode { node, state, replication } => self.set_node(node, state, replication),
            MetaCommand::RemoveNode(node) => self.remove_node(node),
            MetaCommand::Adopt { history, origin } => {
                if history != self.history {
                    self.history = history;
                    self.continues.retain(|cluster| *cluster != origin);
                    self.continues.push(origin);
                    let oldest = self.continues.len().saturating_sub(CONTINUES);
                    self.continues.drain(..oldest);
                }
                Ok(NOBODY)
            }
            MetaCommand::ChangeSettings(change) => {
                self.settings.change(change);
                Ok(NOBODY)
            }
            MetaCommand::RaiseLevel { to, nodes } => {
                if to.level > self.in_force.level {
                    if let Some(other) = self.nodes.keys().find(|node| !nodes.contains(node)) {
                        return Err(format!("node {other} has joined meanwhile: ask again"));
                    }
                    self.in_force = to;
                }
                Ok(NOBODY)
            }
        }
    }

    fn member(&mut self, node: NodeId) -> Result<&mut Member, String> {
        let refusal = self.unknown(node);
        self.nodes.get_mut(&node).ok_or(refusal)
    }

    /// Explains why a node does not exist.
    pub fn unknown(&self, node: NodeId) -> String {
        if self.removed.contains_key(&node) {
            return format!("node {node} was removed from this cluster");
        }
        let known: Vec<String> = self.nodes.keys().map(NodeId::to_string).collect();
        format!("node {node} is not in this cluster; its nodes are {}", known.join(", "))
    }

    fn moving(&mut self, shard: ShardId, number: u64) -> Result<&mut Move, String> {
        let moving = self.placement.get_mut(&shard).and_then(|place| place.moving.as_mut());
        moving
            .filter(|moving| moving.number == number)
            .ok_or_else(|| format!("move {number} of shard {shard} is not in progress"))
    }

    fn begin_move(
        &mut self,
        shard: ShardId,
        version: u64,
        add: Option<NodeId>,
        remove: Option<NodeId>,
    ) -> Result<(), String> {
        if let Some(node) = add.filter(|node| !self.is_active(*node)) {
            return Err(format!("node {node} takes no replicas"));
        }
        let place = self.placement.get_mut(&shard).ok_or_else(|| format!("there is no shard {shard}"))?;
        if place.version != version || place.moving.is_some() {
            return Err(format!("shard {shard} has moved meanwhile"));
        }
        let removed = remove.and_then(|node| place.replicas.iter().find(|(at, _)| *at == node).copied());
        let holds = add.is_some_and(|node| place.replica(node).is_some());
        let leaves = place.replicas.len() + usize::from(add.is_some()) - usize::from(removed.is_some());
        if holds || removed.is_some() != remove.is_some() || (add, remove) == (None, None) || leaves == 0 {
            return Err(format!("shard {shard} cannot move like that"));
        }
        let add = add.map(|node| {
            self.last_replica += 1;
            (node, ReplicaId(self.last_replica))
        });
        self.last_move += 1;
        place.moving = Some(Move { number: self.last_move, add, remove: removed, promoted: false });
        Ok(())
    }

    /// Shard g is placed on the nodes g, g+1, ... in a ring, of which the first begins as its
    /// leader.
    fn found(
        &mut self,
        cluster_id: [u8; 16],
        shards: u32,
        replication: u32,
        login_policy: LoginPolicy,
        nodes: BTreeMap<NodeId, Addresses>,
    ) {
        let map = ShardMap { count: shards.clamp(1, u32::from(SLOTS)) };
        let ids: Vec<NodeId> = nodes.keys().copied().collect();
        let copies = (replication as usize).clamp(1, ids.len().max(1));
        self.cluster_id = cluster_id;
        self.login_policy = login_policy;
        self.replication = replication;
        self.target = replication;
        self.last_node = ids.iter().map(|id| id.0).max().unwrap_or(0);
        self.nodes =
            nodes.into_iter().map(|(id, addresses)| (id, Member { addresses, state: NodeState::Active })).collect();
        for shard in map.shards() {
            let round = ids.iter().cycle().skip(shard.0 as usize % ids.len().max(1)).take(copies.min(ids.len()));
            let replicas = round.map(|node| {
                self.last_replica += 1;
                (*node, ReplicaId(self.last_replica))
            });
            self.placement.insert(shard, Placement { replicas: replicas.collect(), ..Placement::default() });
        }
        self.shards = Some(map);
    }
}

#[cfg(test)]
mod tests;
