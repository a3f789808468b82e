//! Reads every conversation from every replica, straight from each node's own disk.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::fetch;
use crate::history::{Conversation, Entry, FinalLog};
use crate::local::LocalCluster;

const PATIENCE: Duration = Duration::from_secs(5);

type Heads = BTreeMap<Conversation, (u64, String)>;

/// Waits until all replicas agree on heads and chains (or `within` is over), then reads everything as it is.
pub async fn collect(
    cluster: &LocalCluster,
    within: Duration,
) -> Result<BTreeMap<u64, BTreeMap<Conversation, FinalLog>>> {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline && !agree(cluster).await.unwrap_or(false) {
        sleep(Duration::from_millis(200)).await;
    }
    let mut finals = BTreeMap::new();
    for index in 0..cluster.len() {
        let mut logs = BTreeMap::new();
        for (conversation, (head, chain)) in heads(cluster, index).await? {
            let entries = entries(cluster, index, &conversation).await?;
            logs.insert(conversation, FinalLog { head, chain, entries });
        }
        finals.insert(index as u64 + 1, logs);
    }
    Ok(finals)
}

async fn agree(cluster: &LocalCluster) -> Result<bool> {
    let first = heads(cluster, 0).await?;
    for index in 1..cluster.len() {
        if heads(cluster, index).await? != first {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Heads of all conversations on one replica.
pub async fn heads(cluster: &LocalCluster, index: usize) -> Result<Heads> {
    let mut heads = Heads::new();
    let mut path = "/v1/debug/replica".to_owned();
    loop {
        let page = ask(cluster, index, &path).await?;
        let mut last = None;
        for row in page["conversations"].as_array().context("no conversations in the answer")? {
            let name = text(&row["conversation"])?;
            last = Some(name.clone());
            heads.insert(name, (row["head"].as_u64().context("head")?, text(&row["chain"])?));
        }
        match last {
            Some(last) if page["more"] == true => path = format!("/v1/debug/replica?from={last}"),
            _ => return Ok(heads),
        }
    }
}

async fn entries(cluster: &LocalCluster, index: usize, conversation: &str) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.seq);
        let path = format!("/v1/debug/replica?conversation={conversation}&after={after}");
        let page = ask(cluster, index, &path).await?;
        let rows = page["events"].as_array().context("no events in the answer")?;
        if rows.is_empty() {
            return Ok(entries);
        }
        for row in rows {
            let sender = row["sender"].as_u64().context("sender")?;
            entries.push(Entry {
                seq: row["seq"].as_u64().context("seq")?,
                time_ms: row["time_ms"].as_u64().context("time_ms")?,
                sender,
                id: format!("{sender}/{}", text(&row["id"])?),
                message: row["message"].as_bool().context("message")?,
            });
        }
    }
}

async fn ask(cluster: &LocalCluster, index: usize, path: &str) -> Result<Value> {
    let (status, answer) = fetch::get_json(&cluster.addresses(index).http, path, PATIENCE).await?;
    anyhow::ensure!(status == 200, "node {} answers {status} to {path}", index + 1);
    Ok(answer)
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("a text is missing in the answer")?.to_owned())
}
