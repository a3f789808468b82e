//! Whether a local cluster is whole: every node has a copy of every shard, all copies vote under
//! one leader, and none is behind.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use futures::future::try_join_all;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use troupe_chaos::local::LocalCluster;
use troupe_fetch as fetch;

/// Between two looks at a cluster that can only be looked at.
pub const LOOK: Duration = Duration::from_millis(100);
/// One answer of a node.
const ANSWER: Duration = Duration::from_secs(2);
/// Entries a copy may be behind while messages come in: as many as the cluster lets one be behind
/// that it gives a vote or a leadership.
const CLOSE: u64 = 64;

/// Waits until all nodes are ready and the cluster is whole. Fails when a node has ended or the
/// time is over.
pub async fn wait(cluster: &mut LocalCluster, within: Duration) -> Result<()> {
    let deadline = Instant::now() + within;
    let all: Vec<usize> = (0..cluster.len()).collect();
    cluster.wait_ready(&all, within).await?;
    loop {
        for &index in &all {
            if let Some(status) = cluster.exited(index)? {
                bail!("node {} ended with {status}:\n{}", index + 1, cluster.last_log_lines(index));
            }
        }
        let lacks = match ask(cluster, &all).await {
            Ok(answers) => lacks(&answers),
            Err(error) => Some(format!("{error:#}")),
        };
        let Some(lacks) = lacks else { return Ok(()) };
        ensure!(Instant::now() < deadline, "the cluster is not whole within {within:?}: {lacks}");
        sleep(LOOK).await;
    }
}

/// Waits until these nodes lead all shards, each in its own words.
pub async fn wait_led_by(cluster: &LocalCluster, nodes: &[usize], within: Duration) -> Result<()> {
    let deadline = Instant::now() + within;
    while !ask(cluster, nodes).await.is_ok_and(|answers| all_led(&answers)) {
        ensure!(Instant::now() < deadline, "some shards have no leader within {within:?}");
        sleep(LOOK).await;
    }
    Ok(())
}

/// The terms of all shards together, as the first node knows them.
pub async fn terms(cluster: &LocalCluster) -> Result<u64> {
    let answers = ask(cluster, &[0]).await?;
    Ok(answers.iter().flat_map(|answer| rows(answer, "replicas")).filter_map(|replica| replica["epoch"].as_u64()).sum())
}

/// The number of shards, as the first node knows it.
pub async fn shards(cluster: &LocalCluster) -> Result<usize> {
    let answers = ask(cluster, &[0]).await?;
    Ok(answers.iter().map(|answer| rows(answer, "shards").len()).sum())
}

/// The answer of each of these nodes about the cluster and itself.
async fn ask(cluster: &LocalCluster, nodes: &[usize]) -> Result<Vec<Value>> {
    let one = |index: &usize| fetch::get_json(&cluster.addresses(*index).http, "/v1/cluster", ANSWER);
    let answers = try_join_all(nodes.iter().map(one)).await?;
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn rows<'a>(answer: &'a Value, table: &str) -> &'a [Value] {
    answer[table].as_array().map_or(&[], Vec::as_slice)
}

fn replica<'a>(answer: &'a Value, shard: &Value) -> Option<&'a Value> {
    rows(answer, "replicas").iter().find(|replica| replica["shard"] == *shard)
}

fn all_led(answers: &[Value]) -> bool {
    let shards = answers.first().map_or(&[][..], |answer| rows(answer, "shards"));
    let leads = |shard: &Value| answers.iter().filter_map(|it| replica(it, shard)).any(|it| it["role"] == "leader");
    !shards.is_empty() && shards.iter().all(|shard| leads(&shard["id"]))
}

/// The missing part of a cluster, by the answers of all its nodes; `None` if it is whole.
fn lacks(answers: &[Value]) -> Option<String> {
    let Some(count) = answers.first().map(|answer| rows(answer, "shards").len()).filter(|count| *count > 0) else {
        return Some("no shard is placed yet".into());
    };
    answers.iter().find_map(|answer| misplaced(answer, answers, count)).or_else(|| {
        let shards = rows(&answers[0], "shards").iter();
        shards.map(|shard| &shard["id"]).find_map(|shard| behind(shard, answers))
    })
}

