//! The HTTP half of `troupe node`: who is in the cluster, what moves, and the operator's orders.
//!
//! Looking is for everybody who reaches the port, as with status and metrics. Orders want `Authorization: Bearer` with the operator's key,
//! which follows from the cluster's join token (`troupe node` derives it; the token itself never travels). A cluster without a token
//! takes orders only on loopback.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use troupe_core::NodeId;
use troupe_raft::meta::NodeState;
use troupe_raft::operate::{Move, Order, OrderError, Prospect, Verb};
use troupe_raft::{Cluster, Routing};

use crate::http::{Running, Shared};

#[derive(serde::Deserialize)]
pub struct Options {
    /// Only says what would be done.
    #[serde(default)]
    dry_run: bool,
    /// Of `replace`: who takes over.
    with: Option<u64>,
    /// Replicas of each shard from now on.
    replication: Option<u32>,
}

/// One word for what is meant to become of a node.
pub fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Active => "active",
        NodeState::Draining => "draining",
        NodeState::Leaving { .. } => "leaving",
        NodeState::Lost => "lost",
    }
}

pub fn describe_move(moving: &Move) -> Value {
    json!({
        "shard": moving.shard.0,
        "from": moving.from.map(|node| node.0),
        "to": moving.to.map(|node| node.0),
        "under_way": moving.under_way,
    })
}

/// `GET /v1/operate`: all nodes with what they hold, and every move that is under way or to come.
pub async fn look(running: Running) -> Json<Value> {
    let routing = running.cluster.routing().borrow().clone();
    let moves: Vec<Value> = running.cluster.to_come().iter().map(describe_move).collect();
    Json(json!({ "nodes": nodes(&routing), "moves": moves }))
}

fn nodes(routing: &Routing) -> Vec<Value> {
    let node = |node: &troupe_raft::cluster::NodeInfo| {
        let places = routing.placement.values();
        let replicas = places.clone().filter(|place| place.nodes.contains(&node.id)).count();
        let leads = places.filter(|place| place.leader == Some(node.id)).count();
        json!({
            "id": node.id.0,
            "state": state_word(node.state),
            "reachable": node.reachable || node.id == routing.me,
            "replicas": replicas,
            "leads": leads,
            "cluster": node.cluster_address,
            "http": node.http_address,
        })
    };
    routing.nodes.values().map(node).collect()
}

/// `POST /v1/nodes/{node}/{verb}`.
pub async fn order(
    State(shared): State<Arc<Shared>>,
    Running { cluster, .. }: Running,
    Path((node, verb)): Path<(u64, String)>,
    Query(options): Query<Options>,
    headers: HeaderMap,
) -> Response {
    if let Err(why) = permit(&shared, &cluster, &headers) {
        return refusal(StatusCode::UNAUTHORIZED, &why);
    }
    let verb = match (verb.as_str(), options.with) {
        ("drain", None) => Verb::Drain,
        ("undrain", None) => Verb::Undrain,
        ("remove", None) => Verb::Remove,
        ("replace", with) => Verb::Replace { heir: with.map(NodeId) },
        ("drain" | "undrain" | "remove", Some(_)) => {
            return refusal(StatusCode::BAD_REQUEST, "only `replace` takes a node to replace it with");
        }
        _ => return refusal(StatusCode::NOT_FOUND, "no such order: drain, undrain, remove, replace"),
    };
    let order = Order { node: NodeId(node), verb, replication: options.replication };
    let outcome = if options.dry_run { cluster.foresee(&order) } else { cluster.order(&order).await };
    match outcome {
        Ok(Prospect { moves, removed }) => {
            let moves: Vec<Value> = moves.iter().map(describe_move).collect();
            Json(json!({ "node": node, "dry_run": options.dry_run, "removed": removed, "moves": moves }))
                .into_response()
        }
        Err(error) => {
            let code = match error {
                OrderError::Unknown(_) => StatusCode::NOT_FOUND,
                OrderError::Refused(_) => StatusCode::CONFLICT,
                OrderError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            };
            refusal(code, &error.to_string())
        }
    }
}

fn refusal(code: StatusCode, why: &str) -> Response {
    (code, Json(json!({ "error": why }))).into_response()
}

fn permit(shared: &Shared, cluster: &Cluster, headers: &HeaderMap) -> Result<(), String> {
    let port = cluster.port();
    if !port.has_token() {
        return if shared.http_on_loopback {
            Ok(())
        } else {
            Err("this cluster has no token, so it takes orders only on loopback: set http.listen to 127.0.0.1".into())
        };
    }
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match shown.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(shown) if port.is_operator_key(shown.trim()) => Ok(()),
        Some(_) => Err("the operator's key is not this cluster's: give the join token of this cluster".into()),
        None => Err("orders want the operator's key: `troupe node` makes it from the join token".into()),
    }
}
