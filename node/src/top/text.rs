//! The table of `troupe top`.

use super::view::{NodeView, View};

/// More would push the nodes off the screen.
const SHARDS: usize = 10;
/// The state of a node in its line; the whole text stands below.
const STATE_CHARS: usize = 12;

pub fn table(view: &View) -> String {
    let leader = view.meta_leader.map_or("-".to_owned(), |node| format!("node {node}"));
    let mut out = format!(
        "cluster {}   meta leader: {leader}   {} nodes, {} shards, {} moves\n\n",
        view.cluster,
        view.nodes.len(),
        view.shards.len(),
        view.moves
    );
    out.push_str(&line([
        "NODE",
        "STATE",
        "CONN",
        "SESS",
        "SEND/S",
        "ACK/S",
        "PUSH/S",
        "HTTP/S",
        "REFUSED/S",
        "ACK p99",
        "FSYNC p99",
        "QUEUES",
        "FREE",
    ]));
    view.nodes.iter().for_each(|node| out.push_str(&node_line(node)));
    let long = view.nodes.iter().filter(|node| node.state.chars().count() > STATE_CHARS);
    long.for_each(|node| out.push_str(&format!("\nnode {}: {}\n", node.node, node.state)));
    view.remarks.iter().for_each(|remark| out.push_str(&format!("\n{remark}\n")));
    out.push_str(&format!(
        "\n{:<7}{:<8}{:<8}{:>10}  {:>8}  {}\n",
        "SHARD", "LEADER", "EPOCH", "COMMITS/S", "LAG", "REPLICAS"
    ));
    for shard in view.shards.iter().take(SHARDS) {
        let text = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
        out.push_str(&format!(
            "{:<7}{:<8}{:<8}{:>10}  {:>8}  {}{}\n",
            shard.shard,
            text(shard.leader),
            text(shard.epoch),
            rate(shard.commits_per_s),
            text(shard.lag),
            shard.replicas,
            if shard.moving { ", one moves" } else { "" }
        ));
    }
    if view.shards.len() > SHARDS {
        out.push_str(&format!("{} more with fewer commits\n", view.shards.len() - SHARDS));
    }
    out
}

fn node_line(node: &NodeView) -> String {
    let queues = [node.shard_in_flight, node.lane_envelopes, node.flusher_queue].map(count);
    let state: String = node.state.chars().take(STATE_CHARS).collect();
    line([
        &node.node.to_string(),
        &state,
        &count(node.connections),
        &count(node.sessions),
        &rate(node.sends_per_s),
        &rate(node.acks_per_s),
        &rate(node.deliveries_per_s),
        &rate(node.http_per_s),
        &rate(node.refused_per_s),
        &time(node.ack_p99_ms),
        &time(node.fsync_p99_ms),
        &queues.join("/"),
        &bytes(node.storage_free_bytes),
    ])
}

fn line(cells: [&str; 13]) -> String {
    let [node, state, connections, sessions, sends, acks, pushes, http, refused, ack, fsync, queues, free] = cells;
    format!(
        "{node:<6}{state:<13}{connections:>6}{sessions:>6}{sends:>9}{acks:>9}{pushes:>9}{http:>9}{refused:>11}\
         {ack:>10}{fsync:>11}{queues:>10}{free:>11}\n"
    )
}

fn count(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.0}"))
}

fn rate(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.1}"),
    }
}

fn time(milliseconds: Option<f64>) -> String {
    match milliseconds {
        None => "-".to_owned(),
        Some(value) if value.is_infinite() => "> 10 s".to_owned(),
        Some(value) if value >= 1_000.0 => format!("{:.1} s", value / 1_000.0),
        Some(value) if value >= 10.0 => format!("{value:.0} ms"),
        Some(value) => format!("{value} ms"),
    }
}

fn bytes(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let steps = (0..units.len() - 1).find(|step| value < 1024_f64.powi(*step as i32 + 1)).unwrap_or(units.len() - 1);
    format!("{:.1} {}", value / 1024_f64.powi(steps as i32), units[steps])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::view::ShardView;

    #[test]
    fn numbers_have_units_and_what_is_missing_has_a_dash() {
        assert_eq!((rate(None), rate(Some(0.25)), rate(Some(1234.5))), ("-".into(), "0.2".into(), "1234".into()));
        assert_eq!(
            (time(Some(2.5)), time(Some(250.0)), time(Some(2_500.0))),
            ("2.5 ms".into(), "250 ms".into(), "2.5 s".into())
        );
        assert_eq!((time(None), time(Some(f64::INFINITY))), ("-".into(), "> 10 s".into()));
        assert_eq!(
            (bytes(Some(1536.0)), bytes(Some(3e12)), bytes(None)),
            ("1.5 KiB".into(), "2.7 TiB".into(), "-".into())
        );
        assert_eq!((bytes(Some(12.0)), bytes(Some(1e18))), ("12.0 B".into(), "909494.7 TiB".into()));
    }

    #[test]
    fn the_table_has_each_node_and_the_busiest_shards() {
        let shard = |shard: u64| ShardView {
            shard,
            leader: Some(1),
            epoch: Some(2),
            commits_per_s: Some(3.0),
            lag: None,
            replicas: 3,
            moving: shard == 0,
        };
        let away = NodeView { node: 2, state: "not ready: shard 3 has no leader".into(), ..NodeView::default() };
        let busy = NodeView { node: 1, state: "ready".into(), sends_per_s: Some(1234.0), ..NodeView::default() };
        let view = View {
            cluster: "c1".into(),
            meta_leader: Some(1),
            nodes: vec![busy, away],
            shards: (0..12).map(shard).collect(),
            moves: 1,
            remarks: vec!["a remark".into()],
        };
        let text = table(&view);
        for wanted in [
            "cluster c1   meta leader: node 1   2 nodes, 12 shards, 1 moves",
            "1     ready",
            "     1234",
            "node 2: not ready: shard 3 has no leader",
            "a remark",
            "3, one moves",
            "2 more with fewer commits",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 121), "{text}");
    }
}
