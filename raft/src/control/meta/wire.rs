//! The meta group's state and commands as the messages of `raft/meta.proto`. Fields are only ever
//! added. A state that an earlier version wrote reads as one without moves, in which every node is
//! active.

use troupe_core::{Level, NodeId, ReplicaId, SLOTS, ShardId, ShardMap, limits};
use troupe_proto::wire::raft as wire;

use super::command::MetaCommand;
use super::state::{Member, MetaState, Move, Placement};
use crate::api::{Addresses, ChangeSettings, LoginPolicy, NodeState, Registration, Settings, Strangers};
use crate::codec::Undecodable;
use crate::level::{InForce, range_in, range_out};

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

fn registration_out(registration: Registration) -> u32 {
    match registration {
        Registration::Open => 0,
        Registration::Invite => 1,
        Registration::Closed => 2,
    }
}

fn registration_in(registration: u32) -> Result<Registration, Undecodable> {
    match registration {
        0 => Ok(Registration::Open),
        1 => Ok(Registration::Invite),
        2 => Ok(Registration::Closed),
        _ => Err(Undecodable("registration")),
    }
}

fn strangers_out(strangers: Strangers) -> u32 {
    match strangers {
        Strangers::Invite => 0,
        Strangers::Add => 1,
    }
}

fn strangers_in(strangers: u32) -> Result<Strangers, Undecodable> {
    match strangers {
        0 => Ok(Strangers::Invite),
        1 => Ok(Strangers::Add),
        _ => Err(Undecodable("strangers")),
    }
}

fn settings_out(settings: &Settings) -> wire::MetaSettings {
    wire::MetaSettings {
        registration: registration_out(settings.registration),
        session_idle_seconds: settings.session_idle,
        first_admin: settings.first_admin.clone(),
        strangers: strangers_out(settings.strangers),
        recall_seconds: Some(settings.recall_seconds).filter(|seconds| *seconds != limits::RECALL_SECONDS),
        file_bytes: Some(settings.file_bytes).filter(|bytes| *bytes != limits::FILES_BYTES_OF_ALL),
    }
}

/// Absent in a state or command of an earlier version.
fn settings_in(settings: Option<wire::MetaSettings>) -> Result<Settings, Undecodable> {
    let settings = settings.unwrap_or_default();
    Ok(Settings {
        registration: registration_in(settings.registration)?,
        session_idle: settings.session_idle_seconds,
        first_admin: settings.first_admin,
        strangers: strangers_in(settings.strangers)?,
        recall_seconds: settings.recall_seconds.unwrap_or(limits::RECALL_SECONDS),
        file_bytes: settings.file_bytes.unwrap_or(limits::FILES_BYTES_OF_ALL),
    })
}

fn in_force(level: u32, since: String) -> InForce {
    InForce { level: Level::kept(level), since }
}

/// The number of a state, and its replacement.
fn state_out(state: NodeState) -> (u32, u64) {
    match state {
        NodeState::Active => (0, 0),
        NodeState::Draining => (1, 0),
        NodeState::Leaving { replacement } => (2, node_or_none(replacement)),
        NodeState::Lost => (3, 0),
    }
}

fn state_in(state: u32, replacement: u64) -> Result<NodeState, Undecodable> {
    match state {
        0 => Ok(NodeState::Active),
        1 => Ok(NodeState::Draining),
        2 => Ok(NodeState::Leaving { replacement: some_node(replacement) }),
        3 => Ok(NodeState::Lost),
        _ => Err(Undecodable("state of a node")),
    }
}

fn node_or_none(node: Option<NodeId>) -> u64 {
    node.map_or(0, |node| node.0)
}

fn some_node(node: u64) -> Option<NodeId> {
    Some(NodeId(node)).filter(|node| node.0 != 0)
}

fn node_out(id: NodeId, addresses: &Addresses, state: NodeState) -> wire::MetaNode {
    let (state, heir) = state_out(state);
    wire::MetaNode {
        id: id.0,
        cluster_address: addresses.cluster.clone(),
        client_address: addresses.client.clone(),
        http_address: addresses.http.clone(),
        state,
        heir,
    }
}

fn member_in(node: wire::MetaNode) -> Result<(NodeId, Member), Undecodable> {
    let state = state_in(node.state, node.heir)?;
    let addresses = Addresses { cluster: node.cluster_address, client: node.client_address, http: node.http_address };
    Ok((NodeId(node.id), Member { addresses, state }))
}

fn id(bytes: &[u8]) -> Result<[u8; 16], Undecodable> {
    bytes.try_into().map_err(|_| Undecodable("id of 16 bytes"))
}

fn replica_out(replica: &(NodeId, ReplicaId)) -> wire::MetaReplica {
    wire::MetaReplica { node: replica.0.0, replica: replica.1.0 }
}

