//! Rates one after another, from a lone message now and then to saturation: latencies, and the cost
//! of each message on the nodes.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use troupe_chaos::local::LocalCluster;
use troupe_client::load::{Target, sends};
use troupe_core::limits;

use super::{usage, whole};

/// Messages per second.
pub const RATES: [f64; 8] = [50.0, 100.0, 250.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Null at saturation.
    pub rate: Option<f64>,
    pub acked_per_s: f64,
    pub ack_p50_ms: f64,
    pub ack_p99_ms: f64,
    pub ack_p999_ms: f64,
    pub deliver_p50_ms: f64,
    pub deliver_p99_ms: f64,
    pub cpu_cores: f64,
    /// Of all nodes, for each acknowledged message; so are the following.
    pub cpu_ms: f64,
    pub cpu_user_ms: f64,
    pub cpu_system_ms: f64,
    pub context_switches: f64,
    pub fsyncs: f64,
    pub write_bytes: f64,
    /// Calls of Raft between nodes; heartbeats and answers to pings included.
    pub calls: Option<f64>,
    pub errors: u64,
}

/// The load, for a comparison with other systems under the same one.
#[derive(Clone, Debug, Serialize)]
pub struct Load {
    pub senders: usize,
    /// At saturation: sends in flight of one sender.
    pub in_flight: usize,
    /// At a fixed rate: the most sends in flight of one sender.
    pub window: usize,
    pub body_bytes: usize,
    pub shards: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub seconds: u64,
    pub load: Load,
    pub steps: Vec<Step>,
}

/// The step of one rate.
pub async fn step(cluster: &LocalCluster, target: Target, rate: Option<f64>, seconds: u64) -> Result<Step> {
    let mut options = sends::Options::new(target);
    (options.rate, options.duration) = (rate, Duration::from_secs(seconds));
    let (report, usage) = usage::beside(cluster, options).await?;
    let messages = report.acked.max(1) as f64;
    Ok(Step {
        rate,
        acked_per_s: report.acked_per_s,
        ack_p50_ms: report.ack_p50_ms,
        ack_p99_ms: report.ack_p99_ms,
        ack_p999_ms: report.ack_p999_ms,
        deliver_p50_ms: report.deliver_p50_ms,
        deliver_p99_ms: report.deliver_p99_ms,
        cpu_cores: usage.cpu_cores(),
        cpu_ms: 1000.0 * usage.cpu_s() / messages,
        cpu_user_ms: 1000.0 * usage.cpu_user_s / messages,
        cpu_system_ms: 1000.0 * usage.cpu_system_s / messages,
        context_switches: usage.context_switches as f64 / messages,
        fsyncs: usage.fsyncs / messages,
        write_bytes: usage.write_bytes as f64 / messages,
        calls: usage.calls.map(|calls| calls / messages),
        errors: report.errors,
    })
}

/// These rates one after another, then saturation.
pub async fn run(cluster: &LocalCluster, target: Target, rates: &[f64], seconds: u64, shows: bool) -> Result<Report> {
    let usual = sends::Options::new(target.clone());
    let load = Load {
        senders: usual.senders,
        in_flight: usual.in_flight,
        window: limits::SEND_WINDOW,
        body_bytes: usual.body_bytes,
        shards: whole::shards(cluster).await?,
    };
    let mut steps = Vec::new();
    if shows {
        println!(
            "{:>10}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
            "rate/s",
            "acked/s",
            "p50 ms",
            "p99 ms",
            "cores",
            "cpu ms",
            "user ms",
            "sys ms",
            "switches",
            "fsyncs",
            "bytes",
            "calls"
        );
    }
    for rate in rates.iter().copied().map(Some).chain([None]) {
        let step = step(cluster, target.clone(), rate, seconds).await?;
        if shows {
            println!("{}", line(&step));
        }
        steps.push(step);
    }
    Ok(Report { seconds, load, steps })
}

fn line(step: &Step) -> String {
    let rate = step.rate.map_or_else(|| "most".to_owned(), |rate| format!("{rate:.0}"));
    let Step { acked_per_s, ack_p50_ms, ack_p99_ms, cpu_cores, cpu_ms, cpu_user_ms, cpu_system_ms, .. } = step;
    let Step { context_switches, fsyncs, write_bytes, calls, .. } = step;
    let calls = calls.map_or_else(String::new, |calls| format!("{calls:.2}"));
    format!(
        "{rate:>10}{acked_per_s:>10.0}{ack_p50_ms:>9.2}{ack_p99_ms:>9.2}{cpu_cores:>9.2}{cpu_ms:>9.3}\
         {cpu_user_ms:>9.3}{cpu_system_ms:>9.3}{context_switches:>9.2}{fsyncs:>9.2}{write_bytes:>9.0}{calls:>9}"
    )
}
