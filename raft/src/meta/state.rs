//! What the meta group agrees on: the nodes, which of them hold which shard, and the settings that a cluster is born with.
//! Pure: the same commands give the same state on every node.

use std::collections::BTreeMap;

use troupe_core::{NodeId, ReplicaId, SLOTS, ShardId, ShardMap};
use troupe_proto::wire::raft as wire;

use crate::cluster::LoginPolicy;
use crate::codec::Undecodable;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaState {
    pub cluster_id: [u8; 16],
    /// `None` until the cluster is born.
    pub shards: Option<ShardMap>,
    pub login_policy: LoginPolicy,
    pub nodes: BTreeMap<NodeId, Addresses>,
    pub placement: BTreeMap<ShardId, Vec<(NodeId, ReplicaId)>>,
    /// Which requests have been admitted as what.
    admitted: BTreeMap<[u8; 16], NodeId>,
    replication: u32,
    last_node: u64,
    last_replica: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub cluster: String,
    pub client: String,
    pub http: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaCommand {
    /// The birth. Nothing if the cluster is born already.
    Found {
        cluster_id: [u8; 16],
        shards: u32,
        replication: u32,
        login_policy: LoginPolicy,
        nodes: BTreeMap<NodeId, Addresses>,
    },
    /// A newcomer asks for an id. The same request gets the same one.
    AddNode { request: [u8; 16], addresses: Addresses },
    /// A node tells where it is now.
    UpdateNode(NodeId, Addresses),
}

impl MetaState {
    pub fn is_born(&self) -> bool {
        self.shards.is_some()
    }

    pub fn replica(&self, shard: ShardId, node: NodeId) -> Option<ReplicaId> {
        let replicas = self.placement.get(&shard)?;
        replicas.iter().find(|(at, _)| *at == node).map(|(_, replica)| *replica)
    }

    /// Answers with the node that the command was about, or with a refusal.
    pub fn apply(&mut self, command: MetaCommand) -> Result<NodeId, String> {
        match command {
            MetaCommand::Found { cluster_id, shards, replication, login_policy, nodes } => {
                if !self.is_born() {
                    self.found(cluster_id, shards, replication, login_policy, nodes);
                }
                Ok(NodeId(0))
            }
            MetaCommand::AddNode { .. } | MetaCommand::UpdateNode(..) if !self.is_born() => {
                Err("the cluster is not born yet".to_owned())
            }
            MetaCommand::AddNode { request, addresses } => {
                let id = *self.admitted.entry(request).or_insert_with(|| {
                    self.last_node += 1;
                    NodeId(self.last_node)
                });
                self.nodes.insert(id, addresses);
                Ok(id)
            }
            MetaCommand::UpdateNode(id, addresses) => match self.nodes.get_mut(&id) {
                Some(held) => {
                    *held = addresses;
                    Ok(id)
                }
                None => Err(format!("node {id} is not in this cluster")),
            },
        }
    }

    /// Shard g lives on the nodes g, g+1, ... in a round, the first of which begins as its leader.
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
        self.last_node = ids.iter().map(|id| id.0).max().unwrap_or(0);
        self.nodes = nodes;
        for shard in map.shards() {
            let round = ids.iter().cycle().skip(shard.0 as usize % ids.len().max(1)).take(copies.min(ids.len()));
            let replicas = round.map(|node| {
                self.last_replica += 1;
                (*node, ReplicaId(self.last_replica))
            });
            self.placement.insert(shard, replicas.collect());
        }
        self.shards = Some(map);
    }
}

fn policy_out(policy: LoginPolicy) -> u32 {
    match policy {
        LoginPolicy::Replace => 0,
        LoginPolicy::Refuse => 1,
    }
}

fn policy_in(policy: u32) -> Result<LoginPolicy, Undecodable> {
    match policy {
        0 => Ok(LoginPolicy::Replace),
        1 => Ok(LoginPolicy::Refuse),
        _ => Err(Undecodable("login policy")),
    }
}

fn node_out(id: NodeId, addresses: &Addresses) -> wire::MetaNode {
    wire::MetaNode {
        id: id.0,
        cluster_address: addresses.cluster.clone(),
        client_address: addresses.client.clone(),
        http_address: addresses.http.clone(),
    }
}

fn node_in(node: wire::MetaNode) -> (NodeId, Addresses) {
    let addresses = Addresses { cluster: node.cluster_address, client: node.client_address, http: node.http_address };
    (NodeId(node.id), addresses)
}

fn id(bytes: &[u8]) -> Result<[u8; 16], Undecodable> {
    bytes.try_into().map_err(|_| Undecodable("id of 16 bytes"))
}

impl From<&MetaState> for wire::MetaState {
    fn from(state: &MetaState) -> Self {
        let place = |(shard, replicas): (&ShardId, &Vec<(NodeId, ReplicaId)>)| wire::MetaPlace {
            shard: shard.0,
            replicas: replicas
                .iter()
                .map(|(node, replica)| wire::MetaReplica { node: node.0, replica: replica.0 })
                .collect(),
        };
        wire::MetaState {
            cluster_id: state.cluster_id.to_vec().into(),
            shards: state.shards.map_or(0, |map| map.count),
            replication: state.replication,
            login_policy: policy_out(state.login_policy),
            nodes: state.nodes.iter().map(|(id, addresses)| node_out(*id, addresses)).collect(),
            admitted: state
                .admitted
                .iter()
                .map(|(request, node)| wire::MetaAdmission { request: request.to_vec().into(), node: node.0 })
                .collect(),
            placement: state.placement.iter().map(place).collect(),
            last_node: state.last_node,
            last_replica: state.last_replica,
        }
    }
}

