//! `troupe cluster status`: asks one node for the list, then every node for its own replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cli::Output;
use troupe_chaos::fetch;

const PATIENCE: Duration = Duration::from_secs(2);

pub async fn run(http: &str, output: Output) -> Result<()> {
    let status = gather(http).await?;
    match output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&status)?),
        Output::Table => print!("{}", table(&status)),
    }
    Ok(())
}

/// The cluster as one node sees it, with each shard's lag as its leader sees it.
pub async fn gather(http: &str) -> Result<Value> {
    let (_, mut status) = fetch::get_json(http, "/v1/cluster", PATIENCE).await?;
    let nodes = status["nodes"].as_array().cloned().context("the answer has no nodes: is this a troupe node?")?;
    let mut leaders: BTreeMap<u64, Value> = BTreeMap::new();
    let mut states = Vec::new();
    for node in nodes {
        let address = node["http"].as_str().unwrap_or_default();
        let ready = fetch::get_json(address, "/readyz", PATIENCE).await;
        let mut state = match &ready {
            Ok((200, _)) => "ready".to_owned(),
            Ok((_, answer)) => format!("not ready: {}", join(&answer["reasons"])),
            Err(_) => "no answer".to_owned(),
        };
        if let Some(meant) = node["meant"].as_str().filter(|meant| *meant != "active") {
            state = format!("{meant}, {state}");
        }
        if let Ok((_, theirs)) = fetch::get_json(address, "/v1/cluster", PATIENCE).await {
            for replica in theirs["replicas"].as_array().into_iter().flatten().filter(|r| r["role"] == "leader") {
                let shard = replica["shard"].as_u64().unwrap_or_default();
                // Two may claim it for a moment after a failover; the later epoch is right.
                let newer = leaders.get(&shard).is_none_or(|held| held["epoch"].as_u64() < replica["epoch"].as_u64());
                if newer {
                    leaders.insert(shard, replica.clone());
                }
            }
        }
        let mut node = node;
        node["state"] = json!(state);
        states.push(node);
    }
    status["nodes"] = Value::Array(states);
    for shard in status["shards"].as_array_mut().into_iter().flatten() {
        let Some(leader) = shard["id"].as_u64().and_then(|id| leaders.get(&id)) else { continue };
        for field in ["leader", "epoch", "committed", "applied", "lag"] {
            shard[field] = leader[field].clone();
        }
    }
    Ok(status)
}

fn join(reasons: &Value) -> String {
    let texts: Vec<&str> = reasons.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    texts.join("; ")
}

fn table(status: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut out = format!(
        "cluster {}   meta leader: node {}\n\n{:<6}{:<24}{:<24}{:<24}{}\n",
        text(&status["cluster_id"]),
        text(&status["meta_leader"]),
        "NODE",
        "CLIENT",
        "HTTP",
        "CLUSTER",
        "STATE"
    );
    for node in status["nodes"].as_array().into_iter().flatten() {
        out.push_str(&format!(
            "{:<6}{:<24}{:<24}{:<24}{}\n",
            text(&node["id"]),
            text(&node["client"]),
            text(&node["http"]),
            text(&node["cluster"]),
            text(&node["state"])
        ));
    }
    out.push_str(&format!(
        "\n{:<7}{:<8}{:<8}{:<12}{:<12}{}\n",
        "SHARD", "LEADER", "EPOCH", "COMMITTED", "REPLICAS", "LAG"
    ));
    let mut moves: Vec<String> = Vec::new();
    for shard in status["shards"].as_array().into_iter().flatten() {
        let replicas: Vec<String> = shard["nodes"].as_array().into_iter().flatten().map(text).collect();
        let lag: Vec<String> = shard["lag"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(node, behind)| format!("{node}:{}", text(behind)))
            .collect();
        if shard["moving"].is_object() {
            let step = if shard["moving"]["promoted"] == true { "members change" } else { "catches up" };
            let mut moving = shard["moving"].clone();
            moving["shard"] = shard["id"].clone();
            moves.push(format!("{}   ({step})\n", crate::operator::move_line(&moving)));
        }
        out.push_str(&format!(
            "{:<7}{:<8}{:<8}{:<12}{:<12}{}\n",
            text(&shard["id"]),
            text(&shard["leader"]),
            text(&shard["epoch"]),
            text(&shard["committed"]),
            replicas.join(","),
            if lag.is_empty() { "-".into() } else { lag.join(" ") }
        ));
    }
    if !moves.is_empty() {
        out.push_str(&format!("\nMOVES UNDER WAY\n{}", moves.concat()));
    }
    out
}