fn replica_in(replica: wire::MetaReplica) -> (NodeId, ReplicaId) {
    (NodeId(replica.node), ReplicaId(replica.replica))
}

fn place_out(shard: ShardId, place: &Placement) -> wire::MetaPlace {
    wire::MetaPlace {
        shard: shard.0,
        replicas: place.replicas.iter().map(replica_out).collect(),
        version: place.version,
        moving: place.moving.as_ref().map(|moving| wire::MetaMove {
            number: moving.number,
            add: moving.add.as_ref().map(replica_out),
            remove: moving.remove.as_ref().map(replica_out),
            promoted: moving.promoted,
        }),
    }
}

fn place_in(place: wire::MetaPlace) -> (ShardId, Placement) {
    let moving = place.moving.map(|moving| Move {
        number: moving.number,
        add: moving.add.map(replica_in),
        remove: moving.remove.map(replica_in),
        promoted: moving.promoted,
    });
    let replicas = place.replicas.into_iter().map(replica_in).collect();
    (ShardId(place.shard), Placement { replicas, version: place.version, moving })
}

impl From<&MetaState> for wire::MetaState {
    fn from(state: &MetaState) -> Self {
        let removed = state.removed.iter().map(|(id, address)| {
            let addresses = Addresses { cluster: address.clone(), ..Addresses::default() };
            node_out(*id, &addresses, NodeState::Active)
        });
        wire::MetaState {
            cluster_id: state.cluster_id.to_vec().into(),
            shards: state.shards.map_or(0, |map| map.count),
            replication: state.replication,
            login_policy: policy_out(state.login_policy),
            settings: Some(settings_out(&state.settings)),
            nodes: state.nodes.iter().map(|(id, member)| node_out(*id, &member.addresses, member.state)).collect(),
            admitted: state
                .admitted
                .iter()
                .map(|(request, node)| wire::MetaAdmission { request: request.to_vec().into(), node: node.0 })
                .collect(),
            placement: state.placement.iter().map(|(shard, place)| place_out(*shard, place)).collect(),
            last_node: state.last_node,
            last_replica: state.last_replica,
            removed: removed.collect(),
            last_move: state.last_move,
            target: state.target,
            history: state.history,
            continues: state.continues.iter().map(|id| id.to_vec().into()).collect(),
            level: state.in_force.level.number(),
            level_since: state.in_force.since.clone(),
        }
    }
}

impl TryFrom<wire::MetaState> for MetaState {
    type Error = Undecodable;

    fn try_from(state: wire::MetaState) -> Result<Self, Undecodable> {
        Ok(MetaState {
            cluster_id: id(&state.cluster_id)?,
            shards: Some(ShardMap { count: state.shards }).filter(|map| (1..=u32::from(SLOTS)).contains(&map.count)),
            login_policy: policy_in(state.login_policy)?,
            settings: settings_in(state.settings)?,
            in_force: in_force(state.level, state.level_since),
            nodes: state.nodes.into_iter().map(member_in).collect::<Result<_, Undecodable>>()?,
            removed: state.removed.into_iter().map(|node| (NodeId(node.id), node.cluster_address)).collect(),
            admitted: state
                .admitted
                .into_iter()
                .map(|admission| Ok((id(&admission.request)?, NodeId(admission.node))))
                .collect::<Result<_, Undecodable>>()?,
            placement: state.placement.into_iter().map(place_in).collect(),
            replication: state.replication,
            last_node: state.last_node,
            last_replica: state.last_replica,
            last_move: state.last_move,
            // Written before the two were distinguished.
            target: if state.target == 0 { state.replication } else { state.target },
            history: state.history,
            continues: state.continues.iter().map(|cluster| id(cluster)).collect::<Result<_, Undecodable>>()?,
        })
    }
}

