//! Starts a node's part in the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use troupe_core::{ReplicaId, ShardId};
use troupe_runtime::Platform;
use troupe_runtime::net::BoxFuture;
use troupe_store::engine::Engine;
use troupe_store::rows::search::BlockSize;

use super::{Cluster, Inner};
use crate::api::{Addresses, ClusterConfig, StartError};
use crate::backup::{self, Archive};
use crate::control::finder::Finder;
use crate::control::host::{self, Host, MetaRegistry, Proposers};
use crate::control::meta::state::removed_text;
use crate::control::meta::{Meta, MetaState};
use crate::control::meta_controller::MetaController;
use crate::control::monitor::Monitor;
use crate::control::readiness::Confirmations;
use crate::control::routing::Tables;
use crate::control::{balance, meta, mover, routing, serve};
use crate::formation::boot_history::BootExchange;
use crate::formation::waiting::Waiting;
use crate::formation::{self, Established};
use crate::level::LevelHere;
use crate::log::flusher::Flusher;
use crate::log::length::LogLimits;
use crate::log::search_index::Pace;
use crate::replication::company::Company;
use crate::replication::config::raft_config;
use crate::replication::fast_failover;
use crate::replication::group::{GroupContext, Groups};
use crate::replication::health::Health;
use crate::replication::network::Network;
use crate::replication::snapshot::receive;
use crate::transport::link::Links;
use crate::transport::vitals::LocalVitals;

impl Cluster {
    /// Listens, forms or joins the cluster, and opens the replicas of this node. Returns when the
    /// node is a member and knows the placement; leaders may still be unknown.
    pub async fn start(
        platform: Platform,
        engine: Arc<dyn Engine>,
        config: ClusterConfig,
    ) -> Result<Cluster, StartError> {
        Cluster::start_watched(platform, engine, config, LogLimits::default(), Waiting::default()).await
    }

    /// The same with other log limits; `waiting` always names what the start is waiting for.
    pub async fn start_watched(
        platform: Platform,
        engine: Arc<dyn Engine>,
        config: ClusterConfig,
        limits: LogLimits,
        waiting: Waiting,
    ) -> Result<Cluster, StartError> {
        // Boxed like `start_tuned`.
        let opening: BoxFuture<'static, _> = Box::pin(Cluster::open(platform, engine, config, limits, waiting));
        opening.await
    }

