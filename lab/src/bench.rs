//! `troupe bench`: a local cluster of three nodes under load, with the disk's own figures beside.
//!
//! The nodes, the load and the disk share this machine; every figure is to be read against the
//! baseline of the same run. `--server` measures a cluster that runs already instead.

mod bare;
mod bed;
mod compare;
mod disk;
mod failover;
mod http;
mod ladder;
mod quiet;
mod recovery;
mod uploads;
mod usage;
mod whole;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::json;
use troupe_client::load::{Edge, fanout, idle, sends};

use self::bed::{Bed, print};
use crate::cluster::{Interrupted, tempdir};

#[derive(Subcommand)]
pub enum Bench {
    /// Durable sends per second, latencies of ack and delivery
    Sends {
        #[command(flatten)]
        common: Common,
        /// Messages per second on a fixed schedule; without it, as many as are acknowledged
        #[arg(long)]
        rate: Option<f64>,
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        #[arg(long)]
        senders: Option<usize>,
        #[arg(long)]
        conversations: Option<usize>,
        /// At saturation: sends in flight, all connections together
        #[arg(long)]
        in_flight: Option<usize>,
        #[arg(long)]
        body_bytes: Option<usize>,
    },
    /// Memory per idle logged-in connection
    Idle {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
        /// Held for this long before memory is read: by then the entities of the logins are passive
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// One busy group: deliveries per second
    Fanout {
        #[command(flatten)]
        common: Common,
        /// Members who are online
        #[arg(long, default_value_t = 1_000)]
        members: usize,
        #[arg(long)]
        rate: Option<f64>,
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Kill or stop the leader again and again: time without an acknowledged send
    Failover {
        #[arg(long, default_value_t = 20)]
        times: usize,
        #[arg(long, value_enum, default_value = "kill")]
        signal: failover::Signal,
        #[arg(long)]
        json: bool,
    },
    /// A cluster that holds something: cold start of all nodes, and a wiped node's way back under
    /// load
    Recovery {
        /// MiB of message bodies that every node holds
        #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..))]
        mib: u64,
        /// Bytes of one body on average: each has half as much to half as much again
        #[arg(long, default_value_t = 8192, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(2..=43_690))]
        body_bytes: usize,
        /// Messages per second on a fixed schedule, before and while the wiped node is rebuilt
        #[arg(long, default_value_t = 200.0)]
        rate: f64,
        /// Give every node a disk that loses what was not synced, and cut all of them, instead of
        /// SIGKILL. Wants root
        #[arg(long)]
        power_loss: bool,
        #[arg(long)]
        json: bool,
    },
    /// A file beside messages at a fixed rate: latency of acks with and without it, its own rates
    Uploads {
        #[command(flatten)]
        common: Common,
        /// Of the file
        #[arg(long, default_value_t = 100)]
        mib: usize,
        /// Messages per second on a fixed schedule
        #[arg(long, default_value_t = 500.0)]
        rate: f64,
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Rates from 50 to 10,000 messages per second and saturation: latencies and the cost of a
    /// message
    Ladder {
        /// Messages per second, one after another; saturation follows
        #[arg(long, value_delimiter = ',', default_values_t = ladder::RATES)]
        rates: Vec<f64>,
        /// Of each rate
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..))]
        seconds: u64,
        #[arg(long)]
        json: bool,
    },
    /// An idle cluster: processors, context switches and syncs
    Quiet {
        /// Idle connections, one after another and growing
        #[arg(long, value_delimiter = ',', default_value = "0,1000,10000")]
        connections: Vec<usize>,
        /// Of each number of connections
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..))]
        seconds: u64,
        #[arg(long)]
        json: bool,
    },
    /// Two versions in turn, with the same load: ratios of the new one to the old one
    Compare(compare::Compare),
    /// Only the disk: fsync, and bare RocksDB appends
    Disk {
        #[arg(long, default_value_t = 4)]
        seconds: u64,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct Common {
    /// Measure this running cluster (client addresses, comma-separated) instead of a fresh local
    /// one
    #[arg(long)]
    server: Option<String>,
    /// The way in
    #[arg(long, value_enum, default_value = "tcp")]
    edge: WayIn,
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum WayIn {
    Tcp,
    Websocket,
    /// Sends only
    Http,
}

impl From<WayIn> for Edge {
    fn from(way: WayIn) -> Edge {
        match way {
            WayIn::Tcp | WayIn::Http => Edge::Tcp,
            WayIn::Websocket => Edge::WebSocket,
        }
    }
}

/// Connections before idle ones are counted.
const WARM_UP: usize = 256;
/// A fresh cluster takes this long at most.
const START: Duration = Duration::from_secs(60);

pub async fn run(bench: Bench, troupe: &Path) -> Result<()> {
    let mut interrupted = Interrupted::new()?;
    // To die of the signal would leave nodes behind that stand still, mounts, and folders full of
    // data; to drop the bench leaves nothing.
    tokio::select! {
        done = measure(bench, troupe) => done,
        () = interrupted.wait() => bail!("interrupted"),
    }
}

async fn measure(bench: Bench, troupe: &Path) -> Result<()> {
    match bench {
        Bench::Sends { common, rate, seconds, senders, conversations, in_flight, body_bytes } => {
            let by_http = matches!(common.edge, WayIn::Http);
            let bed = Bed::new(&common, troupe).await?;
            let mut options = sends::Options::new(bed.target());
            options.rate = rate;
            options.duration = Duration::from_secs(seconds);
            options.senders = senders.unwrap_or(options.senders);
            options.conversations = conversations.unwrap_or(options.conversations);
            options.in_flight = in_flight.unwrap_or(options.in_flight);
            options.body_bytes = body_bytes.unwrap_or(options.body_bytes);
            let before = bed.terms().await?;
            let report = match by_http {
                true => serde_json::to_value(http::run(options).await?)?,
                false => serde_json::to_value(sends::run(options).await?)?,
            };
            let elections = bed.terms().await?.zip(before).map(|(after, before)| after - before);
            bed.finish(&report, common.json, json!({ "elections": elections })).await
        }
        Bench::Idle { common, connections, seconds } => {
            ensure!(
                !matches!(common.edge, WayIn::Http),
                "an idle connection of HTTP is no session: use tcp or websocket"
            );
            let hold = Duration::from_secs(seconds);
            // A cluster of its own for each way in: freed memory would be used again.
            let tcp = match common.edge {
                WayIn::Websocket if common.server.is_none() => {
                    let mut bed = Bed::local(troupe).await?;
                    let (_, per, _) = idle_bytes(&bed, connections, hold).await?;
                    bed.stop().await?;
                    per
                }
                _ => None,
            };
            let bed = Bed::new(&common, troupe).await?;
            let (report, per, (before, after)) = idle_bytes(&bed, connections, hold).await?;
            let memory = json!({
                "rss_bytes_per_connection": per,
                "rss_bytes_per_tcp_connection": tcp,
                "rss_bytes_above_tcp": per.zip(tcp).map(|(per, tcp)| per as i64 - tcp as i64),
                "rss_before_bytes": before,
                "rss_after_bytes": after,
            });
            bed.finish(&report, common.json, memory).await
        }
        Bench::Fanout { common, members, rate, seconds } => {
            ensure!(!matches!(common.edge, WayIn::Http), "HTTP pushes nothing here: use tcp or websocket");
            let bed = Bed::new(&common, troupe).await?;
            let mut options = fanout::Options::new(bed.target());
            options.online = members;
            options.rate = rate.or(options.rate);
            options.duration = Duration::from_secs(seconds);
            let body_bytes = options.body_bytes;
            let report = fanout::run(options).await?;
            let bare_writes_per_s = bare::writes_per_s(members, body_bytes).await?;
            let bare = json!({
                "bare_writes_per_s": bare_writes_per_s,
                "bare_ratio": report.deliveries_per_s / bare_writes_per_s,
            });
            bed.finish(&report, common.json, bare).await
        }
        Bench::Failover { times, signal, json } => {
            let mut bed = Bed::local(troupe).await?;
            let report = failover::run(bed.cluster.as_mut().context("a local cluster")?, times, signal).await?;
            bed.finish(&report, json, json!({})).await
        }
        Bench::Recovery { mib, body_bytes, rate, power_loss, json } => {
            let options = recovery::Options { mib, body_bytes, rate, power_loss };
            let mut bed = Bed::prepared(troupe, |cluster| recovery::prepare(cluster, &options)).await?;
            let context = bed.target().context;
            let report = recovery::run(bed.cluster.as_mut().context("a local cluster")?, &context, &options).await?;
            bed.finish(&report, json, json!({})).await
        }
        Bench::Uploads { common, mib, rate, seconds } => {
            ensure!(!matches!(common.edge, WayIn::Http), "the client of this bench uses tcp or websocket");
            let bed = Bed::new(&common, troupe).await?;
            let report = uploads::run(uploads::Options { target: bed.target(), mib, rate, seconds }).await?;
            bed.finish(&report, common.json, json!({})).await
        }
        Bench::Ladder { rates, seconds, json } => {
            let bed = Bed::local(troupe).await?;
            let cluster = bed.cluster.as_ref().context("a local cluster")?;
            let report = ladder::run(cluster, bed.target(), &rates, seconds, !json).await?;
            // The table is there already.
            let report = if json { serde_json::to_value(report)? } else { json!({}) };
            bed.finish(&report, json, json!({})).await
        }
        Bench::Quiet { connections, seconds, json } => {
            let bed = Bed::local(troupe).await?;
            let cluster = bed.cluster.as_ref().context("a local cluster")?;
            let report = quiet::run(cluster, &bed.target(), &connections, seconds).await?;
            bed.finish(&report, json, json!({})).await
        }
        Bench::Compare(compare) => compare.run(troupe).await,
        Bench::Disk { seconds, json } => {
            let dir = tempdir()?;
            let baseline = disk::measure(&dir.0, Duration::from_secs(seconds) / 2)?;
            print(serde_json::to_value(baseline)?, json)
        }
    }
}

/// Opens idle connections: the report, the bytes of each on the servers, and resident memory before
/// and after.
async fn idle_bytes(
    bed: &Bed,
    connections: usize,
    hold: Duration,
) -> Result<(idle::Report, Option<u64>, (Option<u64>, Option<u64>))> {
    // The first logins leave memory in a server, for instance of password hashing, that belongs to
    // no connection.
    let few = idle::Options { target: bed.target(), connections: WARM_UP, hold: Duration::ZERO };
    drop(idle::open(&few).await?);
    let before = bed.resident_bytes()?;
    let mut held = idle::open(&idle::Options { target: bed.target(), connections, hold }).await?;
    let report = held.hold(hold).await;
    let after = bed.resident_bytes()?;
    let per = before.zip(after).map(|(before, after)| after.saturating_sub(before) / held.opened().max(1) as u64);
    Ok((report, per, (before, after)))
}
