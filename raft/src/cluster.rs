//! The face of this crate: one node's part in the cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use troupe_core::{Command, ConversationId, Effect, Epoch, NodeId, Reply, ShardId, ShardMap, Slot, UserId};
use troupe_runtime::NodeCtx;
use troupe_store::engine::Engine;

use crate::port::Port;

/// What `troupe start` decides.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Where the cluster port listens, and what other nodes dial.
    pub listen: String,
    pub advertise: String,
    /// Cluster addresses of all founding nodes, this one among them; empty for a cluster of one.
    pub join: Vec<String>,
    /// The cluster's join token; `None` only with `insecure`, or for a cluster of one (which makes its own).
    pub token: Option<String>,
    /// No TLS between nodes; refused off loopback.
    pub insecure: bool,
    /// What clients and people dial at this node; spread through the meta group.
    pub client_address: String,
    pub http_address: String,
    /// Shards of a newborn cluster; a born one keeps its own number.
    pub shards: u32,
    /// Replicas of each shard, capped by the number of nodes.
    pub replication: usize,
    /// Where small files of this node live (certificate, token); `None` in simulation.
    pub data_dir: Option<PathBuf>,
    /// Of a newborn cluster: what a second login of a user does.
    pub login_policy: LoginPolicy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginPolicy {
    /// A new session of a device replaces that device's old one.
    #[default]
    Replace,
    /// A user who is online anywhere is refused, as CIM does.
    Refuse,
}

/// Who is where, as this node knows it now. Versioned by the meta group; leaders are hints.
#[derive(Clone, Debug, Default)]
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
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardPlace {
    /// Nodes with a replica.
    pub nodes: Vec<NodeId>,
    /// The leader this node believes in, and its term.
    pub leader: Option<NodeId>,
    pub epoch: Epoch,
}

impl Routing {
    pub fn shard(&self, slot: Slot) -> Option<ShardId> {
        self.shards.map(|map| map.shard(slot))
    }

    pub fn leader(&self, shard: ShardId) -> Option<(NodeId, Epoch)> {
        let place = self.placement.get(&shard)?;
        place.leader.map(|leader| (leader, place.epoch))
    }
}

/// What one committed command did.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub reply: Reply,
    pub effects: Vec<Effect>,
}

/// Named by what the caller should do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProposeError {
    /// Definite: ask the leader.
    #[error("this node does not lead the shard")]
    NotLeader { hint: Option<NodeId> },
    /// Definite: too much waits already.
    #[error("the shard is overloaded")]
    Overloaded,
    /// It may or may not be committed: retry with the same ids.
    #[error("no majority answered in time")]
    Unknown,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    #[error("this node does not lead the shard")]
    NotLeader { hint: Option<NodeId> },
    #[error("no majority answered in time")]
    Unavailable,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operator must change something; the text says what.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Engine(#[from] troupe_store::engine::EngineError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Shared, cheap to clone.
#[derive(Clone)]
pub struct Cluster {}

impl Cluster {
    /// Listens, forms or joins the cluster, opens the replicas of this node, and returns when the node is a member and knows the
    /// placement (leaders may still be unknown).
    pub async fn start(
        _ctx: NodeCtx,
        _engine: Arc<dyn Engine>,
        _config: ClusterConfig,
    ) -> Result<Cluster, StartError> {
        todo!("raft helper")
    }

    pub fn port(&self) -> Port {
        todo!("raft helper")
    }

    pub fn me(&self) -> NodeId {
        todo!("raft helper")
    }

    pub fn routing(&self) -> watch::Receiver<Arc<Routing>> {
        todo!("raft helper")
    }

    /// Shards this node leads and may propose to, with the epoch of that leadership.
    pub fn led(&self) -> watch::Receiver<Arc<BTreeMap<ShardId, Epoch>>> {
        todo!("raft helper")
    }

    /// Commits commands in order and applies them; one outcome each. Stamps the time. Many callers' commands share entries and
    /// fsyncs. Resolves only after a majority has fsynced and this node has applied.
    pub async fn propose(&self, _shard: ShardId, _commands: Vec<Command>) -> Result<Vec<Outcome>, ProposeError> {
        todo!("raft helper")
    }

    /// After it, reads of applied state on this node see everything acknowledged before the call.
    pub async fn barrier(&self, _shard: ShardId) -> Result<(), ReadError> {
        todo!("raft helper")
    }

    /// The engine, for reads of applied state through `troupe_store::rows`.
    pub fn engine(&self) -> Arc<dyn Engine> {
        todo!("raft helper")
    }

    pub async fn status(&self) -> ClusterStatus {
        todo!("raft helper")
    }

    /// Hands every leadership to another replica; returns when none is left or the time is over.
    pub async fn hand_over(&self, _within: std::time::Duration) {
        todo!("raft helper")
    }

    /// Resolves when storage failed and the process must end; the text is for the log.
    pub async fn fatal(&self) -> String {
        todo!("raft helper")
    }

    pub async fn shutdown(&self) {
        todo!("raft helper")
    }
}

/// For `troupe cluster status`, `/v1/cluster` and readiness.
#[derive(Clone, Debug)]
pub struct ClusterStatus {
    pub routing: Arc<Routing>,
    pub meta_leader: Option<NodeId>,
    pub replicas: Vec<ReplicaStatus>,
}

/// One replica on this node.
#[derive(Clone, Debug)]
pub struct ReplicaStatus {
    pub shard: ShardId,
    pub leader: Option<NodeId>,
    pub epoch: Epoch,
    /// "leader", "follower", "learner", "candidate".
    pub role: &'static str,
    pub last_log: u64,
    pub committed: u64,
    pub applied: u64,
    /// Per follower, entries behind; leaders only.
    pub lag: BTreeMap<NodeId, u64>,
}

/// A conversation or a user by its slot: what requests are routed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    User(UserId),
    Conversation(ConversationId),
}

impl Entity {
    pub fn slot(self) -> Slot {
        match self {
            Entity::User(user) => user.slot(),
            Entity::Conversation(conversation) => conversation.slot(),
        }
    }
}
