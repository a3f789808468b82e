//! The interface of this crate: one node's part in the cluster.

pub mod operate;
mod start;
mod status;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use troupe_core::{Command, Epoch, Level, NodeId, ShardId, Timestamp};
use troupe_runtime::Platform;
use troupe_store::engine::Engine;
use troupe_store::rows::search::BlockSize;

use crate::api::{Outcome, ProposeError, ReadError, Routing};
use crate::control::host::Proposers;
use crate::control::meta::{Meta, MetaState};
use crate::control::readiness::{self, Confirmations, Readiness};
use crate::control::{balance, space};
use crate::fatal::Fatal;
use crate::level::LevelHere;
use crate::log::flusher::Flusher;
use crate::replication::group::Groups;
use crate::replication::health::Health;
use crate::replication::read::{Barrier, read_index};
use crate::timing::BARRIER_TIMEOUT;
use crate::transport::link::Links;
use crate::transport::port::Port;
use crate::transport::vitals::LocalVitals;
use crate::types::GroupId;

pub use status::{ClusterStatus, ReplicaStatus, Voting};

/// Shared, cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    platform: Platform,
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
    local_vitals: LocalVitals,
    level: LevelHere,
    auto_finalize: Duration,
    health: Health,
    search_block: Option<BlockSize>,
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

    /// The shards that this node leads and may propose to, with the epoch of each leadership.
    pub fn led(&self) -> watch::Receiver<Arc<BTreeMap<ShardId, Epoch>>> {
        self.0.led.clone()
    }

    /// Commits commands in order, applies them, and returns one outcome each. Stamps the time.
    /// Commands of many callers share entries and fsyncs. Resolves after a majority has fsynced and
    /// this node has applied, or after a minute with `Unknown`.
    pub async fn propose(&self, shard: ShardId, commands: Vec<Command>) -> Result<Vec<Outcome>, ProposeError> {
        let proposer = self.0.proposers.read().get(&shard).cloned();
        let refused = match proposer {
            Some(proposer) => proposer.propose(commands).await,
            None => Err(ProposeError::NotLeader { hint: None }),
        };
        match refused {
            // A new replica knows no leader yet, but its peers have announced one.
            Err(ProposeError::NotLeader { hint: None }) => Err(ProposeError::NotLeader { hint: self.hint(shard) }),
            other => other,
        }
    }

    fn hint(&self, shard: ShardId) -> Option<NodeId> {
        self.0.routing.borrow().leader(shard).map(|(leader, _)| leader).filter(|leader| *leader != self.me())
    }

    /// While the barrier stands, reads of applied state on this node see everything acknowledged
    /// before the call.
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

    /// The blocks of this node's search index; `None`: it has none.
    pub fn search_block(&self) -> Option<BlockSize> {
        self.0.search_block
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
            clock_skew_ms: self.0.links.clocks().skews(self.0.platform.clock.now()),
            storage: self.0.health.storage(),
            storage_low: self.storage_low_nodes(),
            readiness: self.readiness(),
        }
    }

    fn storage_low_nodes(&self) -> BTreeSet<NodeId> {
        space::low_nodes(self.me(), &self.0.local_vitals, &self.0.links)
    }

    /// Whether growth of this shard is refused ([`space::refuses`]).
    pub fn storage_low(&self, shard: ShardId) -> bool {
        let low = self.storage_low_nodes();
        if low.is_empty() {
            return false;
        }
        let routing = self.0.routing.borrow();
        let nodes = routing.placement.get(&shard).map(|place| place.nodes.as_slice()).unwrap_or_default();
        space::refuses(self.me(), &low, nodes)
    }

    /// The present readiness of this node.
    pub fn readiness(&self) -> Readiness {
        let Inner { me, groups, links, arrived, confirmations, .. } = &*self.0;
        let state = self.meta_state();
        readiness::look(*me, &state, groups, links, confirmations, arrived.load(Ordering::Relaxed))
    }

    /// The voters of the groups that this node leads.
    pub fn voting(&self) -> Vec<Voting> {
        self.0.groups.all().iter().filter_map(Voting::of).collect()
    }

    /// The applied index of the meta group. Of two nodes the one with the higher index has the
    /// newer table.
    pub fn meta_applied(&self) -> u64 {
        status::meta_applied(self.0.groups.get(GroupId::META).as_ref())
    }

    /// Transfers every leadership to other replicas. Returns when none is left or the time is over.
    pub async fn hand_over(&self, within: std::time::Duration) {
        // Its own balancer is stopped first, so that it takes part in no further moves.
        let mut balancer = std::mem::take(&mut *self.0.balancer.lock());
        balancer.shutdown().await;
        balance::hand_over(&self.0.groups, &self.0.links, within).await;
    }

    /// The time that an entry would get that this node proposes now.
    pub fn time(&self) -> Timestamp {
        self.0.links.clocks().stamp(self.0.platform.clock.now())
    }

    /// The feature level in force, as this node has applied it.
    pub fn level(&self) -> Level {
        self.0.level.level()
    }

    /// The time after which this node raises the level automatically.
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

    /// Resolves when storage has failed and the process must end. The text is for the log.
    pub async fn fatal(&self) -> String {
        self.0.fatal.wait().await
    }

    /// Stops everything; acknowledged data is on disk. Remaining leaderships pass to other nodes by
    /// election.
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
            tracing::warn!(%error, "stopped without a final write");
        }
    }
}

#[cfg(test)]
mod tests;
