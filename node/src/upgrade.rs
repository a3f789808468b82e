//! `troupe cluster upgrade`: which feature level is in force, what the next one waits for, and the
//! order to raise it. The first half answers over HTTP, the second asks.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use troupe_raft::cluster::operate::OrderError;
use troupe_raft::control::upgrade::Outlook;
use troupe_raft::level::Support;

use crate::asker::Asker;
use crate::exit::refused;
use crate::http::{Running, Shared};
use crate::operator::{Key, Where, operator_key};
use crate::orders::{RECORD_WITHIN, operator, refusal};

/// `GET /v1/upgrade`.
pub async fn look(running: Running) -> Json<Value> {
    let routing = running.cluster.routing().borrow().clone();
    let http = |node| routing.nodes.get(&node).map(|known| known.http_address.clone()).unwrap_or_default();
    let Outlook { in_force, next, members, waits_for } = running.cluster.upgrade();
    let node = |(node, support): (&_, &Option<Support>)| {
        let support = support.as_ref();
        json!({
            "id": troupe_core::NodeId::clone(node).0,
            "heard": support.is_some(),
            "version": support.map(|support| support.version.as_str()),
            "oldest": support.map(|support| support.range.oldest.0),
            "newest": support.map(|support| support.range.newest.0),
            "http": http(*node),
        })
    };
    Json(json!({
        "level": in_force.level.0,
        "next": next.map(|next| next.0),
        "ready": next.is_some() && waits_for.is_empty(),
        "waits_for": waits_for,
        "auto_finalize_seconds": running.cluster.auto_finalize().as_secs(),
        "nodes": members.iter().map(node).collect::<Vec<_>>(),
    }))
}

/// `POST /v1/upgrade/finalize`.
pub async fn finalize(
    State(shared): State<Arc<Shared>>,
    Running { cluster, node, .. }: Running,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if let Err((code, why)) = shared.guard.permits(&headers) {
        return refusal(code, &why);
    }
    let before = cluster.level();
    match cluster.finalize().await {
        Ok(level) => {
            if level > before {
                record(&node, from, &format!("from {before} to {level}")).await;
            }
            Json(json!({ "level": level.0, "raised": level > before })).into_response()
        }
        Err(error) => {
            let code = match error {
                OrderError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                OrderError::Unknown(_) | OrderError::Refused(_) | OrderError::UpgradePending(_) => StatusCode::CONFLICT,
            };
            refusal(code, &error.to_string())
        }
    }
}

/// Behind the deed: before it there may be nodes that know no audit log.
async fn record(node: &troupe_actors::node::NodeHandle, from: SocketAddr, detail: &str) {
    const ACTION: &str = "cluster.finalize";
    tracing::info!(target: "audit", %from, action = ACTION, %detail, "an operator's order");
    let recorded = node.record(operator(from), ACTION, "cluster", detail);
    if !matches!(tokio::time::timeout(RECORD_WITHIN, recorded).await, Ok(Ok(()))) {
        tracing::warn!(target: "audit", %from, action = ACTION, "this order is in this node's log only");
    }
}

#[derive(Subcommand)]
pub enum UpgradeVerb {
    /// The level in force, what each node supports, and what the next level waits for
    Status {
        #[command(flatten)]
        cluster: Where,
    },
    /// Bring into force what all nodes understand. There is no way back to an earlier version
    Finalize(Finalize),
}

#[derive(Args)]
pub struct Finalize {
    #[command(flatten)]
    cluster: Where,
    #[command(flatten)]
    key: Key,
}

