//! `troupe start`: boot in order, wait for a reason to stop, drain in order.
//!
//! HTTP (which tells how far the start is), engine, cluster, mesh, actors: each needs the one
//! before. The first that fails says what to change.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use troupe_actors::birth::Born;
use troupe_actors::budgets::Limits;
use troupe_actors::node::{NodeConfig, NodeHandle};
use troupe_actors::passwords::Hashing;
use troupe_edge_cim::CimEdge;
use troupe_edge_http::{HttpReceivers, Meters};
use troupe_edge_tcp::TcpEdge;
use troupe_edge_websocket::WebSocketEdge;
use troupe_raft::Cluster;
use troupe_raft::log::length::LogLimits;
use troupe_runtime::Platform;
use troupe_runtime::capped::Capped;
use troupe_runtime::net::TcpNetFrom;
use troupe_store::engine::Engine;

use crate::config::Config;
use crate::connections::ClientPort;
use crate::guard::{self, Guard, Judge};
use crate::http::Running;
use crate::reload::{self, Reload};
use crate::{descriptors, disk, http, orders, service};

/// Why a running node ends.
enum End {
    Asked(&'static str),
    /// Storage failed: nothing more may be promised, so nothing is drained.
    Fatal(String),
}

pub async fn run(config: Config, exit_with_parent: bool, mut reload: Reload) -> Result<()> {
    // From here on a SIGHUP waits until it can be followed; it never ends the node.
    let mut hangups = signal(SignalKind::hangup()).context("SIGHUP cannot be handled")?;
    let caps = descriptors::claim()?;
    reload.most_connections = caps.clients;
    // Bound first: a port in use is the commonest mistake, and nothing is touched yet.
    let http_listener = bind_http(&config.http_listen).await?;
    let mut platform = Platform::production();
    if let Some(from) = config.outgoing {
        platform.net = Arc::new(TcpNetFrom(from));
    }
    // Clients are let in once there is a cluster, but that their port is taken is said now.
    drop(
        platform
            .net
            .bind(&config.client_listen)
            .await
            .with_context(|| taken("client.listen", &config.client_listen))?,
    );
    let guard = Guard::new(&own_addresses(&config));
    let shared = Arc::new(http::Shared::new(config.debug_replica, guard, config.control.clone()));
    let (stop_http, mut http_stopped) = watch::channel(false);
    let meters = Meters::new(config.limits.clone());
    let http_limits = Limits { connections: caps.http, ..config.limits.clone() };
    // From here on it can be asked how far the start has got, also while the database is opened or
    // other nodes are waited for.
    let http = tokio::spawn(http::serve(http_listener, shared.clone(), http_limits, meters.clone(), async move {
        // An error means that the sender is gone, which is the end as well.
        drop(http_stopped.wait_for(|stopped| *stopped).await);
    }));
    let telling = tokio::spawn(service::tell_waiting(shared.waiting.clone()));
    tokio::spawn(service::keep_alive());
    let among_nodes =
        Platform { net: Arc::new(Capped::new(platform.net.clone(), "cluster port", caps.cluster)), ..platform.clone() };
    shared.waiting.tell("opening the database");
    disk::make_private(&config.data_dir)?;
    let engine: Arc<dyn Engine> = Arc::new(disk::open(&config.data_dir, has_peers(&config), platform.planted)?);
    let (limits, waiting) = (LogLimits::keeping(config.log_kept), shared.waiting.clone());
    let cluster = tokio::select! {
        started = Cluster::start_watched(among_nodes, engine, config.cluster.clone(), limits, waiting) => match started {
            Ok(cluster) => cluster,
            Err(error) => return Err(disk::after_failure(&config.data_dir, has_peers(&config), error.into())),
        },
        end = asked_to_stop(exit_with_parent) => {
            service::stopping("stopped before the cluster was formed");
            tracing::info!(end, "stopped before the cluster was formed");
            return Ok(());
        }
    };
    let door = reload::door(&config, &cluster.port())?;
    let serving = NodeConfig {
        hashing: Hashing::Recommended,
        limits: Limits { connections: config.limits.connections.min(caps.clients), ..config.limits.clone() },
        hooks: HttpReceivers::new(platform.net.clone(), config.hooks.clone(), &config.authorities),
    };
    let node = NodeHandle::start(platform.clone(), cluster.clone(), serving).await?;
    let websocket = WebSocketEdge::start(node.service().clone(), config.origins.clone());
    let web = ClientPort::new(http::public(shared.clone()), meters);
    let listening =
        troupe_edge_tcp::Config { listen: config.client_listen.clone(), door: door.clone(), web: Some(Arc::new(web)) };
    let edge = TcpEdge::start(&platform, node.service().clone(), listening).await?;
    let cim = match &config.cim {
        Some(listening) => Some(CimEdge::start(&platform, node.service().clone(), listening.clone()).await?),
        None => None,
    };
    if let Some(cim) = &cim {
        let (http, channel) = (cim.http(), cim.channel());
        tracing::warn!(%http, %channel, "compat.cim is on: clients of CIM have no passwords");
    }
    tracing::info!(
        node = cluster.me().0,
        client = %config.client_listen,
        http = %config.http_listen,
        cluster = %config.cluster.listen,
        "serving"
    );

    let port = cluster.port();
    let is_key: Judge = if port.has_token() {
        Box::new(move |shown| port.is_operator_key(shown))
    } else {
        let own = guard::own_key(&config.data_dir)?;
        Box::new(move |shown| own.is(shown))
    };
    shared.guard.judge_by(is_key);
    tokio::spawn(tell_first_admin(node.born()));
    tokio::spawn(orders::record_token_orders(cluster.port().token_orders(), node.clone()));
    shared.serves(Running { cluster: cluster.clone(), node: node.clone(), websocket: websocket.clone() });
    telling.abort();
    service::serving(cluster.me().0);

    let end = {
        let (asked, fatal) = (asked_to_stop(exit_with_parent), cluster.fatal());
        tokio::pin!(asked, fatal);
        loop {
            tokio::select! {
                reason = &mut asked => break End::Asked(reason),
                why = &mut fatal => break End::Fatal(why),
                Some(()) = hangups.recv() => reload.run(&node, &door, &cluster.port()),
            }
        }
    };
    match end {
        End::Fatal(why) => {
            let error = anyhow!("this node stops without serving anything further: {why}");
            Err(disk::after_failure(&config.data_dir, has_peers(&config), error))
        }
        End::Asked(reason) => {
            tracing::info!(reason, "draining");
            service::stopping("draining: leaders and clients move to other nodes");
            shared.draining.store(true, Ordering::Relaxed);
            let within = Duration::from_secs(config.drain_seconds);
            let drain = async {
                // Leaders first, so that clients find them elsewhere when they move.
                cluster.hand_over(within / 2).await;
                node.drain(within / 2).await;
                edge.stop().await;
                websocket.stop().await;
                if let Some(cim) = &cim {
                    cim.stop().await;
                }
                node.shutdown().await;
                cluster.shutdown().await;
            };
            if tokio::time::timeout(within + Duration::from_secs(2), drain).await.is_err() {
                tracing::warn!("the drain took too long; stopping anyway, nothing acknowledged is lost");
            }
            stop_http.send_replace(true);
            // Keep-alive connections of monitors may linger; they need no goodbye.
            drop(tokio::time::timeout(Duration::from_millis(200), http).await);
            tracing::info!("stopped");
            Ok(())
        }
    }
}

/// The names of this node in the `Host` of a request.
fn own_addresses(config: &Config) -> [&str; 4] {
    let cluster = &config.cluster;
    [&config.http_listen, &cluster.http_address, &cluster.advertise, &cluster.client_address]
}

/// Once, on standard error: the log may go elsewhere, and be kept.
async fn tell_first_admin(mut born: watch::Receiver<Option<Born>>) {
    let Ok(born) = born.wait_for(Option::is_some).await else { return };
    if let Some(Born { name, password }) = &*born {
        let _ = writeln!(
            std::io::stderr(),
            "\nThe first administrator of this cluster is \"{name}\"; one-time password: {password}\n\
             It is not shown again. Set another one with: troupe passwd --as {name}\n"
        );
    }
}

/// Whether others hold copies of what this node holds.
fn has_peers(config: &Config) -> bool {
    config.cluster.join.iter().any(|address| *address != config.cluster.advertise)
}

#[allow(clippy::disallowed_methods, reason = "HTTP is not simulated; this is its only socket")]
async fn bind_http(address: &str) -> Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address).await.with_context(|| taken("http.listen", address))
}

fn taken(key: &str, address: &str) -> String {
    format!("cannot listen on {key} = {address}: is another node running? choose another port")
}

/// SIGTERM, SIGINT, or the end of a supervising parent.
async fn asked_to_stop(exit_with_parent: bool) -> &'static str {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return "no signal handlers";
    };
    let parent = async {
        if exit_with_parent {
            let mut byte = [0u8; 1];
            let mut stdin = tokio::io::stdin();
            while matches!(stdin.read(&mut byte).await, Ok(n) if n > 0) {}
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
        () = parent => "the parent process ended",
    }
}
