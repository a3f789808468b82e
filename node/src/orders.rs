//! The HTTP half of `troupe node`: who is in the cluster, what moves, and the operator's orders.
//!
//! Looking is for everybody who reaches the port, as with status and metrics. Orders want
//! `Authorization: Bearer` with the operator's key, which follows from the cluster's join token
//! (`troupe node` derives it; the token itself never travels). A node without a token makes a key
//! for itself ([`crate::guard`]). Each order is in the cluster's audit log.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use troupe_actors::node::NodeHandle;
use troupe_core::record::Author;
use troupe_core::{NodeId, UserId};
use troupe_proto::wire::client::admin::Operation;
use troupe_proto::wire::client::failure::Kind;
use troupe_proto::wire::client::{self as say};
use troupe_raft::Routing;
use troupe_raft::api::NodeState;
use troupe_raft::cluster::operate::{ChangePlan, Move, Order, OrderError, Verb};
use troupe_raft::transport::port::TokenOrder;
use troupe_runtime::Rng;

use crate::http::{Running, Shared};

/// For the row of a change of the token.
const TOKEN_WITHIN: Duration = Duration::from_secs(60);
/// An order waits no longer than this for its row in the audit log.
pub(crate) const RECORD_WITHIN: Duration = Duration::from_secs(3);

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
    let node = |node: &troupe_raft::api::NodeInfo| {
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
    Running { cluster, node: node_handle, .. }: Running,
    Path((node, verb)): Path<(u64, String)>,
    Query(options): Query<Options>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if let Err((code, why)) = shared.guard.permits(&headers) {
        return refusal(code, &why);
    }
    let verb = match (verb.as_str(), options.with) {
        ("drain", None) => Verb::Drain,
        ("undrain", None) => Verb::Undrain,
        ("remove", None) => Verb::Remove,
        ("replace", with) => Verb::Replace { replacement: with.map(NodeId) },
        ("drain" | "undrain" | "remove", Some(_)) => {
            return refusal(StatusCode::BAD_REQUEST, "only `replace` takes a node to replace it with");
        }
        _ => return refusal(StatusCode::NOT_FOUND, "no such order: drain, undrain, remove, replace"),
    };
    let order = Order { node: NodeId(node), verb, replication: options.replication };
    let outcome = match cluster.plan_change(&order) {
        Ok(_) if !options.dry_run => {
            record(&node_handle, from, &order).await;
            cluster.order(&order).await
        }
        foreseen => foreseen,
    };
    match outcome {
        Ok(ChangePlan { moves, removed }) => {
            let moves: Vec<Value> = moves.iter().map(describe_move).collect();
            Json(json!({ "node": node, "dry_run": options.dry_run, "removed": removed, "moves": moves }))
                .into_response()
        }
        Err(error) => {
            let code = match error {
                OrderError::Unknown(_) => StatusCode::NOT_FOUND,
                OrderError::Refused(_) | OrderError::UpgradePending(_) => StatusCode::CONFLICT,
                OrderError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            };
            refusal(code, &error.to_string())
        }
    }
}

/// An order may be what brings a shard its majority back, so it does not wait for its row in the
/// audit log.
async fn record(node: &NodeHandle, from: SocketAddr, order: &Order) {
    let action = match order.verb {
        Verb::Drain => "node.drain",
        Verb::Undrain => "node.undrain",
        Verb::Remove => "node.remove",
        Verb::Replace { .. } => "node.replace",
    };
    let target = format!("node {}", order.node);
    let detail = match (order.verb, order.replication) {
        (Verb::Replace { replacement: Some(replacement) }, _) => format!("with node {replacement}"),
        (_, Some(replication)) => format!("replication {replication}"),
        _ => String::new(),
    };
    tracing::info!(target: "audit", %from, action, %target, %detail, "an operator's order");
    let recorded = node.record(operator(from), action, &target, &detail);
    if !matches!(tokio::time::timeout(RECORD_WITHIN, recorded).await, Ok(Ok(()))) {
        tracing::warn!(target: "audit", %from, action, %target, "this order is in this node's log only");
    }
}

/// Writes down, until the node ends, that the join token was changed at its lead.
pub async fn record_token_orders(mut orders: mpsc::Receiver<TokenOrder>, node: NodeHandle) {
    while let Some(TokenOrder { from, token }) = orders.recv().await {
        let detail = format!("to {token}");
        // Every connection between nodes begins again when the token before is forgotten.
        let recorded = node.record(operator(from), "token.rotate", "cluster", &detail);
        if !matches!(tokio::time::timeout(TOKEN_WITHIN, recorded).await, Ok(Ok(()))) {
            tracing::warn!(target: "audit", %from, %token, "this change of the token is in this node's log only");
        }
    }
}

pub(crate) fn operator(from: SocketAddr) -> Author {
    Author { user: UserId(0), name: "operator".to_owned(), address: from.to_string() }
}

/// The operator, with the node that performs its orders on accounts. They are the way back to an
/// account when no administrator can log in.
pub struct Operator {
    node: NodeHandle,
    from: SocketAddr,
}

impl FromRequestParts<Arc<Shared>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Operator, Response> {
        let ConnectInfo(from) =
            ConnectInfo::<SocketAddr>::from_request_parts(parts, shared).await.map_err(IntoResponse::into_response)?;
        let running = Running::from_request_parts(parts, shared).await.map_err(IntoResponse::into_response)?;
        match shared.guard.permits(&parts.headers) {
            Ok(()) => Ok(Operator { node: running.node, from }),
            Err((code, why)) => Err(refusal(code, &why)),
        }
    }
}

impl Operator {
    async fn order(&self, user: &str, operation: Operation, password: Option<&str>) -> Response {
        match self.node.operate(operator(self.from), operation).await {
            Ok(_) => Json(json!({ "user": user, "one_time_password": password })).into_response(),
            Err(failure) => {
                let code = match (failure.kind(), failure.code.as_str()) {
                    (_, "no_such_user") => StatusCode::NOT_FOUND,
                    (Kind::Rejected, _) => StatusCode::CONFLICT,
                    _ => StatusCode::SERVICE_UNAVAILABLE,
                };
                refusal(code, &failure.text)
            }
        }
    }
}

/// `POST /v1/users/{user}/make-admin`.
pub async fn make_admin(operator: Operator, Path(user): Path<String>) -> Response {
    let operation = Operation::SetAdmin(say::SetAdmin { account: user.clone(), admin: true });
    operator.order(&user, operation, None).await
}

/// `POST /v1/users/{user}/enable`.
pub async fn enable(operator: Operator, Path(user): Path<String>) -> Response {
    operator.order(&user, Operation::EnableAccount(user.clone()), None).await
}

/// `POST /v1/users/{user}/reset-password`.
pub async fn reset_password(operator: Operator, Path(user): Path<String>) -> Response {
    let password = Rng::from_os().password();
    let operation = Operation::ResetPassword(say::ResetPassword { account: user.clone(), password: password.clone() });
    operator.order(&user, operation, Some(&password)).await
}

pub(crate) fn refusal(code: StatusCode, why: &str) -> Response {
    (code, Json(json!({ "error": why }))).into_response()
}