pub async fn run(verb: UpgradeVerb) -> Result<()> {
    match verb {
        UpgradeVerb::Status { cluster } => {
            let (_, seen) = Asker::new(&cluster.http).get("/v1/upgrade").await?;
            cluster.output.print(|| seen.clone(), || table(&seen));
        }
        UpgradeVerb::Finalize(Finalize { cluster, key }) => {
            let key = operator_key(&key)?;
            let mut asker = Asker::new(&cluster.http);
            // Learns of the others, so that a node that has stopped meanwhile is no obstacle.
            asker.get("/v1/upgrade").await?;
            let (status, answer) = asker.order("/v1/upgrade/finalize", key.as_deref()).await?;
            if status != 200 {
                return Err(refused(status, &answer));
            }
            let already = if answer["raised"] == true { "" } else { " already" };
            let line = format!("the cluster is at feature level {}{already}\n", answer["level"]);
            cluster.output.print(|| answer, || line);
        }
    }
    Ok(())
}

fn table(seen: &Value) -> String {
    let mut out = format!("feature level {} is in force", seen["level"]);
    match (seen["next"].as_u64(), seen["ready"] == true, seen["auto_finalize_seconds"].as_u64()) {
        (None, ..) => out.push_str(", and no node that can be reached supports more\n"),
        (Some(next), true, Some(after)) if after > 0 => out.push_str(&format!(
            "; level {next} follows when all nodes have supported it for {after} s, or by `troupe cluster upgrade finalize`\n"
        )),
        (Some(next), true, _) => {
            out.push_str(&format!("; `troupe cluster upgrade finalize` brings level {next} into force\n"));
        }
        (Some(next), false, _) => out.push_str(&format!("; level {next} waits\n")),
    }
    for why in seen["waits_for"].as_array().into_iter().flatten() {
        out.push_str(&format!("  {}\n", why.as_str().unwrap_or_default()));
    }
    out.push_str(&format!("\n{:<6}{:<12}{:<10}{}\n", "NODE", "VERSION", "LEVELS", "HEARD"));
    for node in seen["nodes"].as_array().into_iter().flatten() {
        let levels = match (node["oldest"].as_u64(), node["newest"].as_u64()) {
            (Some(oldest), Some(newest)) if oldest == newest => newest.to_string(),
            (Some(oldest), Some(newest)) => format!("{oldest} to {newest}"),
            _ => "?".to_owned(),
        };
        let version = node["version"].as_str().unwrap_or("?");
        let version = if version.is_empty() { "earlier" } else { version };
        let heard = if node["heard"] == true { "yes" } else { "no" };
        out.push_str(&format!("{:<6}{version:<12}{levels:<10}{heard}\n", node["id"].to_string()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Value {
        json!({
            "level": 1,
            "next": 2,
            "ready": false,
            "waits_for": ["node 2 cannot be reached: start it, or take it out of the cluster"],
            "auto_finalize_seconds": 600,
            "nodes": [
                { "id": 1, "heard": true, "version": "0.2.0", "oldest": 1, "newest": 2 },
                { "id": 2, "heard": false, "version": null, "oldest": null, "newest": null },
                { "id": 3, "heard": true, "version": "", "oldest": 1, "newest": 1 },
            ],
        })
    }

    #[test]
    fn the_table_names_the_nodes_that_block_the_next_level() {
        let text = table(&seen());
        assert!(text.starts_with("feature level 1 is in force; level 2 waits\n  node 2 cannot be reached"), "{text}");
        for line in
            ["1     0.2.0       1 to 2    yes", "2     ?           ?         no", "3     earlier     1         yes"]
        {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn the_table_says_how_the_next_level_comes() {
        let mut ready = seen();
        ready["ready"] = json!(true);
        ready["waits_for"] = json!([]);
        assert!(
            table(&ready).contains("level 2 follows when all nodes have supported it for 600 s"),
            "{}",
            table(&ready)
        );
        ready["auto_finalize_seconds"] = json!(0);
        assert!(table(&ready).contains("finalize` brings level 2 into force"), "{}", table(&ready));
        ready["next"] = Value::Null;
        assert!(table(&ready).contains("no node that can be reached supports more"), "{}", table(&ready));
    }
}
