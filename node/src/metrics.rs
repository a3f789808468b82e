//! `/metrics` in Prometheus' text format: what the node has recorded
//! ([`troupe_runtime::metrics`]), and gauges that are read from its status at the moment of the
//! request. `docs/metrics.md` lists all of them.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, Gauge, GaugeVec, IntCounter, Opts, TextEncoder};
use troupe_raft::cluster::{ClusterStatus, ReplicaStatus};
use troupe_raft::types::GroupId;
use troupe_runtime::Meters;

pub use prometheus::TEXT_FORMAT;

pub fn render(status: &ClusterStatus, recorded: &Meters) -> prometheus::Result<String> {
    let mut page = Page::default();
    page.node(status)?;
    page.shards(status)?;
    page.health(status)?;
    let mut families = recorded.families();
    families.extend(page.0);
    let mut text = Vec::new();
    // A family without a sample has nothing to say, and the encoder refuses it.
    families.retain(|family| !family.get_metric().is_empty());
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[derive(Default)]
struct Page(Vec<MetricFamily>);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> prometheus::Result<()> {
        let gauge = Gauge::new(name, help)?;
        gauge.set(value);
        self.0.extend(gauge.collect());
        Ok(())
    }

    fn flag(&mut self, name: &str, help: &str, value: bool) -> prometheus::Result<()> {
        self.gauge(name, help, f64::from(u8::from(value)))
    }

    /// One gauge per value of a label.
    fn gauges<L: ToString>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, f64)>,
    ) -> prometheus::Result<()> {
        let gauges = GaugeVec::new(Opts::new(name, help), &[label])?;
        for (of, value) in values {
            gauges.with_label_values(&[of.to_string()]).set(value);
        }
        self.0.extend(gauges.collect());
        Ok(())
    }

    fn node(&mut self, status: &ClusterStatus) -> prometheus::Result<()> {
        let version = [(env!("CARGO_PKG_VERSION"), 1.0)];
        self.gauges("troupe_build_info", "Version of this node.", "version", version)?;
        let others = status.routing.nodes.values().filter(|node| node.id != status.routing.me);
        let reachable = others.map(|node| (node.id, f64::from(u8::from(node.reachable))));
        let help = "Whether this node's Raft connections reach that node.";
        self.gauges("troupe_node_reachable", help, "node", reachable)?;
        let leader = status.meta_leader.is_some();
        self.flag("troupe_meta_leader", "Whether this node knows a leader of the meta group.", leader)?;
        let level = f64::from(status.routing.level.0);
        self.gauge("troupe_feature_level", "Feature level in force, as this node has applied it.", level)
    }

    fn shards(&mut self, status: &ClusterStatus) -> prometheus::Result<()> {
        type Read = fn(&ReplicaStatus) -> u64;
        let fields: [(&str, &str, Read); 5] = [
            ("troupe_shard_leader", "Whether this node leads the shard.", |r| u64::from(r.role == "leader")),
            ("troupe_shard_epoch", "Raft term of the shard.", |r| r.epoch.0),
            ("troupe_shard_last_log", "Last index in the log.", |r| r.last_log),
            ("troupe_shard_committed", "Last index known to be committed.", |r| r.committed),
            ("troupe_shard_applied", "Last index applied.", |r| r.applied),
        ];
        for (name, help, read) in fields {
            let values = status.replicas.iter().map(|replica| (replica.shard, read(replica) as f64));
            self.gauges(name, help, "shard", values)?;
        }
        let led = status.replicas.iter().filter(|replica| replica.role == "leader");
        let stalled = led.map(|replica| {
            let lasted = status.stalled.get(&GroupId::of(replica.shard)).map_or(0, Duration::as_secs);
            (replica.shard, lasted as f64)
        });
        let help = "Seconds for which a shard led here has had something to do and committed nothing.";
        self.gauges("troupe_shard_stalled_seconds", help, "shard", stalled)
    }

    fn health(&mut self, status: &ClusterStatus) -> prometheus::Result<()> {
        let readiness = &status.readiness;
        let help = "Whether /readyz finds no reason against this node, a drain aside.";
        self.flag("troupe_ready", help, readiness.reasons().is_empty())?;
        let moving = status.routing.placement.values().filter(|place| place.moving.is_some()).count();
        let target = readiness.target as usize;
        for (name, help, count) in [
            ("troupe_replication_target", "Replicas that each shard should have.", target),
            (
                "troupe_under_replicated_shards",
                "Shards with fewer replicas on reachable nodes than the target.",
                readiness.under_replicated.len(),
            ),
            (
                "troupe_leaderless_shards",
                "Shards without a reachable leader that a majority confirmed lately.",
                readiness.leaderless.len(),
            ),
            (
                "troupe_replicas_behind",
                "Replicas of this node that lack more than a moment's worth of entries.",
                readiness.behind.len(),
            ),
            (
                "troupe_replicas_to_come",
                "Replicas that this node is still to receive before it is ready.",
                readiness.to_come,
            ),
            ("troupe_moves_under_way", "Replicas that are coming, going, or both.", moving),
        ] {
            self.gauge(name, help, count as f64)?;
        }
        let help = "Attempts to send a log entry that is larger than the other node takes.";
        let unsendable = IntCounter::new("troupe_raft_unsendable_total", help)?;
        unsendable.inc_by(status.unsendable_total);
        self.0.extend(unsendable.collect());
        let skews = status.clock_skew_ms.iter().map(|(node, skew)| (*node, *skew as f64 / 1_000.0));
        let help = "Seconds by which that node's clock is ahead of this one's.";
        self.gauges("troupe_clock_skew_seconds", help, "node", skews)?;
        if let Some(storage) = &status.storage {
            let help = "Free bytes of the disk that holds the data.";
            self.gauge("troupe_storage_free_bytes", help, storage.space.free as f64)?;
            let help = "Free bytes below which sends are refused.";
            self.gauge("troupe_storage_low_mark_bytes", help, storage.mark as f64)?;
        }
        let low = |node| f64::from(u8::from(status.storage_low.contains(node)));
        let low = status.routing.nodes.keys().map(|node| (*node, low(node)));
        let help = "Whether the disk of a node is below its low mark, as far as this node knows.";
        self.gauges("troupe_storage_low", help, "node", low)
    }
}
