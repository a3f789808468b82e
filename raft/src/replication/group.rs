//! The replicas on this node: which are open, under which id, and how one is opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal as RaftFatal;
use openraft::{Config, ServerState};
use parking_lot::RwLock;
use tokio::sync::watch;
use tokio::time::timeout;
use troupe_core::NodeId;
use troupe_core::level::Range;
use troupe_runtime::{Lane, Platform, executor};
use troupe_store::engine::{Engine, EngineError};

use crate::fatal::Fatal;
use crate::level::LevelHere;
use crate::log::applier::Applier;
use crate::log::flusher::Flusher;
use crate::log::length::LogLimits;
use crate::log::log_store::LogStore;
use crate::log::search_index::Pace;
use crate::log::state_machine::{Gate, StateMachine};
use crate::replication::company::Company;
use crate::replication::network::{Factory, Network};
use crate::replication::runtime::Timers;
use crate::timing::LOOK_FRESH;
use crate::types::{GroupId, Metrics, RaftNode, Types};

/// The handle of one replica's Raft core.
pub type Raft = openraft::Raft<Types, StateMachine>;

/// One open replica. Cheap to clone.
#[derive(Clone)]
pub struct Group {
    pub id: GroupId,
    pub replica: u64,
    pub raft: Raft,
    pub applier: Arc<dyn Applier>,
    pub log: LogStore,
    gate: Gate,
}

impl Group {
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    pub fn metrics(&self) -> Metrics {
        self.raft.metrics().borrow_watched().clone()
    }

    /// Initializes the group with these members. Harmless if it is initialized already, or if
    /// several members do the same.
    pub async fn begin(&self, members: &BTreeMap<u64, NodeId>) {
        let members: BTreeMap<u64, RaftNode> =
            members.iter().map(|(replica, node)| (*replica, RaftNode(*node))).collect();
        if let Err(error) = self.raft.initialize(members).await {
            tracing::debug!(group = %self.id, %error, "is initialized already");
        }
    }
}

/// The parts from which every replica of a node is built.
#[derive(Clone)]
pub struct GroupContext {
    pub platform: Platform,
    pub engine: Arc<dyn Engine>,
    pub flusher: Flusher,
    pub fatal: Fatal,
    pub network: Network,
    pub config: Arc<Config>,
    pub limits: LogLimits,
    /// Replicas take turns in building their search indexes.
    pub search_pace: Pace,
    /// Proposals of all shards keep each other company.
    pub company: Company,
    /// The feature levels that this program can apply.
    pub supports: Range,
    pub level: LevelHere,
}

/// All open replicas of this node, by group.
#[derive(Clone)]
pub struct Groups {
    open: Arc<RwLock<BTreeMap<GroupId, Group>>>,
    news: Arc<watch::Sender<()>>,
}

impl Groups {
    #[allow(clippy::new_without_default, reason = "a node makes exactly one")]
    pub fn new() -> Groups {
        Groups { open: Default::default(), news: Arc::new(watch::Sender::new(())) }
    }

    /// Changes when a replica is opened, or when a leader or term changes in any group.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    pub fn get(&self, id: GroupId) -> Option<Group> {
        self.open.read().get(&id).cloned()
    }

    pub fn all(&self) -> Vec<Group> {
        self.open.read().values().cloned().collect()
    }

    /// Opens a replica from the engine's rows, of which there may be none.
    pub async fn open(
        &self,
        context: &GroupContext,
        id: GroupId,
        replica: u64,
        applier: Arc<dyn Applier>,
    ) -> Result<Group, EngineError> {
        let GroupContext { platform, engine, flusher, fatal, network, config, limits, .. } = context.clone();
        let log = LogStore::open(id, platform.clone(), engine.clone(), flusher.clone(), fatal.clone(), limits)?;
        let (gate, beat) = (Gate::default(), platform.beat.clone());
        let machine = StateMachine::open(id, platform, engine, flusher, fatal.clone(), applier.clone(), gate.clone())?;
        let factory = Factory { group: id, network };
        let timers = Timers::new(beat);
        let raft = timers
            .of(Raft::new(replica, config, factory, log.clone(), machine))
            .await
            .map_err(|error| EngineError::Fatal(format!("replica {replica} of {id} cannot start: {error}")))?;
        let group = Group { id, replica, raft, applier, log, gate };
        tokio::spawn(follow(group.clone(), timers, fatal, self.news.clone()));
        self.open.write().insert(id, group.clone());
        Ok(group)
    }

    /// Stops a replica permanently. Nothing of it is written after this returns.
    pub async fn retire(&self, platform: &Platform, id: GroupId) {
        let Some(group) = self.open.write().remove(&id) else { return };
        if let Err(error) = group.raft.shutdown().await {
            tracing::debug!(group = %id, %error, "a replica had stopped before it was destroyed");
        }
        let gate = group.gate.clone();
        if executor::run(&*platform.executor, Lane::Bulk, move || gate.shut()).await.is_none() {
            // The lane is full of snapshots. This worker rather waits for one write than lets one
            // slip by.
            group.gate.shut();
        }
        self.news.send_replace(());
    }

    /// Stops every replica; the log keeps what it has.
    pub async fn shutdown(&self) {
        let groups = std::mem::take(&mut *self.open.write());
        futures::future::join_all(groups.values().map(|group| group.raft.shutdown())).await;
    }
}

/// Announces changes of leadership. A failed group stops the node, which would otherwise silently
/// have one replica less.
async fn follow(group: Group, timers: Timers, fatal: Fatal, news: Arc<watch::Sender<()>>) {
    let id = group.id;
    // Changes only with votes, leaders and members. The full metrics change with every entry.
    let mut server = group.raft.server_metrics();
    let metrics = group.raft.metrics();
    drop(group);
    let (mut told, mut ended) = (None, false);
    loop {
        let (state, leadership, soon) = {
            let now = metrics.borrow_watched();
            let acked = now.last_quorum_acked.is_some();
            let leadership = (now.state, now.current_leader, now.current_term, acked);
            let fresh = now.state == ServerState::Leader && !acked;
            let newest = server.borrow_watched();
            // The core publishes the full metrics after the others.
            let behind =
                (newest.state, newest.current_leader, newest.vote) != (now.state, now.current_leader, now.vote);
            (now.running_state.clone(), leadership, fresh || behind)
        };
        timers.set_leads(leadership.0 == ServerState::Leader);
        if told != Some(leadership) {
            told = Some(leadership);
            news.send_replace(());
        }
        match state {
            Ok(()) => {}
            Err(RaftFatal::Stopped) => return,
            Err(error) => return fatal.set(format!("{id}: {error}")),
        }
        if ended {
            return;
        }
        // After the core has ended, its last metrics contain the reason.
        let changed = match soon {
            true => timeout(LOOK_FRESH, server.changed()).await,
            false => Ok(server.changed().await),
        };
        ended = matches!(changed, Ok(Err(_)));
    }
}
