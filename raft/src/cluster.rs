//! The face of this crate: one node's part in the cluster.

mod read;
mod start;
mod status;
mod table;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use troupe_core::{Command, ConversationId, Effect, Epoch, Level, NodeId, Reply, ShardId, Slot, UserId};
use troupe_runtime::NodeCtx;
use troupe_store::engine::Engine;

use crate::balance;
use crate::fatal::Fatal;
use crate::flusher::Flusher;
use crate::group::Groups;
use crate::health::Health;
use crate::host::Proposers;
use crate::level::{LevelHere, Support};
use crate::link::Links;
use crate::meta::{Meta, MetaState, Settings};
use crate::port::Port;
use crate::readiness::{self, Confirmations, Readiness};
use crate::space::{self, LowMark};
use crate::timing::BARRIER_TIMEOUT;
use crate::types::GroupId;
use crate::vitals::Mine;

pub use read::Barrier;
pub(crate) use read::read_index;
pub use status::{ClusterStatus, ReplicaStatus, Voting};
pub use table::{NodeInfo, Routing, ShardMove, ShardPlace};

/// What `troupe start` decides.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Where the cluster port listens, and what other nodes dial.
    pub listen: String,
    pub advertise: String,
    /// Cluster addresses of all founding nodes, this one among them; empty for a cluster of one.
    pub join: Vec<String>,
    /// The cluster's join token; `None` only with `insecure`, or for a cluster of one (which makes
    /// its own).
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
    /// Of a newborn cluster; a born one has its own.
    pub settings: Settings,
    /// A node that cannot be reached for so long is replaced, if others have room.
    pub replace_after: Duration,
    /// Free bytes of this node's disk below which growing commands are refused.
    pub storage_low_mark: LowMark,
    /// What this program supports. Tests pretend an older one.
    pub supports: Support,
    /// The feature level rises by itself when all members have been heard to support a higher one
    /// for so long; zero: only when an operator says so.
    pub auto_finalize: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginPolicy {
    /// A new session of a device replaces that device's old one.
    #[default]
    Replace,
    /// A user who is online anywhere is refused, as CIM does.
    Refuse,
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
    /// Definite, and never to be repeated as it is: a command fits no entry.
    #[error("larger than an entry of the log")]
    TooLarge,
    /// Definite: a member may not know the command.
    #[error("this needs feature level {needs} and the cluster is at {in_force}")]
    UpgradePending { needs: Level, in_force: Level },
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
pub struct Cluster(Arc<Inner>);

struct Inner {
    ctx: NodeCtx,
    engine: Arc<dyn Engine>,
    me: NodeId,
    port: Port,
    links: Links,
    groups: Groups,
    meta: Meta,
    state: watch::Receiver<Arc<MetaState>>,
    flusher: Flusher,
    fatal: Fatal,
    routing: watch::Receiver<Arc<Routing>>,
    led: watch::Receiver<Arc<BTreeMap<ShardId, Epoch>>>,
    arrived: Arc<AtomicBool>,
    confirmations: Confirmations,
    proposers: Proposers,
    mine: Mine,
    level: LevelHere,
    auto_finalize: Duration,
    health: Health,
    tasks: Mutex<JoinSet<()>>,
    balancer: Mutex<JoinSet<()>>,
}

impl Cluster {
    pub fn port(&self) -> Port {
        self.0.port.clone()
    }

    pub fn me(&self) -> NodeId {
        self.0.me
    }

    pub fn routing(&self) -> watch::Receiver<Arc<Routing>> {
        self.0.routing.clone()
    }

    /// Shards this node leads and may propose to, with the epoch of that leadership.
    pub fn led(&self) -> watch::Receiver<Arc<BTreeMap<ShardId, Epoch>>> {
        self.0.led.clone()
    }

    /// Commits commands in order and applies them; one outcome each. Stamps the time. Many callers'
    /// commands share entries and fsyncs. Resolves only after a majority has fsynced and this node
    /// has applied, or after a minute with `Unknown`.
    pub async fn propose(&self, shard: ShardId, commands: Vec<Command>) -> Result<Vec<Outcome>, ProposeError> {
        let proposer = self.0.proposers.read().get(&shard).cloned();
        let refused = match proposer {
            Some(proposer) => proposer.propose(commands).await,
            None => Err(ProposeError::NotLeader { hint: None }),
        };
        match refused {
            // A replica that has just come knows no leader yet, but its peers have said who it is.
            Err(ProposeError::NotLeader { hint: None }) => Err(ProposeError::NotLeader { hint: self.hint(shard) }),
            other => other,
        }
    }

    fn hint(&self, shard: ShardId) -> Option<NodeId> {
        self.0.routing.borrow().leader(shard).map(|(leader, _)| leader).filter(|leader| *leader != self.me())
    }

    /// After it, reads of applied state on this node see everything acknowledged before the call,
    /// as long as it stands.
    pub async fn barrier(&self, shard: ShardId) -> Result<Barrier, ReadError> {
        let group =
            self.0.groups.get(GroupId::of(shard)).ok_or_else(|| ReadError::NotLeader { hint: self.hint(shard) })?;
        match timeout(BARRIER_TIMEOUT, read_index(&group)).await {
            Ok(Ok(())) => Ok(Barrier::new(&self.0.groups, &group)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ReadError::Unavailable),
        }
    }

    /// The engine, for reads of applied state through `troupe_store::rows`.
    pub fn engine(&self) -> Arc<dyn Engine> {
        self.0.engine.clone()
    }

    pub async fn status(&self) -> ClusterStatus {
        let routing = self.0.routing.borrow().clone();
        let groups = self.0.groups.all();
        let replicas = groups.iter().filter_map(|group| Some(ReplicaStatus::of(group.id.shard()?, group)));
        ClusterStatus {
            routing,
            meta_leader: self.0.meta.leader(),
            replicas: replicas.collect(),
            stalled: self.0.health.stalled(),
            unsendable: self.0.health.unsendable(),
            unsendable_total: self.0.health.unsendable_total(),
            clock_skew_ms: self.0.links.clocks().skews(self.0.ctx.clock.now()),
            storage: self.0.health.storage(),
            storage_low: self.storage_low_nodes(),
            readiness: self.readiness(),
        }
    }

    fn storage_low_nodes(&self) -> BTreeSet<NodeId> {
        space::low_nodes(self.me(), &self.0.mine, &self.0.links)
    }

    /// Whether what makes this shard grow is to be refused ([`space::refuses`]).
    pub fn storage_low(&self, shard: ShardId) -> bool {
        let low = self.storage_low_nodes();
        if low.is_empty() {
            return false;
        }
        let routing = self.0.routing.borrow();
        let nodes = routing.placement.get(&shard).map(|place| place.nodes.as_slice()).unwrap_or_default();
        space::refuses(self.me(), &low, nodes)
    }

    /// What this node lacks to serve everything, judged now.
    pub fn readiness(&self) -> Readiness {
        let Inner { me, groups, links, arrived, confirmations, .. } = &*self.0;
        let state = self.meta_state();
        readiness::look(*me, &state, groups, links, confirmations, arrived.load(Ordering::Relaxed))
    }

    /// Who decides in the groups that this node leads.
    pub fn voting(&self) -> Vec<Voting> {
        self.0.groups.all().iter().filter_map(Voting::of).collect()
    }

    /// Which of two nodes knows more of the cluster.
    pub fn meta_applied(&self) -> u64 {
        status::meta_applied(self.0.groups.get(GroupId::META).as_ref())
    }

    /// Hands every leadership to another replica; returns when none is left or the time is over.
    pub async fn hand_over(&self, within: std::time::Duration) {
        // Whoever gives everything away must not be given something back by its own balancer.
        let mut balancer = std::mem::take(&mut *self.0.balancer.lock());
        balancer.shutdown().await;
        balance::hand_over(&self.0.groups, &self.0.links, within).await;
    }

    /// The feature level in force, as this node has applied it.
    pub fn level(&self) -> Level {
        self.0.level.level()
    }

    /// What this node would wait before it raises the level by itself.
    pub fn auto_finalize(&self) -> Duration {
        self.0.auto_finalize
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.0.meta
    }

    pub(crate) fn links(&self) -> &Links {
        &self.0.links
    }

    pub(crate) fn meta_state(&self) -> Arc<MetaState> {
        self.0.state.borrow().clone()
    }

    /// Resolves when storage failed and the process must end; the text is for the log.
    pub async fn fatal(&self) -> String {
        self.0.fatal.wait().await
    }

    /// Stops everything; what was acknowledged is on disk. The leaderships go to others after an
    /// election, unless they were handed over before.
    pub async fn shutdown(&self) {
        let mut balancer = std::mem::take(&mut *self.0.balancer.lock());
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock());
        balancer.shutdown().await;
        tasks.shutdown().await;
        self.0.proposers.write().clear();
        self.0.groups.shutdown().await;
        self.0.links.shutdown().await;
        self.0.port.shutdown().await;
        if let Err(error) = self.0.flusher.barrier().await {
            tracing::warn!(%error, "stopped without a last write");
        }
    }
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

#[cfg(test)]
mod tests;
