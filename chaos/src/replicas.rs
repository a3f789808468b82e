//! Reads every conversation from every replica, from each node's own disk.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use troupe_core::{ConversationId, ShardMap};
use troupe_fetch as fetch;

use crate::checkers::{Kind, Promise, Violation};
use crate::history::{Contents, Conversation, Entry, FinalLog};
use crate::local::LocalCluster;

const PATIENCE: Duration = Duration::from_secs(5);

type Heads = BTreeMap<Conversation, (u64, String)>;

/// The replicas' final contents, and missing copies.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// By node, then conversation. Only nodes that hold the conversation's shard.
    pub finals: BTreeMap<u64, BTreeMap<Conversation, FinalLog>>,
    /// Copies that the placement requires and that do not exist.
    pub missing: Vec<Violation>,
}

/// Waits until all replicas agree on heads and chains and none is missing, at most for `within`.
/// Then reads all contents.
pub async fn collect(cluster: &LocalCluster, within: Duration) -> Result<Collected> {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline && !agree(cluster).await.unwrap_or(false) {
        sleep(Duration::from_millis(200)).await;
    }
    let holders = Holders::ask(cluster).await?;
    let mut collected = Collected::default();
    let mut all: BTreeMap<Conversation, u64> = BTreeMap::new();
    for index in 0..cluster.len() {
        let mut logs = BTreeMap::new();
        for (conversation, (head, chain)) in heads(cluster, index).await? {
            if !holders.of(&conversation)?.contains(&index) {
                continue;
            }
            let longest = all.entry(conversation.clone()).or_default();
            *longest = head.max(*longest);
            let log = contents(cluster, index, &conversation).await?;
            logs.insert(conversation, FinalLog { head, chain, ..log });
        }
        collected.finals.insert(index as u64 + 1, logs);
    }
    for conversation in all.keys() {
        for index in holders.of(conversation)? {
            if !collected.finals[&(*index as u64 + 1)].contains_key(conversation) {
                let text = format!("{conversation}: node {} should hold a copy and has none", index + 1);
                collected.missing.push(Violation { promise: Promise::Replicas, kind: Kind::Diverged, text });
            }
        }
    }
    Ok(collected)
}

/// The nodes, by index, that should hold a conversation.
struct Holders {
    map: ShardMap,
    shards: BTreeMap<u64, Vec<usize>>,
}

impl Holders {
    /// Asks the first node that answers.
    async fn ask(cluster: &LocalCluster) -> Result<Holders> {
        let mut answer = Err(anyhow::anyhow!("there are no nodes"));
        for index in 0..cluster.len() {
            answer = fetch::get_json(&cluster.addresses(index).http, "/v1/cluster", PATIENCE).await;
            if answer.is_ok() {
                break;
            }
        }
        let (_, status) = answer?;
        // A node's id differs from its index here: a node that lost its disk has a new id.
        let mut places: BTreeMap<u64, usize> = BTreeMap::new();
        for node in status["nodes"].as_array().into_iter().flatten() {
            let place = (0..cluster.len()).find(|index| node["http"] == cluster.addresses(*index).http.as_str());
            if let (Some(id), Some(place)) = (node["id"].as_u64(), place) {
                places.insert(id, place);
            }
        }
        let mut shards = BTreeMap::new();
        for shard in status["shards"].as_array().context("no shards in the answer")? {
            let nodes = shard["nodes"].as_array().into_iter().flatten();
            let held = nodes.filter_map(|id| places.get(&id.as_u64()?).copied()).collect();
            shards.insert(shard["id"].as_u64().context("a shard's id")?, held);
        }
        Ok(Holders { map: ShardMap { count: shards.len() as u32 }, shards })
    }

    fn of(&self, conversation: &str) -> Result<&[usize]> {
        let id: ConversationId =
            conversation.parse().ok().with_context(|| format!("{conversation}: not a conversation"))?;
        let shard = self.map.shard(id.slot());
        Ok(self.shards.get(&u64::from(shard.0)).map_or(&[], Vec::as_slice))
    }
}

/// Whether all holders of every conversation agree.
async fn agree(cluster: &LocalCluster) -> Result<bool> {
    let holders = Holders::ask(cluster).await?;
    let mut held: BTreeMap<Conversation, BTreeMap<usize, (u64, String)>> = BTreeMap::new();
    for index in 0..cluster.len() {
        for (conversation, head) in heads(cluster, index).await? {
            held.entry(conversation).or_default().insert(index, head);
        }
    }
    for (conversation, on) in &held {
        let mut should = holders.of(conversation)?.iter().map(|index| on.get(index));
        let first = should.next().flatten();
        if first.is_none() || should.any(|other| other != first) {
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

/// All events of a conversation on one replica, and its counts of reactions, contents and edits. An
/// earlier version answers none of these three.
async fn contents(cluster: &LocalCluster, index: usize, conversation: &str) -> Result<FinalLog> {
    let mut log = FinalLog::default();
    let mut bodies = Contents::new();
    loop {
        let after = log.entries.last().map_or(0, |entry| entry.seq);
        let path = format!("/v1/debug/replica?conversation={conversation}&after={after}");
        let page = ask(cluster, index, &path).await?;
        let rows = page["events"].as_array().context("no events in the answer")?;
        if rows.is_empty() {
            log.counts = optional(&page["counts"]).context("counts")?;
            let edits: Option<Vec<EditsRow>> = optional(&page["edits"]).context("edits")?;
            log.contents = edits.is_some().then_some(bodies);
            log.polls = optional(&page["polls"]).context("polls")?;
            log.edits = edits.map(|edits| edits.into_iter().map(|row| (row.seq, row.edits)).collect());
            return Ok(log);
        }
        for row in rows {
            let (sender, seq) = (row["sender"].as_u64().context("sender")?, row["seq"].as_u64().context("seq")?);
            bodies.extend(row["content"].as_str().map(|digest| (seq, digest.to_owned())));
            log.entries.push(Entry {
                seq,
                time_ms: row["time_ms"].as_u64().context("time_ms")?,
                sender,
                id: format!("{sender}/{}", text(&row["id"])?),
                message: row["message"].as_bool().context("message")?,
                reaction: optional(&row["reaction"]).context("reaction")?,
                change: optional(&row["change"]).context("change")?,
                poll: optional(&row["poll"]).context("poll")?,
                rule: None,
                call: None,
            });
        }
    }
}

#[derive(Deserialize)]
struct EditsRow {
    seq: u64,
    edits: Vec<u64>,
}

/// `None`: absent, or null.
fn optional<T: DeserializeOwned>(value: &Value) -> Result<Option<T>> {
    Ok(serde_json::from_value(value.clone())?)
}

async fn ask(cluster: &LocalCluster, index: usize, path: &str) -> Result<Value> {
    let (status, answer) = fetch::get_json(&cluster.addresses(index).http, path, PATIENCE).await?;
    anyhow::ensure!(status == 200, "node {} answers {status} to {path}", index + 1);
    Ok(answer)
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("a text is missing in the answer")?.to_owned())
}
