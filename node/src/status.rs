//! `troupe cluster status`: asks one node for the list, then every node for its own replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::join_all;
use serde_json::{Value, json};
use troupe_fetch as fetch;

use crate::arguments::Output;
use crate::asker::Asker;

const PATIENCE: Duration = Duration::from_secs(2);

pub async fn run(http: &str, output: Output) -> Result<()> {
    let status = gather(http).await?;
    output.print(|| status.clone(), || table(&status));
    Ok(())
}

/// The cluster as one node sees it, with each node as it sees itself, and each shard's lag as its
/// leader sees it.
pub async fn gather(http: &str) -> Result<Value> {
    gather_from(http).await.map(|(_, status)| status)
}

/// The same, and the address that was asked for the list.
pub async fn gather_from(http: &str) -> Result<(String, Value)> {
    let (answered, mut status) = Asker::new(http).get("/v1/cluster").await?;
    let nodes = status["nodes"].as_array().cloned().context("the answer has no nodes: is this a troupe node?")?;
    let seen = join_all(nodes.iter().map(|node| look_at(node, &status, &answered))).await;
    let mut leaders: BTreeMap<u64, Value> = BTreeMap::new();
    let mut states = Vec::new();
    for (mut node, Seen { mut state, cluster }) in nodes.into_iter().zip(seen) {
        if let Some(meant) = node["meant"].as_str().filter(|meant| *meant != "active") {
            state = format!("{meant}, {state}");
        }
        let replicas = cluster["replicas"].as_array().cloned().unwrap_or_default();
        let leads = |replica: &Value| replica["role"] == "leader" && replica["confirmed"] != false;
        for replica in replicas.into_iter().filter(leads) {
            let shard = replica["shard"].as_u64().unwrap_or_default();
            // Two may claim it for a moment after a failover; the later epoch is right.
            let newer = leaders.get(&shard).is_none_or(|held| held["epoch"].as_u64() < replica["epoch"].as_u64());
            if newer {
                leaders.insert(shard, replica);
            }
        }
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
    Ok((answered, status))
}

/// A node's report about itself.
struct Seen {
    state: String,
    /// Its own answer; null without one.
    cluster: Value,
}

/// Asks the node itself, and takes only its own word: another one may answer at its address.
async fn look_at(node: &Value, status: &Value, answered: &str) -> Seen {
    let without = |state: &str| Seen { state: state.to_owned(), cluster: Value::Null };
    let asked = node["id"] == status["node"];
    let address = if asked { answered } else { node["http"].as_str().unwrap_or_default() };
    let witness = &status["node"];
    let reached = node["reachable"] == true;
    if address.is_empty() {
        let seen = if reached { "reached" } else { "not reached" };
        return without(&format!("{seen} by node {witness}; it tells no HTTP address (http.advertise)"));
    }
    let (cluster, ready) =
        tokio::join!(fetch::get_json(address, "/v1/cluster", PATIENCE), fetch::get_json(address, "/readyz", PATIENCE));
    if let Ok((503, starting)) = &cluster {
        return without(&format!("not ready: {}", starting["error"].as_str().unwrap_or("it starts")));
    }
    let Ok((_, cluster)) = cluster else {
        return without(&if reached {
            format!("no answer, but node {witness} reaches it")
        } else {
            "no answer".to_owned()
        });
    };
    if cluster["node"] != node["id"] || cluster["cluster_id"] != status["cluster_id"] {
        let other = match &cluster["node"] {
            Value::Null => "something else".to_owned(),
            other => format!("node {other} of cluster {}", cluster["cluster_id"].as_str().unwrap_or("-")),
        };
        return without(&format!("unknown: {other} answers at its HTTP address"));
    }
    let state = match ready {
        Ok((200, answer)) if answer["node"] == node["id"] => "ready".to_owned(),
        Ok((_, answer)) if answer["node"] == node["id"] => format!("not ready: {}", join(&answer["reasons"])),
        Ok(_) => "unknown: another node answers at its HTTP address".to_owned(),
        Err(_) => "no answer".to_owned(),
    };
    Seen { state, cluster }
}

fn join(reasons: &Value) -> String {
    let texts: Vec<&str> = reasons.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    texts.join("; ")
}

fn table(status: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
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
    for remark in status["remarks"].as_array().into_iter().flatten() {
        out.push_str(&format!("\n{}\n", text(remark)));
    }
    if !moves.is_empty() {
        out.push_str(&format!("\nMOVES UNDER WAY\n{}", moves.concat()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asker::stand_in;

    /// Node 1 of three, all of which it says to be at these HTTP addresses. Nodes 1 and 2 reach
    /// each other.
    fn first(path: &str, http: [&str; 3]) -> Value {
        let node = |id: usize| json!({ "id": id, "http": http[id - 1], "reachable": id < 3, "meant": "active", "client": "", "cluster": "" });
        match path {
            "/readyz" => json!({ "ready": true, "node": 1, "reasons": [] }),
            _ => json!({
                "cluster_id": "c1", "node": 1, "nodes": [node(1), node(2), node(3)],
                "shards": [{ "id": 0, "leader": 1 }],
                "replicas": [{ "shard": 0, "role": "leader", "epoch": 3, "leader": 1 }],
            }),
        }
    }

    async fn states(http: [&str; 3]) -> Vec<String> {
        let told = http.map(str::to_owned);
        let address = stand_in::node(move |path| first(path, [&told[0], &told[1], &told[2]])).await;
        let status = gather(&format!("127.0.0.1:1,{address}")).await.expect("it answers");
        assert_eq!(status["shards"][0]["epoch"], 3, "{status}");
        let nodes = status["nodes"].as_array().expect("nodes");
        nodes.iter().map(|node| node["state"].as_str().expect("a state").to_owned()).collect()
    }

    /// As README's command for several hosts was: each address leads to the one node on this host.
    #[tokio::test]
    async fn the_word_of_one_node_counts_for_no_other() {
        let one = stand_in::node(|path| first(path, ["", "", ""])).await;
        let seen = states([&one, &one, &one]).await;
        assert_eq!(seen[0], "ready");
        for other in &seen[1..] {
            assert_eq!(other, "unknown: node 1 of cluster c1 answers at its HTTP address");
        }
    }

    #[tokio::test]
    async fn a_node_that_tells_no_address_is_seen_through_the_one_that_was_asked() {
        let seen = states(["", "", ""]).await;
        assert_eq!(seen[0], "ready", "it was asked itself");
        assert!(seen[1].starts_with("reached by node 1") && seen[2].starts_with("not reached by node 1"), "{seen:?}");
    }

    #[tokio::test]
    async fn a_dead_node_and_one_of_another_cluster_are_not_ready() {
        let foreign = stand_in::node(|path| match path {
            "/readyz" => json!({ "ready": true, "node": 2, "reasons": [] }),
            _ => json!({ "cluster_id": "c2", "node": 2, "nodes": [], "replicas": [] }),
        })
        .await;
        let seen = states(["", &foreign, "127.0.0.1:1"]).await;
        assert_eq!(seen[1], "unknown: node 2 of cluster c2 answers at its HTTP address");
        assert_eq!(seen[2], "no answer");
    }
}
