//! `/metrics` in Prometheus' text format. No user or conversation ever is a label: their number has
//! no bound.

use std::fmt::Write;
use std::time::Duration;

use troupe_actors::stats::StatsReport;
use troupe_raft::cluster::ClusterStatus;
use troupe_raft::control::readiness::Readiness;
use troupe_raft::types::GroupId;

/// Counters that go down as well.
const GAUGES: &[&str] = &["connections", "unauthenticated", "sessions", "actors"];

pub fn render(status: &ClusterStatus, stats: &StatsReport) -> String {
    let mut out = String::new();
    header(&mut out, "troupe_build_info", "gauge", "Version of this node.");
    line(&mut out, format_args!("troupe_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
    for (name, help, value) in stats.rows() {
        let (name, kind) = match GAUGES.contains(&name) {
            true => (format!("troupe_{name}"), "gauge"),
            false => (format!("troupe_{name}_total"), "counter"),
        };
        header(&mut out, &name, kind, help);
        line(&mut out, format_args!("{name} {value}"));
    }
    header(&mut out, "troupe_node_reachable", "gauge", "Whether this node's Raft connections reach that node.");
    for node in status.routing.nodes.values().filter(|node| node.id != status.routing.me) {
        line(&mut out, format_args!("troupe_node_reachable{{node=\"{}\"}} {}", node.id, u8::from(node.reachable)));
    }
    header(&mut out, "troupe_meta_leader", "gauge", "Whether this node knows a leader of the meta group.");
    line(&mut out, format_args!("troupe_meta_leader {}", u8::from(status.meta_leader.is_some())));
    header(&mut out, "troupe_feature_level", "gauge", "Feature level in force, as this node has applied it.");
    line(&mut out, format_args!("troupe_feature_level {}", status.routing.level));
    let readiness = &status.readiness;
    header(&mut out, "troupe_ready", "gauge", "Whether /readyz finds no reason against this node, a drain aside.");
    line(&mut out, format_args!("troupe_ready {}", u8::from(readiness.reasons().is_empty())));
    header(&mut out, "troupe_replication_target", "gauge", "Replicas that each shard should have.");
    line(&mut out, format_args!("troupe_replication_target {}", readiness.target));
    type Count = fn(&Readiness) -> usize;
    let counts: [(&str, &str, Count); 4] = [
        ("under_replicated_shards", "Shards with fewer replicas on reachable nodes than the target.", |r| {
            r.under_replicated.len()
        }),
        ("leaderless_shards", "Shards without a reachable leader that a majority confirmed lately.", |r| {
            r.leaderless.len()
        }),
        ("replicas_behind", "Replicas of this node that lack more than a moment's worth of entries.", |r| {
            r.behind.len()
        }),
        ("replicas_to_come", "Replicas that this node is still to receive before it is ready.", |r| r.to_come),
    ];
    for (name, help, count) in counts {
        let name = format!("troupe_{name}");
        header(&mut out, &name, "gauge", help);
        line(&mut out, format_args!("{name} {}", count(readiness)));
    }
    header(&mut out, "troupe_moves_under_way", "gauge", "Replicas that are coming, going, or both.");
    let moving = status.routing.placement.values().filter(|place| place.moving.is_some()).count();
    line(&mut out, format_args!("troupe_moves_under_way {moving}"));
    type Read = fn(&troupe_raft::cluster::ReplicaStatus) -> u64;
    let fields: [(&str, &str, Read); 5] = [
        ("leader", "Whether this node leads the shard.", |r| u64::from(r.role == "leader")),
        ("epoch", "Raft term of the shard.", |r| r.epoch.0),
        ("last_log", "Last index in the log.", |r| r.last_log),
        ("committed", "Last index known to be committed.", |r| r.committed),
        ("applied", "Last index applied.", |r| r.applied),
    ];
    for (field, help, read) in fields {
        let name = format!("troupe_shard_{field}");
        header(&mut out, &name, "gauge", help);
        for replica in &status.replicas {
            line(&mut out, format_args!("{name}{{shard=\"{}\"}} {}", replica.shard, read(replica)));
        }
    }
    trouble(&mut out, status);
    out
}

/// What `troupe_raft::control::monitor` looks at.
fn trouble(out: &mut String, status: &ClusterStatus) {
    let name = "troupe_shard_stalled_seconds";
    header(out, name, "gauge", "Seconds for which a shard led here has had something to do and committed nothing.");
    for replica in status.replicas.iter().filter(|replica| replica.role == "leader") {
        let stalled = status.stalled.get(&GroupId::of(replica.shard)).map_or(0, Duration::as_secs);
        line(out, format_args!("{name}{{shard=\"{}\"}} {stalled}", replica.shard));
    }
    let name = "troupe_raft_unsendable_total";
    header(out, name, "counter", "Attempts to send a log entry that is larger than the other node takes.");
    line(out, format_args!("{name} {}", status.unsendable_total));
    let name = "troupe_clock_skew_seconds";
    header(out, name, "gauge", "Seconds by which that node's clock is ahead of this one's.");
    for (node, skew) in &status.clock_skew_ms {
        line(out, format_args!("{name}{{node=\"{node}\"}} {:.3}", *skew as f64 / 1_000.0));
    }
    if let Some(storage) = &status.storage {
        for (name, help, bytes) in [
            ("troupe_storage_free_bytes", "Free bytes of the disk that holds the data.", storage.space.free),
            ("troupe_storage_low_mark_bytes", "Free bytes below which sends are refused.", storage.mark),
        ] {
            header(out, name, "gauge", help);
            line(out, format_args!("{name} {bytes}"));
        }
    }
    let name = "troupe_storage_low";
    header(out, name, "gauge", "Whether the disk of a node is below its low mark, as far as this node knows.");
    for node in status.routing.nodes.keys() {
        line(out, format_args!("{name}{{node=\"{node}\"}} {}", u8::from(status.storage_low.contains(node))));
    }
}

fn header(out: &mut String, name: &str, kind: &str, help: &str) {
    line(out, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_says_what_it_counts() {
        let rows = StatsReport::default().rows();
        assert!(rows.len() >= 14, "{rows:?}");
        for (name, help, _) in rows {
            assert!(help.len() > 10 && help.ends_with('.') && !help.contains(".rs"), "{name}: {help}");
        }
    }
}
