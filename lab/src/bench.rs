//! `troupe bench`: a local cluster of three nodes under load, with the disk's own figures beside.
//!
//! The nodes, the load and the disk share this machine; every figure is to be read against the
//! baseline of the same run. `--server` measures a cluster that runs already instead.

mod disk;
mod failover;
mod http;
mod recovery;
mod uploads;
mod whole;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use troupe_chaos::local::LocalCluster;
use troupe_client::load::{Edge, Target, fanout, idle, sends};
use troupe_runtime::Platform;

use crate::cluster::{Interrupted, TempDir, plan, tempdir};

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
            let report = fanout::run(options).await?;
            bed.finish(&report, common.json, json!({})).await
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

/// Few users make all the load of a bench. They pay like others, out of budgets that they cannot
/// use up.
const LIMITS: &[(&str, &str)] = &[
    ("limits.user_rate", "1000000"),
    ("limits.user_burst", "1000000"),
    ("limits.address_rate", "1000000"),
    ("limits.address_burst", "1000000"),
    ("limits.messages_per_day", "0"),
    ("limits.bytes_per_day", "0"),
    ("limits.groups_per_day", "0"),
    ("limits.members_per_day", "0"),
    ("limits.address_connections", "65536"),
];

/// The cluster under measurement, and the disk's figures from before the load.
struct Bed {
    edge: Edge,
    cluster: Option<LocalCluster>,
    servers: Vec<String>,
    baseline: disk::Baseline,
    _dir: TempDir,
}

impl Bed {
    async fn new(common: &Common, troupe: &Path) -> Result<Bed> {
        let edge = common.edge.into();
        let Some(server) = &common.server else { return Ok(Bed { edge, ..Bed::local(troupe).await? }) };
        let dir = tempdir()?;
        let baseline = disk::measure(&dir.0, Duration::from_secs(1))?;
        let servers = server.split(',').map(|s| s.trim().to_owned()).collect();
        Ok(Bed { cluster: None, servers, edge, baseline, _dir: dir })
    }

    /// Three nodes with data of their own on the temporary folder's disk.
    async fn local(troupe: &Path) -> Result<Bed> {
        Bed::prepared(troupe, |_| Ok(())).await
    }

    /// The same, with something put under them before they start.
    async fn prepared(troupe: &Path, prepare: impl FnOnce(&mut LocalCluster) -> Result<()>) -> Result<Bed> {
        let dir = tempdir()?;
        let baseline = disk::measure(&dir.0, Duration::from_secs(1))?;
        let mut cluster = plan(troupe, dir.0.join("cluster"), 3, LIMITS)?;
        prepare(&mut cluster)?;
        cluster.start_all()?;
        cluster.wait_ready(&[0, 1, 2], START).await?;
        let servers = cluster.client_addresses();
        Ok(Bed { cluster: Some(cluster), servers, edge: Edge::Tcp, baseline, _dir: dir })
    }

    fn target(&self) -> Target {
        Target { context: Platform::production(), nodes: self.servers.clone(), edge: self.edge }
    }

    /// Resident memory of all nodes together; unknown for a cluster that is not ours.
    fn resident_bytes(&self) -> Result<Option<u64>> {
        let Some(cluster) = &self.cluster else { return Ok(None) };
        let mut total = 0;
        for index in 0..cluster.len() {
            let pid = cluster.pid(index).context("a node has ended")?;
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
            let kib: u64 = line.split_whitespace().nth(1).context("VmRSS has no number")?.parse()?;
            total += kib * 1024;
        }
        Ok(Some(total))
    }

    /// Terms of all shards together, where this bench has its own cluster: each election begins
    /// another.
    async fn terms(&self) -> Result<Option<u64>> {
        let Some(cluster) = &self.cluster else { return Ok(None) };
        whole::terms(cluster).await.map(Some)
    }

    async fn stop(&mut self) -> Result<()> {
        match &mut self.cluster {
            Some(cluster) => cluster.stop_all(Duration::from_secs(15)).await,
            None => Ok(()),
        }
    }

    async fn finish(mut self, report: &impl Serialize, as_json: bool, more: Value) -> Result<()> {
        self.stop().await?;
        let mut all = serde_json::to_value(report)?;
        for part in [more, serde_json::to_value(&self.baseline)?] {
            if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
                all.extend(part);
            }
        }
        print(all, as_json)
    }
}

fn print(figures: Value, as_json: bool) -> Result<()> {
    if as_json {
        println!("{figures}");
        return Ok(());
    }
    for (name, value) in figures.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Number(number) if number.is_f64() => {
                println!("{name:<26}{:>14.2}", number.as_f64().unwrap_or_default())
            }
            Value::String(text) => println!("{name:<26}{text}"),
            other => println!("{name:<26}{:>14}", other.to_string()),
        }
    }
    Ok(())
}
