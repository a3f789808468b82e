//! The replicas on this node: what is open, under which id, and how one is opened.

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
use troupe_runtime::{Lane, NodeCtx, executor};
use troupe_store::engine::{Engine, EngineError};

use crate::applier::Applier;
use crate::fatal::Fatal;
use crate::flusher::Flusher;
use crate::level::LevelHere;
use crate::log_store::LogStore;
use crate::network::{Factory, Network};
use crate::state_machine::{Gate, StateMachine};
use crate::timing::{LOOK_EVERY, LOOK_FRESH};
use crate::trim::LogLimits;
use crate::types::{GroupId, Home, Metrics, Raft};

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
    pub fn metrics(&self) -> Metrics {
        self.raft.metrics().borrow_watched().clone()
    }

    /// Makes the group begin with these members. Harmless if it has begun, and when several members
    /// do it alike.
    pub async fn begin(&self, members: &BTreeMap<u64, NodeId>) {
        let members: BTreeMap<u64, Home> = members.iter().map(|(replica, node)| (*replica, Home(*node))).collect();
        if let Err(error) = self.raft.initialize(members).await {
            tracing::debug!(group = %self.id, %error, "has begun already");
        }
    }
}

/// What every replica of a node is built from.
#[derive(Clone)]
pub struct Ground {
    pub ctx: NodeCtx,
    pub engine: Arc<dyn Engine>,
    pub flusher: Flusher,
    pub fatal: Fatal,
    pub network: Network,
    pub config: Arc<Config>,
    pub limits: LogLimits,
    /// What this program can apply.
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

    /// Opens a replica from what the engine holds of it, which may be nothing.
    pub async fn open(
        &self,
        ground: &Ground,
        id: GroupId,
        replica: u64,
        applier: Arc<dyn Applier>,
    ) -> Result<Group, EngineError> {
        let Ground { ctx, engine, flusher, fatal, network, config, limits, .. } = ground.clone();
        let log = LogStore::open(id, ctx.clone(), engine.clone(), flusher.clone(), fatal.clone(), limits)?;
        let gate = Gate::default();
        let machine = StateMachine::open(id, ctx, engine, flusher, fatal.clone(), applier.clone(), gate.clone())?;
        let factory = Factory { group: id, network };
        let raft = Raft::new(replica, config, factory, log.clone(), machine)
            .await
            .map_err(|error| EngineError::Fatal(format!("replica {replica} of {id} cannot start: {error}")))?;
        let group = Group { id, replica, raft, applier, log, gate };
        tokio::spawn(follow(group.clone(), fatal, self.news.clone()));
        self.open.write().insert(id, group.clone());
        Ok(group)
    }

    /// Stops a replica for ever: nothing of it is written any more when this returns.
    pub async fn retire(&self, ctx: &NodeCtx, id: GroupId) {
        let Some(group) = self.open.write().remove(&id) else { return };
        if let Err(error) = group.raft.shutdown().await {
            tracing::debug!(group = %id, %error, "a replica had ended before it was destroyed");
        }
        let gate = group.gate.clone();
        if executor::run(&*ctx.executor, Lane::Bulk, move || gate.shut()).await.is_none() {
            // The lane is full of snapshots: better this worker waits for one write than that one
            // slips by.
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

/// Tells of changes of leadership. A group that has failed stops the node: it would silently be one
/// replica less.
async fn follow(group: Group, fatal: Fatal, news: Arc<watch::Sender<()>>) {
    let id = group.id;
    // Changes with votes, leaders and members only; all metrics together change with every entry.
    let mut server = group.raft.server_metrics();
    let metrics = group.raft.metrics();
    drop(group);
    let (mut told, mut ended) = (None, false);
    loop {
        let (state, leadership, fresh) = {
            let now = metrics.borrow_watched();
            let acked = now.last_quorum_acked.is_some();
            let leadership = (now.state, now.current_leader, now.current_term, acked);
            (now.running_state.clone(), leadership, now.state == ServerState::Leader && !acked)
        };
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
        // When the core has ended, what the metrics say last is why.
        ended = matches!(timeout(if fresh { LOOK_FRESH } else { LOOK_EVERY }, server.changed()).await, Ok(Err(_)));
    }
}
