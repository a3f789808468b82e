//! `/metrics` in Prometheus' text format: what the node has recorded
//! ([`troupe_runtime::metrics`]), and gauges that are read from its status at the moment of the
//! request ([`described`]). `docs/metrics.md` lists all of them, in the words of both.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Encoder, Gauge, GaugeVec, IntCounter, Opts, TextEncoder};
use troupe_raft::cluster::{ClusterStatus, ReplicaStatus};
use troupe_raft::types::GroupId;
use troupe_runtime::Meters;

pub use prometheus::TEXT_FORMAT;

mod described;

use described::Described;

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

/// Name, kind, label and meaning of each metric, in the order of the page.
pub fn catalogue() -> Vec<(String, &'static str, &'static str, String)> {
    let recorded = Meters::default().families().into_iter().map(|family| {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::HISTOGRAM => "histogram",
            _ => "gauge",
        };
        (family.name().to_owned(), kind, "", family.help().to_owned())
    });
    let of_status = described::ALL.iter().map(|one| (one.name.to_owned(), one.kind, one.label, one.help.to_owned()));
    recorded.chain(of_status).collect()
}

#[derive(Default)]
struct Page(Vec<MetricFamily>);

impl Page {
    fn gauge(&mut self, what: &Described, value: f64) -> prometheus::Result<()> {
        let gauge = Gauge::new(what.name, what.help)?;
        gauge.set(value);
        self.0.extend(gauge.collect());
        Ok(())
    }

    fn flag(&mut self, what: &Described, value: bool) -> prometheus::Result<()> {
        self.gauge(what, f64::from(u8::from(value)))
    }

    /// One gauge per value of the label.
    fn gauges<L: ToString>(
        &mut self,
        what: &Described,
        values: impl IntoIterator<Item = (L, f64)>,
    ) -> prometheus::Result<()> {
        let gauges = GaugeVec::new(Opts::new(what.name, what.help), &[what.label])?;
        for (of, value) in values {
            gauges.with_label_values(&[of.to_string()]).set(value);
        }
        self.0.extend(gauges.collect());
        Ok(())
    }

    fn node(&mut self, status: &ClusterStatus) -> prometheus::Result<()> {
        self.gauges(&described::BUILD_INFO, [(env!("CARGO_PKG_VERSION"), 1.0)])?;
        let others = status.routing.nodes.values().filter(|node| node.id != status.routing.me);
        let reachable = others.map(|node| (node.id, f64::from(u8::from(node.reachable))));
        self.gauges(&described::NODE_REACHABLE, reachable)?;
        self.flag(&described::META_LEADER, status.meta_leader.is_some())?;
        self.gauge(&described::FEATURE_LEVEL, f64::from(status.routing.level.0))
    }

    fn shards(&mut self, status: &ClusterStatus) -> prometheus::Result<()> {
        type Read = fn(&ReplicaStatus) -> u64;
        let fields: [(&Described, Read); 5] = [
            (&described::SHARD_LEADER, |r| u64::from(r.role == "leader")),
            (&described::SHARD_EPOCH, |r| r.epoch.0),
            (&described::SHARD_LAST_LOG, |r| r.last_log),
            (&described::SHARD_COMMITTED, |r| r.committed),
            (&described::SHARD_APPLIED, |r| r.applied),
        ];
        for (what, read) in fields {
            let values = status.replicas.iter().map(|replica| (replica.shard, read(replica) as f64));
            self.gauges(what, values)?;
        }
        let led = status.replicas.iter().filter(|replica| replica.role == "leader");
        let stalled = led.map(|replica| {
            let lasted = status.stalled.get(&GroupId::of(replica.shard)).map_or(0, Duration::as_secs);
            (replica.shard, lasted as f64)
        });
        self.gauges(&described::SHARD_STALLED, stalled)
    }

    fn health(&mut self, status: &ClusterStatus) -> prometheus::Result<()> {
        let readiness = &status.readiness;
        self.flag(&described::READY, readiness.reasons().is_empty())?;
        let moving = status.routing.placement.values().filter(|place| place.moving.is_some()).count();
        for (what, count) in [
            (&described::REPLICATION_TARGET, readiness.target as usize),
            (&described::UNDER_REPLICATED, readiness.under_replicated.len()),
            (&described::LEADERLESS, readiness.leaderless.len()),
            (&described::BEHIND, readiness.behind.len()),
            (&described::TO_COME, readiness.to_come),
            (&described::MOVES, moving),
        ] {
            self.gauge(what, count as f64)?;
        }
        let unsendable = IntCounter::new(described::UNSENDABLE.name, described::UNSENDABLE.help)?;
        unsendable.inc_by(status.unsendable_total);
        self.0.extend(unsendable.collect());
        let skews = status.clock_skew_ms.iter().map(|(node, skew)| (*node, *skew as f64 / 1_000.0));
        self.gauges(&described::CLOCK_SKEW, skews)?;
        if let Some(storage) = &status.storage {
            self.gauge(&described::STORAGE_FREE, storage.space.free as f64)?;
            self.gauge(&described::STORAGE_LOW_MARK, storage.mark as f64)?;
        }
        let low = |node| f64::from(u8::from(status.storage_low.contains(node)));
        let low = status.routing.nodes.keys().map(|node| (*node, low(node)));
        self.gauges(&described::STORAGE_LOW, low)
    }
}
