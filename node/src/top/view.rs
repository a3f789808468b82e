//! Rates and bounds between two samples. No IO, no clock.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::sample::{Metrics, Sample};

/// One interval.
#[derive(Debug, PartialEq, Serialize)]
pub struct View {
    pub cluster: String,
    pub meta_leader: Option<u64>,
    pub nodes: Vec<NodeView>,
    /// The ones with the most commits first.
    pub shards: Vec<ShardView>,
    pub moves: usize,
    pub remarks: Vec<String>,
}

/// A value is missing where the node gave none, or has just started.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct NodeView {
    pub node: u64,
    pub state: String,
    pub connections: Option<f64>,
    pub sessions: Option<f64>,
    pub sends_per_s: Option<f64>,
    pub acks_per_s: Option<f64>,
    pub deliveries_per_s: Option<f64>,
    pub http_per_s: Option<f64>,
    /// Rejected, overloaded, unavailable and over a budget.
    pub refused_per_s: Option<f64>,
    /// Bounds of the histogram within which 99 % of the interval are.
    pub ack_p99_ms: Option<f64>,
    pub fsync_p99_ms: Option<f64>,
    /// Means over the interval.
    pub shard_in_flight: Option<f64>,
    pub lane_envelopes: Option<f64>,
    pub flusher_queue: Option<f64>,
    pub storage_free_bytes: Option<f64>,
}

#[derive(Debug, PartialEq, Serialize)]
pub struct ShardView {
    pub shard: u64,
    pub leader: Option<u64>,
    pub epoch: Option<u64>,
    pub commits_per_s: Option<f64>,
    /// Entries by which the slowest replica is behind.
    pub lag: Option<u64>,
    pub replicas: usize,
    pub moving: bool,
}

const REFUSALS: [&str; 4] =
    ["troupe_rejected_total", "troupe_overloaded_total", "troupe_unavailable_total", "troupe_rate_limited_total"];

impl View {
    pub fn between(before: &Sample, now: &Sample) -> View {
        let list = |name: &str| now.status[name].as_array().cloned().unwrap_or_default();
        let nodes = list("nodes").iter().map(|node| node_view(node, before, now)).collect();
        let mut shards: Vec<ShardView> = list("shards").iter().map(|shard| shard_view(shard, before, now)).collect();
        let work = |shard: &ShardView| shard.commits_per_s.unwrap_or_default();
        shards.sort_by(|one, other| work(other).total_cmp(&work(one)).then(one.shard.cmp(&other.shard)));
        View {
            cluster: now.status["cluster_id"].as_str().unwrap_or_default().to_owned(),
            meta_leader: now.status["meta_leader"].as_u64(),
            nodes,
            moves: shards.iter().filter(|shard| shard.moving).count(),
            shards,
            remarks: list("remarks").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }
}

fn node_view(node: &Value, before: &Sample, now: &Sample) -> NodeView {
    let id = node["id"].as_u64().unwrap_or_default();
    let state = node["state"].as_str().unwrap_or_default().to_owned();
    let Some(page) = now.metrics.get(&id) else { return NodeView { node: id, state, ..NodeView::default() } };
    let (connections, sessions) = (page.get("troupe_connections"), page.get("troupe_sessions"));
    let storage_free_bytes = page.get("troupe_storage_free_bytes");
    let shown = NodeView { node: id, state, connections, sessions, storage_free_bytes, ..NodeView::default() };
    let Some(between) = before.metrics.get(&id).and_then(|earlier| Between::new(earlier, page)) else { return shown };
    NodeView {
        sends_per_s: between.rate("troupe_sends_total"),
        acks_per_s: between.rate("troupe_acks_total"),
        deliveries_per_s: between.rate("troupe_deliveries_total"),
        http_per_s: between.rate("troupe_http_requests_total"),
        refused_per_s: REFUSALS.iter().map(|name| between.rate(name)).sum(),
        ack_p99_ms: between.bound("troupe_ack_seconds", 0.99).map(|seconds| seconds * 1_000.0),
        fsync_p99_ms: between.bound("troupe_fsync_seconds", 0.99).map(|seconds| seconds * 1_000.0),
        shard_in_flight: between.mean("troupe_shard_in_flight"),
        lane_envelopes: between.mean("troupe_lane_envelopes"),
        flusher_queue: between.mean("troupe_flusher_queue"),
        ..shown
    }
}

fn shard_view(shard: &Value, before: &Sample, now: &Sample) -> ShardView {
    let id = shard["id"].as_u64().unwrap_or_default();
    let earlier = before.status["shards"].as_array().into_iter().flatten().find(|shard| shard["id"] == id);
    let committed = |shard: &Value| shard["committed"].as_u64();
    let more = earlier.and_then(committed).zip(committed(shard)).and_then(|(then, now)| now.checked_sub(then));
    let seconds = seconds(before.at, now.at);
    ShardView {
        shard: id,
        leader: shard["leader"].as_u64(),
        epoch: shard["epoch"].as_u64(),
        commits_per_s: more.zip(seconds).map(|(more, seconds)| more as f64 / seconds),
        lag: shard["lag"].as_object().and_then(|lag| lag.values().filter_map(Value::as_u64).max()),
        replicas: shard["nodes"].as_array().map_or(0, Vec::len),
        moving: shard["moving"].is_object(),
    }
}

/// Above zero.
fn seconds(before: Duration, now: Duration) -> Option<f64> {
    let passed = now.checked_sub(before)?.as_secs_f64();
    (passed > 0.0).then_some(passed)
}

/// Two pages of one node.
struct Between<'a> {
    before: &'a Metrics,
    now: &'a Metrics,
    seconds: f64,
}

