//! The instruments of a node. `docs/metrics.md` is the catalogue, and a test compares it.
//!
//! Recording is a few atomic additions on a handle that the node holds: no lock, no allocation, no
//! lookup by name. Nothing is decided by a metric. No user, conversation or address is a label,
//! because their number has no bound.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, IntCounter, IntGauge, Opts};
use tokio::time::Instant;

/// Upper bounds in seconds: from a memory engine's fsync to the longest a request is tried.
const SECONDS: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of counts: up to the longest queue.
const COUNTS: &[f64] = &[0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0];
/// Upper bounds of bytes: up to the largest queue of a connection.
const BYTES: &[f64] = &[256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $field:ident: $kind:ident = $name:literal $(in $bounds:ident)?,)*) => {
        /// The counters, gauges and histograms of a node.
        #[derive(Debug)]
        pub struct Metrics { $($(#[doc = $doc])+ pub $field: $kind,)* }

        impl Metrics {
            fn new() -> Metrics {
                Metrics { $($field: $kind::new($name, concat!($($doc),+).trim_ascii() $(, $bounds)?),)* }
            }

            /// The values of this moment, in the form of the text encoder.
            pub fn families(&self) -> Vec<MetricFamily> {
                let mut families = Vec::new();
                $(families.extend(self.$field.0.collect());)*
                families
            }
        }
    };
}

metrics! {
    /// Open client connections.
    connections: Gauge = "troupe_connections",
    /// Open connections that have not logged in.
    unauthenticated: Gauge = "troupe_unauthenticated",
    /// Connections that have logged in.
    sessions: Gauge = "troupe_sessions",
    /// Open WebSocket connections, which troupe_connections counts too.
    websockets: Gauge = "troupe_websockets",
    /// Open event streams of the HTTP API, which troupe_connections counts too.
    event_streams: Gauge = "troupe_event_streams",
    /// Actors of the node: shards, users, conversations, connections, fan-out.
    actors: Gauge = "troupe_actors",
    /// Requests to the HTTP API, refused ones included.
    http_requests: Counter = "troupe_http_requests_total",
    /// Sends received from clients.
    sends: Counter = "troupe_sends_total",
    /// Sends acknowledged to clients.
    acks: Counter = "troupe_acks_total",
    /// Events handed to connections.
    deliveries: Counter = "troupe_deliveries_total",
    /// Requests answered with a rejection.
    rejected: Counter = "troupe_rejected_total",
    /// Requests answered with overloaded.
    overloaded: Counter = "troupe_overloaded_total",
    /// Requests answered with unavailable.
    unavailable: Counter = "troupe_unavailable_total",
    /// Requests refused because a user or an address had used its budget.
    rate_limited: Counter = "troupe_rate_limited_total",
    /// Client connections closed because no place was free, or because their address opens too
    /// many per second.
    connections_refused: Counter = "troupe_connections_refused_total",
    /// Connections closed because they did not read.
    slow_consumers: Counter = "troupe_slow_consumers_total",
    /// HTTP requests of CIM's protocol that were answered.
    cim_requests: Counter = "troupe_cim_requests_total",
    /// Connections of CIM clients from a network that is not allowed, and channels without a login.
    cim_refused: Counter = "troupe_cim_refused_total",
    /// Messages that CIM clients received from the log because they were away.
    cim_caught_up: Counter = "troupe_cim_caught_up_total",
    /// CIM clients with a live channel.
    cim_channels: Gauge = "troupe_cim_channels",
    /// Gaps in fan-out that the node filled from a leader.
    gaps: Counter = "troupe_gaps_total",
    /// Calls of Raft sent to other nodes: appends, heartbeats, votes.
    node_calls: Counter = "troupe_node_calls_total",
    /// Requests that the node sent to a leader again.
    retries: Counter = "troupe_retries_total",
    /// Pushes that could not be sent; the exchange of heads makes up for them.
    lost_pushes: Counter = "troupe_lost_pushes_total",
    /// Signals queued for connections.
    signals: Counter = "troupe_signals_total",
    /// Signals dropped because their connection is slow.
    dropped_signals: Counter = "troupe_dropped_signals_total",
    /// From the receipt of a send to its acknowledgement, at the client's node.
    ack: Histogram = "troupe_ack_seconds" in SECONDS,
    /// From the commit of an event to the write queues of connections, at their node.
    delivery: Histogram = "troupe_delivery_seconds" in SECONDS,
    /// One synced write of the log, which all shards of the node share.
    fsync: Histogram = "troupe_fsync_seconds" in SECONDS,
    /// One step of applying a shard's committed entries.
    apply: Histogram = "troupe_apply_seconds" in SECONDS,
    /// Commands in one log entry that the node proposed.
    proposal_commands: Histogram = "troupe_proposal_commands" in COUNTS,
    /// Bytes of one log entry that the node proposed.
    proposal_bytes: Histogram = "troupe_proposal_bytes" in BYTES,
    /// Requests in flight at a shard, as each new one finds them. At 8,192 requests are refused.
    shard_in_flight: Histogram = "troupe_shard_in_flight" in COUNTS,
    /// Envelopes that wait in a lane to another node, as each new one finds them. At 8,192 requests
    /// are refused.
    lane_envelopes: Histogram = "troupe_lane_envelopes" in COUNTS,
    /// Log writes that wait for the next fsync, as it begins. At 4,096 shards wait for the disk.
    flusher_queue: Histogram = "troupe_flusher_queue" in COUNTS,
    /// Bytes that wait for a client connection, as each write finds them.
    connection_queue_bytes: Histogram = "troupe_connection_queue_bytes" in BYTES,
    /// Rows that each round of a shard's outbox relay finds.
    outbox_rows: Histogram = "troupe_outbox_rows" in COUNTS,
}

/// A node's [`Metrics`], made when the first is recorded: a client has the same platform and counts
/// nothing. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Meters(Arc<LazyLock<Metrics>>);

impl Default for Meters {
    fn default() -> Meters {
        Meters(Arc::new(LazyLock::new(Metrics::new)))
    }
}

impl Deref for Meters {
    type Target = Metrics;

    fn deref(&self) -> &Metrics {
        &self.0
    }
}

/// Only goes up.
#[derive(Debug)]
pub struct Counter(IntCounter);

impl Counter {
    fn new(name: &str, help: &str) -> Counter {
        Counter(IntCounter::with_opts(Opts::new(name, help)).expect(WELL_FORMED))
    }

    pub fn up(&self) {
        self.0.inc();
    }

    pub fn add(&self, many: u64) {
        self.0.inc_by(many);
    }

    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Goes down as well.
#[derive(Debug)]
pub struct Gauge(IntGauge);

impl Gauge {
    fn new(name: &str, help: &str) -> Gauge {
        Gauge(IntGauge::with_opts(Opts::new(name, help)).expect(WELL_FORMED))
    }

    pub fn up(&self) {
        self.0.inc();
    }

    pub fn down(&self) {
        self.0.dec();
    }

    pub fn get(&self) -> u64 {
        self.0.get().max(0) as u64
    }
}

/// Counts values by fixed bounds.
#[derive(Debug)]
pub struct Histogram(prometheus::Histogram);

impl Histogram {
    fn new(name: &str, help: &str, bounds: &[f64]) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        Histogram(prometheus::Histogram::with_opts(options).expect(WELL_FORMED))
    }

    pub fn count(&self, value: usize) {
        self.0.observe(value as f64);
    }

    pub fn duration(&self, lasted: Duration) {
        self.0.observe(lasted.as_secs_f64());
    }

    /// Records the time since `begin`.
    pub fn since(&self, begin: Instant) {
        self.duration(begin.elapsed());
    }

    /// How many values were recorded.
    pub fn recorded(&self) -> u64 {
        self.0.get_sample_count()
    }
}

/// Names and bounds are literals of this file, and the tests make all of them.
const WELL_FORMED: &str = "a metric's name and bounds are well formed";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_each_metric_says_what_it_counts() {
        let families = Meters::default().families();
        let names: BTreeSet<_> = families.iter().map(MetricFamily::name).collect();
        assert_eq!(names.len(), families.len());
        for family in &families {
            let help = family.help();
            assert!(help.len() > 10 && help.ends_with('.') && !help.contains(".rs"), "{}: {help}", family.name());
        }
    }

    #[test]
    fn clones_count_together() {
        let meters = Meters::default();
        let other = meters.clone();
        meters.sends.add(2);
        other.sends.up();
        other.connections.down();
        meters.fsync.duration(Duration::from_millis(3));
        assert_eq!((other.sends.get(), meters.connections.get(), other.fsync.recorded()), (3, 0, 1));
    }
}