impl TryFrom<wire::MetaState> for MetaState {
    type Error = Undecodable;

    fn try_from(state: wire::MetaState) -> Result<Self, Undecodable> {
        let place = |place: wire::MetaPlace| {
            let replicas = place.replicas.iter().map(|r| (NodeId(r.node), ReplicaId(r.replica))).collect();
            (ShardId(place.shard), replicas)
        };
        Ok(MetaState {
            cluster_id: id(&state.cluster_id)?,
            shards: Some(ShardMap { count: state.shards }).filter(|map| (1..=u32::from(SLOTS)).contains(&map.count)),
            login_policy: policy_in(state.login_policy)?,
            nodes: state.nodes.into_iter().map(node_in).collect(),
            admitted: state
                .admitted
                .into_iter()
                .map(|admission| Ok((id(&admission.request)?, NodeId(admission.node))))
                .collect::<Result<_, Undecodable>>()?,
            placement: state.placement.into_iter().map(place).collect(),
            replication: state.replication,
            last_node: state.last_node,
            last_replica: state.last_replica,
        })
    }
}

impl From<&MetaCommand> for wire::MetaCommand {
    fn from(command: &MetaCommand) -> Self {
        use wire::meta_command::Command;
        let command = match command {
            MetaCommand::Found { cluster_id, shards, replication, login_policy, nodes } => {
                Command::Found(wire::MetaState {
                    cluster_id: cluster_id.to_vec().into(),
                    shards: *shards,
                    replication: *replication,
                    login_policy: policy_out(*login_policy),
                    nodes: nodes.iter().map(|(id, addresses)| node_out(*id, addresses)).collect(),
                    ..Default::default()
                })
            }
            MetaCommand::AddNode { request, addresses } => Command::AddNode(wire::MetaAddNode {
                request: request.to_vec().into(),
                node: Some(node_out(NodeId(0), addresses)),
            }),
            MetaCommand::UpdateNode(id, addresses) => Command::UpdateNode(node_out(*id, addresses)),
        };
        wire::MetaCommand { command: Some(command) }
    }
}

impl TryFrom<wire::MetaCommand> for MetaCommand {
    type Error = Undecodable;

    fn try_from(command: wire::MetaCommand) -> Result<Self, Undecodable> {
        use wire::meta_command::Command;
        Ok(match command.command.ok_or(Undecodable("meta command"))? {
            Command::Found(found) => MetaCommand::Found {
                cluster_id: id(&found.cluster_id)?,
                shards: found.shards,
                replication: found.replication,
                login_policy: policy_in(found.login_policy)?,
                nodes: found.nodes.into_iter().map(node_in).collect(),
            },
            Command::AddNode(add) => {
                MetaCommand::AddNode { request: id(&add.request)?, addresses: node_in(add.node.unwrap_or_default()).1 }
            }
            Command::UpdateNode(node) => {
                let (id, addresses) = node_in(node);
                MetaCommand::UpdateNode(id, addresses)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(n: u64) -> Addresses {
        Addresses { cluster: format!("c{n}"), client: format!("u{n}"), http: format!("h{n}") }
    }

    fn add(request: u8) -> MetaCommand {
        MetaCommand::AddNode { request: [request; 16], addresses: addresses(9) }
    }

    fn found(nodes: u64) -> MetaCommand {
        MetaCommand::Found {
            cluster_id: [7; 16],
            shards: 16,
            replication: 3,
            login_policy: LoginPolicy::Refuse,
            nodes: (1..=nodes).map(|n| (NodeId(n), addresses(n))).collect(),
        }
    }

    #[test]
    fn a_birth_spreads_the_shards_evenly_and_happens_once() {
        let mut state = MetaState::default();
        assert!(state.apply(add(1)).is_err());
        state.apply(found(4)).unwrap();
        for first in 1..=4 {
            let led = state.placement.values().filter(|replicas| replicas[0].0 == NodeId(first)).count();
            assert_eq!(led, 4, "node {first}");
        }
        let mut replicas: Vec<ReplicaId> = state.placement.values().flatten().map(|(_, replica)| *replica).collect();
        replicas.sort();
        replicas.dedup();
        assert_eq!(replicas.len(), 16 * 3);
        let born = state.clone();
        state.apply(found(2)).unwrap();
        assert_eq!(state, born);
    }

    #[test]
    fn fewer_nodes_than_copies_hold_one_each() {
        let mut state = MetaState::default();
        state.apply(found(1)).unwrap();
        assert!(state.placement.values().all(|replicas| replicas.len() == 1));
    }

    #[test]
    fn node_ids_are_never_reused() {
        let mut state = MetaState::default();
        state.apply(found(3)).unwrap();
        assert_eq!(state.apply(add(1)), Ok(NodeId(4)));
        assert_eq!(state.apply(add(2)), Ok(NodeId(5)));
        assert_eq!(state.apply(add(1)), Ok(NodeId(4)));
        assert_eq!(state.apply(MetaCommand::UpdateNode(NodeId(4), addresses(8))), Ok(NodeId(4)));
        assert!(state.apply(MetaCommand::UpdateNode(NodeId(99), addresses(8))).is_err());
        let wire = wire::MetaState::from(&state);
        assert_eq!(MetaState::try_from(wire).unwrap(), state);
    }

    #[test]
    fn commands_survive_the_wire() {
        for command in [found(3), add(1), MetaCommand::UpdateNode(NodeId(3), addresses(2))] {
            assert_eq!(MetaCommand::try_from(wire::MetaCommand::from(&command)).unwrap(), command);
        }
    }
}