impl<'a> Between<'a> {
    fn new(before: &'a Metrics, now: &'a Metrics) -> Option<Between<'a>> {
        Some(Between { before, now, seconds: seconds(before.at, now.at)? })
    }

    /// A counter that fell begins again: its process did.
    fn more(&self, name: &str) -> Option<f64> {
        let more = self.now.get(name)? - self.before.get(name)?;
        (more >= 0.0).then_some(more)
    }

    fn rate(&self, name: &str) -> Option<f64> {
        Some(self.more(name)? / self.seconds)
    }

    /// The mean of a histogram's values in the interval.
    fn mean(&self, name: &str) -> Option<f64> {
        let (sum, count) = (self.more(&format!("{name}_sum"))?, self.more(&format!("{name}_count"))?);
        (count > 0.0).then(|| sum / count)
    }

    /// The bound within which this share of a histogram's values of the interval is.
    fn bound(&self, name: &str, share: f64) -> Option<f64> {
        let (before, now) = (self.before.buckets(name), self.now.buckets(name));
        if before.len() != now.len() {
            return None;
        }
        let more: Vec<(f64, f64)> = before.iter().zip(&now).map(|(then, now)| (now.0, now.1 - then.1)).collect();
        let all = more.last()?.1;
        let found = more.iter().find(|(_, within)| *within >= share * all)?;
        (all > 0.0).then_some(found.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(at: u64, sends: u64, acks: [u64; 3], committed: [u64; 2]) -> Sample {
        let [fast, slow, all] = acks;
        let page = format!(
            "troupe_connections 7\ntroupe_sessions 5\ntroupe_storage_free_bytes 1000\n\
             troupe_sends_total {sends}\ntroupe_acks_total {sends}\ntroupe_deliveries_total {sends}\n\
             troupe_http_requests_total 1\ntroupe_rejected_total 1\ntroupe_overloaded_total 0\n\
             troupe_unavailable_total {sends}\ntroupe_rate_limited_total 0\n\
             troupe_ack_seconds_bucket{{le=\"0.001\"}} {fast}\ntroupe_ack_seconds_bucket{{le=\"0.25\"}} {slow}\n\
             troupe_ack_seconds_bucket{{le=\"+Inf\"}} {all}\n\
             troupe_flusher_queue_sum {sends}\ntroupe_flusher_queue_count {all}\n"
        );
        let at = Duration::from_secs(at);
        let shard = |id: usize, leader: u64| {
            json!({
                "id": id, "leader": leader, "epoch": 3, "committed": committed[id], "nodes": [1, 2],
                "lag": { "2": 4, "3": 9 }, "moving": if id == 0 { json!({ "to": 3 }) } else { Value::Null },
            })
        };
        let status = json!({
            "cluster_id": "c1", "node": 1, "meta_leader": 1, "remarks": ["a remark"],
            "nodes": [{ "id": 1, "state": "ready" }, { "id": 2, "state": "no answer" }],
            "shards": [shard(0, 1), shard(1, 2)],
        });
        Sample { at, status, metrics: [(1, Metrics::parse(&page, at))].into() }
    }

    #[test]
    fn two_samples_make_rates_bounds_and_means() {
        let view = View::between(&sample(10, 100, [50, 60, 60], [5, 7]), &sample(12, 120, [60, 160, 160], [5, 27]));
        let node = &view.nodes[0];
        assert_eq!((node.sends_per_s, node.refused_per_s, node.http_per_s), (Some(10.0), Some(10.0), Some(0.0)));
        assert_eq!((node.connections, node.sessions, node.storage_free_bytes), (Some(7.0), Some(5.0), Some(1000.0)));
        // 10 of 100 are within a millisecond, and all within a quarter of a second.
        assert_eq!((node.ack_p99_ms, node.flusher_queue), (Some(250.0), Some(0.2)));
        assert_eq!((node.fsync_p99_ms, node.lane_envelopes), (None, None), "the page has neither");
        assert_eq!(view.nodes[1], NodeView { node: 2, state: "no answer".into(), ..NodeView::default() });
        let shards: Vec<_> = view.shards.iter().map(|shard| (shard.shard, shard.commits_per_s, shard.lag)).collect();
        assert_eq!(shards, [(1, Some(10.0), Some(9)), (0, Some(0.0), Some(9))]);
        assert_eq!((view.moves, view.remarks.len(), view.meta_leader), (1, 1, Some(1)));
    }

    #[test]
    fn a_node_that_has_started_again_has_no_rates() {
        let view = View::between(&sample(10, 100, [50, 60, 60], [5, 7]), &sample(12, 3, [1, 1, 1], [2, 7]));
        assert_eq!((view.nodes[0].sends_per_s, view.nodes[0].ack_p99_ms), (None, None));
        assert_eq!(view.nodes[0].connections, Some(7.0));
        assert_eq!(view.shards.iter().find(|shard| shard.shard == 0).expect("a shard").commits_per_s, None);
    }

    #[test]
    fn the_same_moment_twice_divides_by_nothing() {
        let one = sample(10, 100, [50, 60, 60], [5, 7]);
        let view = View::between(&one, &one);
        assert_eq!((view.nodes[0].sends_per_s, view.shards[0].commits_per_s), (None, None));
    }
}