    /// The same with other log limits; tests and simulation use small ones.
    ///
    /// Boxed, so that this crate is compiled once, here, and not again in every program that starts
    /// a cluster.
    pub fn start_tuned(
        platform: Platform,
        engine: Arc<dyn Engine>,
        config: ClusterConfig,
        limits: LogLimits,
    ) -> BoxFuture<'static, Result<Cluster, StartError>> {
        Box::pin(Cluster::open(platform, engine, config, limits, Waiting::default()))
    }

    async fn open(
        platform: Platform,
        engine: Arc<dyn Engine>,
        config: ClusterConfig,
        limits: LogLimits,
        waiting: Waiting,
    ) -> Result<Cluster, StartError> {
        let level = LevelHere::default();
        let (supports, auto_finalize) = (config.supports.clone(), config.auto_finalize);
        let applied = meta::load(&engine)?.in_force;
        if let Some(why) = applied.refusal(supports.range) {
            return Err(StartError::Refused(why));
        }
        level.set(&applied);
        let Established { cluster_id, me, known, founders, birth_level, port, boots, address, seeds } =
            formation::establish(&platform, engine.clone(), &config, &level, &waiting).await?;
        waiting.tell("waiting for the cluster's table to name this node: a majority of the nodes must be up");
        let fatal = boots.fatal();
        let flusher = Flusher::start(platform.clone(), engine.clone(), fatal.clone());
        let exchange = BootExchange {
            boots,
            port: port.clone(),
            cluster_id,
            me,
            address: address.clone(),
            levels: supports.range,
            level: level.clone(),
        };
        let links = Links::new(platform.clone(), port.clone(), Arc::new(exchange), me);
        let groups = Groups::new();
        let (local_vitals, health) = (LocalVitals::new(supports.clone()), Health::default());
        let raft_config = raft_config(me.to_string(), limits).validate();
        let context = GroupContext {
            platform: platform.clone(),
            engine: engine.clone(),
            flusher: flusher.clone(),
            fatal: fatal.clone(),
            network: Network::new(platform.clone(), port.clone(), links.clone(), health.clone()),
            config: Arc::new(raft_config.map_err(|error| StartError::Refused(error.to_string()))?),
            limits,
            search_pace: Pace::default(),
            company: Company::default(),
            supports: supports.range,
            level: level.clone(),
        };
        // A node that was removed before it received anything asks these nodes and learns of it. No
        // node would dial it.
        links.connect(known);

        let mut tasks = JoinSet::new();
        let meta = Meta::new(groups.clone(), links.clone(), level.clone());
        tasks.spawn(serve::run(platform.clone(), port.clone(), groups.clone(), meta.clone(), local_vitals.clone()));
        tasks.spawn(fast_failover::run(groups.clone(), links.clone()));
        tasks.spawn(receive::serve(platform.clone(), engine.clone(), port.clone(), groups.clone()));
        let held = host::held(&engine, me)?;
        let state = host::open_meta(&context, &groups, me, founders.as_deref(), &mut tasks).await?;
        let archive = Archive {
            me,
            platform: platform.clone(),
            engine: engine.clone(),
            groups: groups.clone(),
            links: links.clone(),
            orders: meta.clone(),
            meta: state.clone(),
            local_vitals: local_vitals.clone(),
        };
        tasks.spawn(backup::serve(archive, port.clone()));

        let (opened, replicas) = watch::channel(BTreeMap::new());
        let proposers = Proposers::default();
        let monitor = Monitor {
            platform: platform.clone(),
            engine: engine.clone(),
            groups: groups.clone(),
            links: links.clone(),
            proposers: proposers.clone(),
            local_vitals: local_vitals.clone(),
            mark: config.storage_low_mark,
            health: health.clone(),
        };
        tasks.spawn(monitor.run());
        let hosting = Host {
            context,
            groups: groups.clone(),
            links: links.clone(),
            port: port.clone(),
            me,
            held,
            proposers: proposers.clone(),
            opened,
        };
        tasks.spawn(hosting.run(state.clone()));
        tasks.spawn(mover::run(groups.clone(), meta.clone(), state.clone(), platform.planted));
        let (expelling, expelled) = (port.clone(), fatal.clone());
        tasks.spawn(async move {
            expelling.expelled().await;
            expelled.set(removed_text(me));
        });
        let addresses = Addresses {
            cluster: address.clone(),
            client: config.client_address.clone(),
            http: config.http_address.clone(),
        };
        let arrived = Arc::new(AtomicBool::new(false));
        let meta_controller = MetaController {
            groups: groups.clone(),
            links: links.clone(),
            meta: meta.clone(),
            me,
            addresses,
            cluster_id,
            founders,
            birth_level,
            config,
            away: BTreeMap::new(),
            ripe: None,
            arrived: arrived.clone(),
        };
        tasks.spawn(meta_controller.run(state.clone()));
        let finder = Finder {
            platform: platform.clone(),
            port: port.clone(),
            links: links.clone(),
            cluster_id,
            me,
            address,
            seeds,
        };
        tasks.spawn(finder.run());
        port.serve_formation(Arc::new(MetaRegistry { cluster_id, meta: meta.clone(), state: state.clone() }));

        let routing = watch::Sender::new(Arc::new(routing::table(me, &state.borrow(), &groups, &links)));
        let led = watch::Sender::new(Arc::default());
        let (routed, leads) = (routing.subscribe(), led.subscribe());
        let confirmations = Confirmations::default();
        let tables = Tables { routing, led, confirmations: confirmations.clone() };
        let beat = platform.beat.clone();
        tasks.spawn(routing::run(me, beat, groups.clone(), links.clone(), state.clone(), tables));
        let mut balancer = JoinSet::new();
        balancer.spawn(balance::run(groups.clone(), links.clone(), local_vitals.clone(), routed.clone()));

        let cluster = Cluster(Arc::new(Inner {
            platform,
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
            arrived,
            confirmations,
            proposers,
            local_vitals,
            level,
            auto_finalize,
            health,
            search_block: BlockSize::new(limits.search_block),
            tasks: Mutex::new(tasks),
            balancer: Mutex::new(balancer),
        }));
        cluster.wait_for_place(state, replicas).await?;
        Ok(cluster)
    }

    /// Waits until the meta state names this node and the replicas placed here are open.
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
            // Replicas that have moved away meanwhile are not waited for.
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
}
