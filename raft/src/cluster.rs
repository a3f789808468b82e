//! The face of this crate: one node's part in the cluster.

mod read;
mod status;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use troupe_core::{Command, ConversationId, Effect, Epoch, NodeId, ReplicaId, Reply, ShardId, Slot, UserId};
use troupe_runtime::NodeCtx;
use troupe_runtime::net::BoxFuture;
use troupe_store::engine::Engine;

use crate::backup::{self, Archive};
use crate::fatal::Fatal;
use crate::flusher::Flusher;
use crate::formation::ledger::Ledger;
use crate::formation::{self, Established};
use crate::group::{Ground, Groups};
use crate::host::{self, Host, Proposers, Register};
use crate::link::Links;
use crate::meta::state::removed_text;
use crate::meta::{Addresses, Meta, MetaState};
use crate::network::Network;
use crate::port::Port;
use crate::steward::Steward;
use crate::timing::{self, BARRIER_TIMEOUT};
use crate::trim::LogLimits;
use crate::types::GroupId;
use crate::{balance, gone, mover, routing, serve, snapshot};

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
    /// A node that cannot be reached for so long is replaced, if others have room.
    pub replace_after: Duration,
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
    proposers: Proposers,
    tasks: Mutex<JoinSet<()>>,
    balancer: Mutex<JoinSet<()>>,
}

impl Cluster {
    /// Listens, forms or joins the cluster, opens the replicas of this node, and returns when the node is a member and knows the
    /// placement (leaders may still be unknown).
    pub async fn start(ctx: NodeCtx, engine: Arc<dyn Engine>, config: ClusterConfig) -> Result<Cluster, StartError> {
        Cluster::start_tuned(ctx, engine, config, LogLimits::default()).await
    }

