//! HTTP on hyper: health, metrics, what the cluster looks like from this node, and the ways of
//! clients.
//!
//! `/livez` says the process works and must not be used for routing. `/startupz` is 503 with the
//! obstacle until the node has begun to serve, and `/readyz` is 503 with reasons while it cannot
//! serve. All three answer from the first moment of the process, long before its cluster has
//! formed. All other paths are those of [`troupe_edge_http`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use troupe_actors::budgets::Limits;
use troupe_actors::node::NodeHandle;
use troupe_core::{NodeId, ShardId};
use troupe_edge_http::{Meters, Problem};
use troupe_edge_websocket::WebSocketEdge;
use troupe_raft::Cluster;
use troupe_raft::cluster::ClusterStatus;
use troupe_raft::formation::waiting::Waiting;

use crate::guard::Guard;
use crate::{metrics, orders, trace, upgrade};

/// The state of the handlers. HTTP is served before anything else, so the boot fills in most of it.
pub struct Shared {
    running: OnceLock<Running>,
    /// Of users. It needs the service of a running node.
    api: OnceLock<Router>,
    /// The obstacle of the boot until then.
    pub waiting: Waiting,
    pub draining: AtomicBool,
    /// Serve applied rows to checkers.
    pub debug_replica: bool,
    /// The check of orders.
    pub guard: Guard,
    /// Of the faults of a demo.
    control: Option<String>,
}

/// A node that has its place and serves. Cheap to clone.
#[derive(Clone)]
pub struct Running {
    pub cluster: Cluster,
    pub node: NodeHandle,
    pub websocket: WebSocketEdge,
}

impl Shared {
    /// Of a process that has just begun.
    pub fn new(debug_replica: bool, guard: Guard, control: Option<String>) -> Shared {
        let (running, api, waiting) = (OnceLock::new(), OnceLock::new(), Waiting::default());
        Shared { running, api, waiting, draining: AtomicBool::new(false), debug_replica, guard, control }
    }

    /// The boot is over.
    pub fn serves(&self, running: Running) {
        // Set once: a node boots once.
        let _ = self.api.set(troupe_edge_http::demo_router(running.node.service().clone(), self.control.clone()));
        let _ = self.running.set(running);
    }

    /// Why there is nothing to show yet.
    fn starting(&self) -> String {
        let text = self.waiting.text();
        if text.is_empty() { "this node starts".to_owned() } else { text }
    }
}

/// Handlers that need a node in its cluster take it from here. Before that they answer 503 with the
/// reason.
impl FromRequestParts<Arc<Shared>> for Running {
    type Rejection = (StatusCode, Json<Value>);

    async fn from_request_parts(_: &mut Parts, shared: &Arc<Shared>) -> Result<Running, Self::Rejection> {
        let starting = || (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": shared.starting() })));
        shared.running.get().cloned().ok_or_else(starting)
    }
}

/// Serves until `stopped` resolves.
pub async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    limits: Limits,
    meters: Meters,
    stopped: impl Future<Output = ()>,
) {
    let app = Router::new()
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .route("/v1/cluster", get(cluster))
        .route("/v1/operate", get(orders::look))
        .merge(crate::operate::route())
        .route("/v1/trace", get(trace::look))
        .route("/v1/upgrade", get(upgrade::look))
        .route("/v1/upgrade/finalize", post(upgrade::finalize))
        .route("/v1/nodes/{node}/{verb}", post(orders::order))
        .route("/v1/users/{user}/make-admin", post(orders::make_admin))
        .route("/v1/users/{user}/enable", post(orders::enable))
        .route("/v1/users/{user}/reset-password", post(orders::reset_password))
        .route("/v1/debug/replica", get(replica))
        .route_layer(from_fn_with_state(shared.clone(), paid))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/startupz", get(startupz))
        .with_state(shared.clone())
        .merge(public(shared));
    crate::connections::serve(listener, app, limits, meters, stopped).await;
}

/// The routes for clients, which the client port serves too.
pub fn public(shared: Arc<Shared>) -> Router {
    let paid = from_fn_with_state(shared.clone(), paid);
    Router::new().route("/v1/ws", any(websocket)).route_layer(paid).fallback(api).with_state(shared)
}

/// The unit of a request to a node that serves. The router of the API takes its own.
async fn paid(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if let Some(running) = shared.running.get()
        && let Err(problem) = troupe_edge_http::fee(running.node.service(), request.extensions()).await
    {
        return problem.into_response();
    }
    next.run(request).await
}

/// The HTTP API, and all paths that do not exist.
async fn api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let Some(api) = shared.api.get() else { return Problem::starting(shared.starting()).into_response() };
    match TowerToHyperService::new(api.clone()).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn websocket(
    running: Running,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    request: Request,
) -> Response {
    running.websocket.upgrade(peer, request)
}

/// Whether the start is over. It stays so while the node lacks a majority or drains.
async fn startupz(State(shared): State<Arc<Shared>>) -> Response {
    match shared.running.get() {
        Some(_) => "ok\n".into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", shared.starting())).into_response(),
    }
}

#[derive(serde::Deserialize)]
struct ReadyQuery {
    /// Given at all: everything that the judgement rests on.
    verbose: Option<String>,
}

