//! Grows the cluster by a node and shrinks it again, with an operator's orders.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Duration, Instant, sleep, timeout};
use troupe_fetch as fetch;

use super::{LOOK, Nemesis, PATIENCE};

/// Limit for the moves of a young cluster after a join or removal.
const MOVES: Duration = Duration::from_secs(90);

/// Replicas and leaderships of one node.
struct Share {
    replicas: u64,
    leads: u64,
}

/// The share of node `id` once the moves are complete and nodes differ by at most one.
fn even_share(seen: &Value, id: &Value) -> Option<Share> {
    let nodes = seen["nodes"].as_array()?;
    let count = |node: &Value, what: &str| node[what].as_u64();
    let even = |what: &str| {
        let counts: Option<Vec<u64>> = nodes.iter().map(|node| count(node, what)).collect();
        let counts = counts?;
        Some(counts.iter().max()? - counts.iter().min()? <= 1)
    };
    let node = nodes.iter().find(|node| node["id"] == *id)?;
    let done = seen["moves"].as_array()?.is_empty() && even("replicas")? && even("leads")?;
    done.then_some(Share { replicas: count(node, "replicas")?, leads: count(node, "leads")? })
}

impl Nemesis<'_> {
    /// Adds a node and waits for its share. Then removes it from the cluster and waits for its end.
    pub(super) async fn grow_and_shrink(&mut self) -> Result<()> {
        let index = self.cluster.grow()?;
        let name = index + 1;
        self.recorder.fault(&format!("node {name} joins"));
        let began = Instant::now();
        // It is ready when it has its share.
        self.cluster.wait_ready(&[index], MOVES).await?;
        let http = self.cluster.addresses(index).http.clone();
        let (_, status) = fetch::get_json(&http, "/v1/cluster", PATIENCE).await?;
        let share = loop {
            let seen = fetch::get_json(&http, "/v1/operate", PATIENCE).await;
            if let Some(share) = seen.ok().and_then(|(_, seen)| even_share(&seen, &status["node"])) {
                break share;
            }
            ensure!(began.elapsed() < MOVES, "node {name} has not got its share within {MOVES:?}");
            sleep(LOOK * 5).await;
        };
        self.recorder.fault(&format!(
            "node {name} has {} replicas and leads {}, {:.1} s after its start",
            share.replicas,
            share.leads,
            began.elapsed().as_secs_f64()
        ));
        sleep(super::AWAY).await;

        self.recorder.fault(&format!("node {name} is being removed"));
        let id = status["node"].as_u64().context("the node does not know its number")?.to_string();
        self.operator(&["node", "remove", &id]).await?;
        ensure!(self.ends(index, PATIENCE).await?, "node {name} was removed and does not end");
        self.cluster.shrink()?;
        self.recorder.fault(&format!("node {name} has left the cluster"));
        Ok(())
    }

    /// Runs an operator command against the first node.
    async fn operator(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new(self.cluster.binary());
        command
            .args(words)
            .args(["--http", &self.cluster.addresses(0).http])
            .env("TROUPE_CLUSTER_TOKEN", self.cluster.token())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = timeout(MOVES, command.output());
        let output = ended.await.with_context(|| format!("{words:?} is not done within {MOVES:?}"))??;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{words:?} ended with {}: {}", output.status, text.trim());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_share_is_even_when_nodes_differ_by_one_and_nothing_moves() {
        let seen = |replicas: u64, leads: u64, moves: Value| {
            json!({ "moves": moves, "nodes": [
                { "id": 1, "replicas": 9, "leads": 3 }, { "id": 4, "replicas": replicas, "leads": leads }
            ] })
        };
        let four = json!(4);
        let share = even_share(&seen(8, 3, json!([])), &four).expect("even");
        assert_eq!((share.replicas, share.leads), (8, 3));
        for uneven in [seen(7, 3, json!([])), seen(9, 1, json!([])), seen(9, 3, json!([{}])), json!({})] {
            assert!(even_share(&uneven, &four).is_none(), "{uneven}");
        }
        assert!(even_share(&seen(9, 3, json!([])), &json!(5)).is_none(), "it is not there yet");
    }
}