    /// With another length of the logs; tests and simulation make them short.
    ///
    /// Boxed, so that all of agreement is compiled once, here, and not again in every program that starts it.
    pub fn start_tuned(
        ctx: NodeCtx,
        engine: Arc<dyn Engine>,
        config: ClusterConfig,
        limits: LogLimits,
    ) -> BoxFuture<'static, Result<Cluster, StartError>> {
        Box::pin(Cluster::open(ctx, engine, config, limits))
    }

    async fn open(
        ctx: NodeCtx,
        engine: Arc<dyn Engine>,
        config: ClusterConfig,
        limits: LogLimits,
    ) -> Result<Cluster, StartError> {
        let Established { cluster_id, me, founders, port, book, .. } =
            formation::establish(&ctx, engine.clone(), &config).await?;
        let fatal = book.fatal();
        let flusher = Flusher::start(ctx.clone(), engine.clone(), fatal.clone());
        let ledger = Ledger { book, port: port.clone(), cluster_id, me };
        let links = Links::new(ctx.clone(), port.clone(), ledger, me);
        let groups = Groups::new();
        let raft_config = timing::raft_config(me.to_string(), limits).validate();
        let ground = Ground {
            ctx: ctx.clone(),
            engine: engine.clone(),
            flusher: flusher.clone(),
            fatal: fatal.clone(),
            network: Network::new(ctx.clone(), port.clone(), links.clone()),
            config: Arc::new(raft_config.map_err(|error| StartError::Refused(error.to_string()))?),
            limits,
        };
        links.connect(founders.iter().flatten().map(|founder| founder.id));

        let mut tasks = JoinSet::new();
        let meta = Meta::new(groups.clone(), links.clone());
        tasks.spawn(serve::run(port.clone(), groups.clone(), meta.clone()));
        tasks.spawn(gone::run(groups.clone(), links.clone()));
        tasks.spawn(snapshot::serve(ctx.clone(), engine.clone(), port.clone(), groups.clone()));
        let held = host::held(&engine, me)?;
        let state = host::open_meta(&ground, &groups, me, founders.as_deref(), &mut tasks).await?;
        let archive = Archive { ctx: ctx.clone(), engine: engine.clone(), groups: groups.clone(), meta: state.clone() };
        tasks.spawn(backup::serve(archive, port.clone()));

        let (opened, replicas) = watch::channel(BTreeMap::new());
        let proposers = Proposers::default();
        let hosting = Host {
            ground,
            groups: groups.clone(),
            links: links.clone(),
            port: port.clone(),
            me,
            held,
            proposers: proposers.clone(),
            opened,
        };
        tasks.spawn(hosting.run(state.clone()));
        tasks.spawn(mover::run(groups.clone(), meta.clone(), state.clone(), ctx.plant));
        let (expelling, expelled) = (port.clone(), fatal.clone());
        tasks.spawn(async move {
            expelling.expelled().await;
            expelled.set(removed_text(me));
        });
        let addresses = Addresses {
            cluster: advertised(&config.advertise, &port),
            client: config.client_address.clone(),
            http: config.http_address.clone(),
        };
        let steward = Steward {
            groups: groups.clone(),
            links: links.clone(),
            meta: meta.clone(),
            me,
            addresses,
            cluster_id,
            founders,
            config,
            away: BTreeMap::new(),
        };
        tasks.spawn(steward.run(state.clone()));
        port.serve_formation(Arc::new(Register { cluster_id, meta: meta.clone(), state: state.clone() }));

        let routing = watch::Sender::new(Arc::new(routing::table(me, &state.borrow(), &groups, &links)));
        let led = watch::Sender::new(Arc::default());
        let (routed, leads) = (routing.subscribe(), led.subscribe());
        tasks.spawn(routing::run(me, groups.clone(), links.clone(), state.clone(), routing, led));
        let mut balancer = JoinSet::new();
        balancer.spawn(balance::run(groups.clone(), links.clone(), routed.clone()));

        let cluster = Cluster(Arc::new(Inner {
            engine,
            me,
            port,
            links,
            groups,
            meta,
            state: state.clone(),
            flusher,
            fatal,
            routing: routed,
            led: leads,
            proposers,
            tasks: Mutex::new(tasks),
            balancer: Mutex::new(balancer),
        }));
        cluster.wait_for_place(state, replicas).await?;
        Ok(cluster)
    }

    /// Until the meta state names this node and the replicas that it has here are open.
    async fn wait_for_place(
        &self,
        mut state: watch::Receiver<Arc<MetaState>>,
        mut replicas: watch::Receiver<BTreeMap<ShardId, ReplicaId>>,
    ) -> Result<(), StartError> {
        let Inner { me, fatal, .. } = &*self.0;
        let stopped = || StartError::Refused("the node was stopped while it started".to_owned());
        let placed = async {
            let wanted: Vec<ShardId> = {
                let placed = state.wait_for(|state| state.nodes.contains_key(me)).await.map_err(|_| stopped())?;
                placed.placement.keys().copied().filter(|shard| placed.replica(*shard, *me).is_some()).collect()
            };
            // What has gone elsewhere meanwhile is not waited for.
            let open = |open: &BTreeMap<ShardId, ReplicaId>| {
                let state = state.borrow();
                wanted.iter().all(|shard| open.contains_key(shard) || state.replica(*shard, *me).is_none())
            };
            replicas.wait_for(open).await.map_err(|_| stopped())?;
            let mut routing = self.0.routing.clone();
            routing.wait_for(|table| table.nodes.contains_key(me)).await.map_err(|_| stopped())?;
            Ok::<_, StartError>(())
        };
        tokio::select! {
            placed = placed => placed,
            reason = fatal.wait() => Err(StartError::Refused(reason)),
        }
    }

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

    /// Commits commands in order and applies them; one outcome each. Stamps the time. Many callers' commands share entries and
    /// fsyncs. Resolves only after a majority has fsynced and this node has applied.
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

    /// After it, reads of applied state on this node see everything acknowledged before the call, as long as it stands.
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
        ClusterStatus { routing, meta_leader: self.0.meta.leader(), replicas: replicas.collect() }
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

    /// Stops everything; what was acknowledged is on disk. The leaderships go to others after an election, unless they
    /// were handed over before.
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

/// An advertised port 0 means the one that the system chose.
fn advertised(address: &str, port: &Port) -> String {
    match address.strip_suffix(":0") {
        Some(host) => format!("{host}:{}", port.local_addr().port()),
        None => address.to_owned(),
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
