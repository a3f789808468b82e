//! How a node's part in the cluster comes up: from the port to its place among the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use troupe_core::{ReplicaId, ShardId};
use troupe_runtime::NodeCtx;
use troupe_runtime::net::BoxFuture;
use troupe_store::engine::Engine;

use super::{Cluster, ClusterConfig, Inner, StartError};
use crate::backup::{self, Archive};
use crate::finder::Finder;
use crate::flusher::Flusher;
use crate::formation::ledger::Ledger;
use crate::formation::{self, Established};
use crate::group::{Ground, Groups};
use crate::health::{Health, Monitor};
use crate::host::{self, Host, Proposers, Register};
use crate::level::LevelHere;
use crate::link::Links;
use crate::meta::state::removed_text;
use crate::meta::{self, Addresses, Meta, MetaState};
use crate::network::Network;
use crate::readiness::Confirmations;
use crate::routing::Tables;
use crate::steward::Steward;
use crate::timing;
use crate::trim::LogLimits;
use crate::vitals::Mine;
use crate::waiting::Waiting;
use crate::{balance, gone, mover, routing, serve, snapshot};

impl Cluster {
    /// Listens, forms or joins the cluster, opens the replicas of this node, and returns when the
    /// node is a member and knows the placement (leaders may still be unknown).
    pub async fn start(ctx: NodeCtx, engine: Arc<dyn Engine>, config: ClusterConfig) -> Result<Cluster, StartError> {
        Cluster::start_watched(ctx, engine, config, Waiting::default()).await
    }

    /// The same; `waiting` says at any moment what the start is waiting for.
    pub async fn start_watched(
        ctx: NodeCtx,
        engine: Arc<dyn Engine>,
        config: ClusterConfig,
        waiting: Waiting,
    ) -> Result<Cluster, StartError> {
        // Boxed like `start_tuned`.
        let opening: BoxFuture<'static, _> =
            Box::pin(Cluster::open(ctx, engine, config, LogLimits::default(), waiting));
        opening.await
    }

    /// With another length of the logs; tests and simulation make them short.
    ///
    /// Boxed, so that all of agreement is compiled once, here, and not again in every program that
    /// starts it.
    pub fn start_tuned(
        ctx: NodeCtx,
        engine: Arc<dyn Engine>,
        config: ClusterConfig,
        limits: LogLimits,
    ) -> BoxFuture<'static, Result<Cluster, StartError>> {
        Box::pin(Cluster::open(ctx, engine, config, limits, Waiting::default()))
    }

    async fn open(
        ctx: NodeCtx,
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
        let Established { cluster_id, me, known, founders, birth_level, port, book, address, seeds } =
            formation::establish(&ctx, engine.clone(), &config, &level, &waiting).await?;
        waiting.tell("waiting for the cluster's table to name this node: a majority of the nodes must be up");
        let fatal = book.fatal();
        let flusher = Flusher::start(ctx.clone(), engine.clone(), fatal.clone());
        let ledger = Ledger {
            book,
            port: port.clone(),
            cluster_id,
            me,
            address: address.clone(),
            levels: supports.range,
            level: level.clone(),
        };
        let links = Links::new(ctx.clone(), port.clone(), ledger, me);
        let groups = Groups::new();
        let (mine, health) = (Mine::new(supports.clone()), Health::default());
        let raft_config = timing::raft_config(me.to_string(), limits).validate();
        let ground = Ground {
            ctx: ctx.clone(),
            engine: engine.clone(),
            flusher: flusher.clone(),
            fatal: fatal.clone(),
            network: Network::new(ctx.clone(), port.clone(), links.clone(), health.clone()),
            config: Arc::new(raft_config.map_err(|error| StartError::Refused(error.to_string()))?),
            limits,
            supports: supports.range,
            level: level.clone(),
        };
        // Whoever was removed before it got anything is told so when it asks: nobody would come to
        // say it.
        links.connect(known);

        let mut tasks = JoinSet::new();
        let meta = Meta::new(groups.clone(), links.clone(), level.clone());
        tasks.spawn(serve::run(ctx.clone(), port.clone(), groups.clone(), meta.clone(), mine.clone()));
        tasks.spawn(gone::run(groups.clone(), links.clone()));
        tasks.spawn(snapshot::serve(ctx.clone(), engine.clone(), port.clone(), groups.clone()));
        let held = host::held(&engine, me)?;
        let state = host::open_meta(&ground, &groups, me, founders.as_deref(), &mut tasks).await?;
        let archive = Archive {
            me,
            ctx: ctx.clone(),
            engine: engine.clone(),
            groups: groups.clone(),
            links: links.clone(),
            orders: meta.clone(),
            meta: state.clone(),
            mine: mine.clone(),
        };
        tasks.spawn(backup::serve(archive, port.clone()));

        let (opened, replicas) = watch::channel(BTreeMap::new());
        let proposers = Proposers::default();
        let monitor = Monitor {
            ctx: ctx.clone(),
            engine: engine.clone(),
            groups: groups.clone(),
            links: links.clone(),
            proposers: proposers.clone(),
            mine: mine.clone(),
            mark: config.storage_low_mark,
            health: health.clone(),
        };
        tasks.spawn(monitor.run());
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
            cluster: address.clone(),
            client: config.client_address.clone(),
            http: config.http_address.clone(),
        };
        let arrived = Arc::new(AtomicBool::new(false));
        let steward = Steward {
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
        tasks.spawn(steward.run(state.clone()));
        let finder =
            Finder { ctx: ctx.clone(), port: port.clone(), links: links.clone(), cluster_id, me, address, seeds };
        tasks.spawn(finder.run());
        port.serve_formation(Arc::new(Register { cluster_id, meta: meta.clone(), state: state.clone() }));

        let routing = watch::Sender::new(Arc::new(routing::table(me, &state.borrow(), &groups, &links)));
        let led = watch::Sender::new(Arc::default());
        let (routed, leads) = (routing.subscribe(), led.subscribe());
        let confirmations = Confirmations::default();
        let tables = Tables { routing, led, confirmations: confirmations.clone() };
        tasks.spawn(routing::run(me, groups.clone(), links.clone(), state.clone(), tables));
        let mut balancer = JoinSet::new();
        balancer.spawn(balance::run(groups.clone(), links.clone(), mine.clone(), routed.clone()));

        let cluster = Cluster(Arc::new(Inner {
            ctx,
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
            mine,
            level,
            auto_finalize,
            health,
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
}