async fn readyz(State(shared): State<Arc<Shared>>, Query(query): Query<ReadyQuery>) -> Response {
    let running = shared.running.get();
    let mut reasons = Vec::new();
    let mut seen = None;
    match running {
        Some(running) => {
            let status = running.cluster.status().await;
            reasons.extend(status.readiness.reasons());
            reasons.extend(status.troubles());
            seen = Some(status);
        }
        None => reasons.push(shared.starting()),
    }
    if shared.draining.load(Ordering::Relaxed) {
        reasons.push("this node is draining".into());
    }
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let node = running.map(|running| running.cluster.me().0);
    let mut answer = json!({ "ready": reasons.is_empty(), "node": node, "reasons": reasons });
    if let Some(status) = seen.filter(|_| query.verbose.is_some()) {
        answer["remarks"] = json!(status.remarks());
        answer["detail"] = detail(&status);
    }
    (code, Json(answer)).into_response()
}

fn detail(status: &ClusterStatus) -> Value {
    let readiness = &status.readiness;
    let numbers = |shards: &BTreeSet<ShardId>| shards.iter().map(|shard| shard.0).collect::<Vec<_>>();
    let behind = readiness.behind.iter().map(|(shard, entries)| json!({ "shard": shard.0, "entries": entries }));
    json!({
        "shards": readiness.shards,
        "meta_led": readiness.meta_led,
        "leaderless": numbers(&readiness.leaderless),
        "absent": numbers(&readiness.absent),
        "behind": behind.collect::<Vec<_>>(),
        "replicas_held": readiness.held,
        "replicas_to_come": readiness.to_come,
        "replication_target": readiness.target,
        "under_replicated": numbers(&readiness.under_replicated),
        "storage_low": storage_low(status),
        "clock_skew_ms": by_node(&status.clock_skew_ms),
        "level": status.routing.level.0,
    })
}

fn storage_low(status: &ClusterStatus) -> Vec<u64> {
    status.storage_low.iter().map(|node| node.0).collect()
}

async fn metrics_page(running: Running) -> Response {
    let status = running.cluster.status().await;
    match metrics::render(&status, &running.node.platform().metrics) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn cluster(running: Running) -> Json<Value> {
    Json(describe(&running.cluster.status().await))
}

/// The answer of `/v1/cluster`: routing as this node knows it, and the replicas it holds.
pub fn describe(status: &ClusterStatus) -> Value {
    let routing = &status.routing;
    let nodes: Vec<Value> = routing
        .nodes
        .values()
        .map(|node| {
            json!({
                "id": node.id.0,
                "cluster": node.cluster_address,
                "client": node.client_address,
                "http": node.http_address,
                "reachable": node.reachable || node.id == routing.me,
                "meant": orders::state_word(node.state),
            })
        })
        .collect();
    let shards: Vec<Value> = routing
        .placement
        .iter()
        .map(|(shard, place)| {
            json!({
                "id": shard.0,
                // Of a leader that may have died, or be alone, nothing is said.
                "leader": place.leader.filter(|_| !status.readiness.leaderless.contains(shard)).map(|leader| leader.0),
                "epoch": place.epoch.0,
                "nodes": place.nodes.iter().map(|node| node.0).collect::<Vec<_>>(),
                "version": place.version,
                "moving": place.moving.map(|moving| json!({
                    "from": moving.remove.map(|node| node.0),
                    "to": moving.add.map(|node| node.0),
                    "promoted": moving.promoted,
                })),
            })
        })
        .collect();
    let replicas: Vec<Value> = status
        .replicas
        .iter()
        .map(|replica| {
            let lag: serde_json::Map<String, Value> =
                replica.lag.iter().map(|(node, behind)| (node.to_string(), json!(behind))).collect();
            json!({
                "shard": replica.shard.0,
                "role": replica.role,
                "leader": replica.leader.map(|leader| leader.0),
                "epoch": replica.epoch.0,
                "last_log": replica.last_log,
                "committed": replica.committed,
                "applied": replica.applied,
                "confirmed": !status.readiness.leaderless.contains(&replica.shard),
                "lag": lag,
            })
        })
        .collect();
    json!({
        "cluster_id": routing.cluster_id.iter().map(|b| format!("{b:02x}")).collect::<String>(),
        "node": routing.me.0,
        "meta_leader": status.meta_leader.map(|leader| leader.0),
        "level": status.routing.level.0,
        "clock_skew_ms": by_node(&status.clock_skew_ms),
        "storage_low": storage_low(status),
        "storage": status.storage.map(|storage| json!({
            "free": storage.space.free,
            "total": storage.space.total,
            "low_mark": storage.mark,
        })),
        "replication": {
            "target": status.readiness.target,
            "under_replicated": status.readiness.under_replicated.len(),
        },
        "remarks": status.remarks(),
        "nodes": nodes,
        "shards": shards,
        "replicas": replicas,
    })
}

fn by_node(values: &BTreeMap<NodeId, i64>) -> Value {
    values.iter().map(|(node, value)| (node.to_string(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}

#[derive(serde::Deserialize)]
struct ReplicaQuery {
    /// A conversation: its events after `after`. Missing: the list of conversations after the one
    /// named in `from`.
    conversation: Option<String>,
    #[serde(default)]
    after: u64,
    #[serde(default)]
    from: Option<String>,
}

/// The content of this node's own disk, without asking a leader: for checkers that compare
/// replicas.
async fn replica(
    State(shared): State<Arc<Shared>>,
    running: Running,
    Query(query): Query<ReplicaQuery>,
    headers: HeaderMap,
) -> Response {
    if let Err((code, why)) = shared.guard.not_from_a_page(&headers) {
        return (code, format!("{why}\n")).into_response();
    }
    if !shared.debug_replica {
        let text = "not served: start the node with --debug-replica on loopback\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let answer =
        crate::replica::read(&running.cluster, query.conversation.as_deref(), query.after, query.from.as_deref());
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}\n")).into_response(),
    }
}