/// A shard that is not to be on exactly these nodes for good, as one of them knows it.
fn misplaced(answer: &Value, answers: &[Value], count: usize) -> Option<String> {
    let node = &answer["node"];
    let shards = rows(answer, "shards");
    if shards.len() != count {
        return Some(format!("node {node} knows {} of {count} shards", shards.len()));
    }
    let settled = |shard: &Value| {
        let nodes = rows(shard, "nodes");
        let everywhere = answers.iter().all(|it| nodes.contains(&it["node"]));
        everywhere && nodes.len() == answers.len() && shard["moving"].is_null()
    };
    let shard = shards.iter().find(|shard| !settled(shard))?;
    Some(format!("shard {} has not all its copies, as node {node} knows it", shard["id"]))
}

/// A copy that does not vote under the shard's leader, or has not nearly all that the leader has.
fn behind(shard: &Value, answers: &[Value]) -> Option<String> {
    let mut copies = Vec::new();
    for answer in answers {
        let Some(copy) = replica(answer, shard) else {
            return Some(format!("node {} has no copy of shard {shard}", answer["node"]));
        };
        copies.push((&answer["node"], copy));
    }
    let leaders: Vec<&Value> = copies.iter().map(|(_, copy)| *copy).filter(|copy| copy["role"] == "leader").collect();
    let [leader] = leaders[..] else { return Some(format!("{} nodes lead shard {shard}", leaders.len())) };
    let committed = leader["committed"].as_u64()?;
    copies.iter().find_map(|(node, copy)| {
        if copy["epoch"] != leader["epoch"] || (copy["role"] != "follower" && copy["role"] != "leader") {
            return Some(format!("node {node} is {} of shard {shard} in epoch {}", copy["role"], copy["epoch"]));
        }
        let has_log =
            copy["role"] == "leader" || leader["lag"][node.to_string()].as_u64().is_some_and(|lag| lag <= CLOSE);
        let has_rows = copy["applied"].as_u64().is_some_and(|applied| applied + CLOSE >= committed);
        (!has_log || !has_rows).then(|| format!("node {node} is behind in shard {shard}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Node 1 leads the only shard, 4 and 3 follow.
    fn whole() -> Vec<Value> {
        let answer = |node: u64, role: &str, lag: Value| {
            json!({
                "node": node,
                "shards": [{ "id": 0, "nodes": [1, 3, 4], "moving": null }],
                "replicas": [{ "shard": 0, "role": role, "epoch": 7, "committed": 900, "applied": 899, "lag": lag }],
            })
        };
        vec![
            answer(1, "leader", json!({ "3": 0, "4": 2 })),
            answer(4, "follower", json!({})),
            answer(3, "follower", json!({})),
        ]
    }

    #[test]
    fn nothing_lacks_when_all_vote_and_none_is_behind() {
        assert_eq!(lacks(&whole()), None);
        assert!(all_led(&whole()) && !all_led(&whole()[1..]) && !all_led(&[]));
    }

    /// Takes one thing away from the answers of a whole cluster.
    type Breaks = fn(&mut Vec<Value>);

    #[test]
    fn whatever_lacks_is_said() {
        let broken: [(Breaks, &str); 9] = [
            (|it| it[0]["shards"] = json!([]), "no shard is placed"),
            (|it| it[1]["shards"] = json!([]), "node 4 knows 0 of 1 shards"),
            (|it| it[2]["shards"][0]["nodes"] = json!([1, 2, 3]), "has not all its copies, as node 3"),
            (|it| it[1]["shards"][0]["moving"] = json!({ "from": 2 }), "has not all its copies, as node 4"),
            (|it| it[1]["replicas"] = json!([]), "node 4 has no copy"),
            (|it| it[1]["replicas"][0]["role"] = json!("learner"), "node 4 is \"learner\""),
            (|it| it[2]["replicas"][0]["role"] = json!("leader"), "2 nodes lead"),
            (|it| it[0]["replicas"][0]["lag"]["4"] = json!(65), "node 4 is behind"),
            (|it| it[2]["replicas"][0]["applied"] = json!(800), "node 3 is behind"),
        ];
        for (breaks, text) in broken {
            let mut answers = whole();
            breaks(&mut answers);
            let said = lacks(&answers).expect("something lacks");
            assert!(said.contains(text), "{said}");
        }
    }
}
