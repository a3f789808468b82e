//! HTTP on hyper: health, metrics, and what the cluster looks like from this node.
//!
//! `/livez` says the process works and must not be used for routing; `/readyz` is 503 with reasons while this node cannot serve.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use troupe_actors::node::NodeHandle;
use troupe_core::NodeId;
use troupe_raft::Cluster;
use troupe_raft::cluster::ClusterStatus;

use crate::{metrics, orders};

/// What the handlers look at.
pub struct Shared {
    pub cluster: Cluster,
    pub node: NodeHandle,
    pub draining: AtomicBool,
    /// Serve applied rows to checkers.
    pub debug_replica: bool,
    /// Nobody from outside this machine reaches the port.
    pub http_on_loopback: bool,
}

/// Serves until `stopped` resolves.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>, places: usize, stopped: impl Future<Output = ()>) {
    let app = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .route("/v1/cluster", get(cluster))
        .route("/v1/nodes", get(nodes))
        .route("/v1/operate", get(orders::look))
        .route("/v1/nodes/{node}/{verb}", post(orders::order))
        .route("/v1/debug/replica", get(replica))
        .with_state(shared);
    crate::connections::serve(listener, app, places, stopped).await;
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let status = shared.cluster.status().await;
    let mut reasons = reasons(&status);
    if shared.draining.load(Ordering::Relaxed) {
        reasons.push("this node is draining".into());
    }
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ "ready": reasons.is_empty(), "node": status.routing.me.0, "reasons": reasons })))
        .into_response()
}

/// Why this node cannot serve everything now; empty when it can.
fn reasons(status: &ClusterStatus) -> Vec<String> {
    let mut reasons = Vec::new();
    let Some(map) = status.routing.shards else {
        return vec!["the cluster's placement is not known yet".into()];
    };
    if status.meta_leader.is_none() {
        reasons.push("the meta group has no leader".into());
    }
    let leaderless = map.shards().filter(|shard| status.routing.leader(*shard).is_none()).count();
    if leaderless > 0 {
        reasons.push(format!("{leaderless} of {} shards have no leader that this node knows", map.count));
    }
    reasons.extend(status.troubles());
    reasons
}

async fn metrics_page(State(shared): State<Arc<Shared>>) -> Response {
    let status = shared.cluster.status().await;
    let text = metrics::render(&status, &shared.node.stats());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn cluster(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(describe(&shared.cluster.status().await))
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
                "leader": place.leader.map(|leader| leader.0),
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
                "lag": lag,
            })
        })
        .collect();
    json!({
        "cluster_id": routing.cluster_id.iter().map(|b| format!("{b:02x}")).collect::<String>(),
        "node": routing.me.0,
        "meta_leader": status.meta_leader.map(|leader| leader.0),
        "clock_skew_ms": by_node(&status.clock_skew_ms),
        "storage_low": status.storage_low.iter().map(|node| node.0).collect::<Vec<_>>(),
        "storage": status.storage.map(|storage| json!({
            "free": storage.space.free,
            "total": storage.space.total,
            "low_mark": storage.mark,
        })),
        "nodes": nodes,
        "shards": shards,
        "replicas": replicas,
    })
}

fn by_node(values: &BTreeMap<NodeId, i64>) -> Value {
    values.iter().map(|(node, value)| (node.to_string(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}

/// Client addresses, for clients to spread over.
async fn nodes(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let status = shared.cluster.status().await;
    let nodes: Vec<Value> = status
        .routing
        .nodes
        .values()
        .filter(|node| !status.routing.leaves(node.id))
        .map(|node| {
            json!({ "id": node.id.0, "client": node.client_address, "reachable": node.reachable || node.id == status.routing.me })
        })
        .collect();
    Json(json!({ "nodes": nodes }))
}

#[derive(serde::Deserialize)]
struct ReplicaQuery {
    /// A conversation: its events after `after`. Missing: the list of conversations after the one named in `from`.
    conversation: Option<String>,
    #[serde(default)]
    after: u64,
    #[serde(default)]
    from: Option<String>,
}

/// What this node's own disk says, without asking a leader: for checkers that compare replicas.
async fn replica(State(shared): State<Arc<Shared>>, Query(query): Query<ReplicaQuery>) -> Response {
    if !shared.debug_replica {
        let text = "not served: start the node with --debug-replica on loopback\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let answer =
        crate::replica::read(&shared.cluster, query.conversation.as_deref(), query.after, query.from.as_deref());
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}\n")).into_response(),
    }
}