impl From<&MetaCommand> for wire::MetaCommand {
    fn from(command: &MetaCommand) -> Self {
        use wire::meta_command::Command;
        let step = |shard: &ShardId, number: &u64| wire::MetaMoveStep { shard: shard.0, number: *number };
        let told = |id: NodeId, addresses: &Addresses| node_out(id, addresses, NodeState::Active);
        let command = match command {
            MetaCommand::Found { cluster_id, shards, replication, login_policy, settings, in_force, nodes } => {
                Command::Found(wire::MetaState {
                    cluster_id: cluster_id.to_vec().into(),
                    shards: *shards,
                    replication: *replication,
                    login_policy: policy_out(*login_policy),
                    settings: Some(settings_out(settings)),
                    level: in_force.level.number(),
                    level_since: in_force.since.clone(),
                    nodes: nodes.iter().map(|(id, addresses)| told(*id, addresses)).collect(),
                    ..Default::default()
                })
            }
            MetaCommand::AddNode { request, addresses, levels } => Command::AddNode(wire::MetaAddNode {
                request: request.to_vec().into(),
                node: Some(told(NodeId(0), addresses)),
                levels: range_out(*levels),
            }),
            MetaCommand::UpdateNode(id, addresses) => Command::UpdateNode(told(*id, addresses)),
            MetaCommand::BeginMove { shard, version, add, remove } => Command::BeginMove(wire::MetaBeginMove {
                shard: shard.0,
                version: *version,
                add: node_or_none(*add),
                remove: node_or_none(*remove),
            }),
            MetaCommand::PromoteMove { shard, number } => Command::PromoteMove(step(shard, number)),
            MetaCommand::FinishMove { shard, number } => Command::FinishMove(step(shard, number)),
            MetaCommand::CancelMove { shard, number } => Command::CancelMove(step(shard, number)),
            MetaCommand::SetNode { node, state, replication } => {
                let (state, heir) = state_out(*state);
                let replication = replication.unwrap_or(0);
                Command::SetNode(wire::MetaSetNode { node: node.0, state, heir, replication })
            }
            MetaCommand::RemoveNode(node) => Command::RemoveNode(node.0),
            MetaCommand::Adopt { history, origin } => {
                Command::Adopt(wire::MetaAdopt { history: *history, origin: origin.to_vec().into() })
            }
            MetaCommand::ChangeSettings(change) => Command::ChangeSettings(wire::MetaChangeSettings {
                registration: change.registration.map(registration_out),
                session_idle_seconds: change.session_idle,
                strangers: change.strangers.map(strangers_out),
                recall_seconds: change.recall_seconds,
                file_bytes: change.file_bytes,
            }),
            MetaCommand::RaiseLevel { to, nodes } => Command::RaiseLevel(wire::MetaRaiseLevel {
                level: to.level.number(),
                since: to.since.clone(),
                nodes: nodes.iter().map(|node| node.0).collect(),
            }),
        };
        wire::MetaCommand { command: Some(command) }
    }
}

impl TryFrom<wire::MetaCommand> for MetaCommand {
    type Error = Undecodable;

    fn try_from(command: wire::MetaCommand) -> Result<Self, Undecodable> {
        use wire::meta_command::Command;
        let told = |node: wire::MetaNode| member_in(node).map(|(id, member)| (id, member.addresses));
        Ok(match command.command.ok_or(Undecodable("meta command"))? {
            Command::Found(found) => MetaCommand::Found {
                cluster_id: id(&found.cluster_id)?,
                shards: found.shards,
                replication: found.replication,
                login_policy: policy_in(found.login_policy)?,
                settings: settings_in(found.settings)?,
                in_force: in_force(found.level, found.level_since),
                nodes: found.nodes.into_iter().map(told).collect::<Result<_, Undecodable>>()?,
            },
            Command::AddNode(add) => MetaCommand::AddNode {
                request: id(&add.request)?,
                addresses: told(add.node.unwrap_or_default())?.1,
                levels: range_in(add.levels),
            },
            Command::UpdateNode(node) => {
                let (id, addresses) = told(node)?;
                MetaCommand::UpdateNode(id, addresses)
            }
            Command::BeginMove(begin) => MetaCommand::BeginMove {
                shard: ShardId(begin.shard),
                version: begin.version,
                add: some_node(begin.add),
                remove: some_node(begin.remove),
            },
            Command::PromoteMove(step) => MetaCommand::PromoteMove { shard: ShardId(step.shard), number: step.number },
            Command::FinishMove(step) => MetaCommand::FinishMove { shard: ShardId(step.shard), number: step.number },
            Command::CancelMove(step) => MetaCommand::CancelMove { shard: ShardId(step.shard), number: step.number },
            Command::SetNode(set) => MetaCommand::SetNode {
                node: NodeId(set.node),
                state: state_in(set.state, set.heir)?,
                replication: Some(set.replication).filter(|replication| *replication != 0),
            },
            Command::RemoveNode(node) => MetaCommand::RemoveNode(NodeId(node)),
            Command::Adopt(adopt) => MetaCommand::Adopt { history: adopt.history, origin: id(&adopt.origin)? },
            Command::ChangeSettings(change) => MetaCommand::ChangeSettings(ChangeSettings {
                registration: change.registration.map(registration_in).transpose()?,
                session_idle: change.session_idle_seconds,
                strangers: change.strangers.map(strangers_in).transpose()?,
                recall_seconds: change.recall_seconds,
                file_bytes: change.file_bytes,
            }),
            Command::RaiseLevel(raise) => MetaCommand::RaiseLevel {
                to: in_force(raise.level, raise.since),
                nodes: raise.nodes.into_iter().map(NodeId).collect(),
            },
        })
    }
}
