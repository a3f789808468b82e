//! The time without an ack when a leader is killed, or stops for a while as a paused machine does:
//! from the signal to the next ack.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use hdrhistogram::Histogram;
use nix::sys::signal;
use nix::unistd::Pid;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use troupe_chaos::local::LocalCluster;
use troupe_client::{Client, StartAt};
use troupe_core::{Body, ConversationId};

use super::whole;

const PATIENCE: Duration = Duration::from_secs(30);
/// Quiet time before each signal, so that one failover does not run into the next.
const BETWEEN: Duration = Duration::from_secs(2);

/// The signal to the leading node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// SIGKILL; it is started again afterwards
    Kill,
    /// SIGSTOP: its sockets stay open and nothing answers; SIGCONT afterwards
    Stop,
}

#[derive(Serialize)]
pub struct Report {
    pub times: usize,
    pub signal: Signal,
    pub gap_min_ms: f64,
    pub gap_p50_ms: f64,
    pub gap_p99_ms: f64,
    pub gap_max_ms: f64,
}

/// Strikes the node that leads the shard of `everyone` and measures from the signal to the next ack
/// there.
pub async fn run(cluster: &mut LocalCluster, times: usize, signal: Signal) -> Result<Report> {
    let account = |nodes: Vec<String>| {
        Client::builder().nodes(nodes).credentials("failover-bench", "failover bench password").device("bench")
    };
    account(cluster.client_addresses()).register().await.context("register")?;
    let mut gaps = Histogram::<u64>::new_with_bounds(1, 120_000_000, 3)?;
    for round in 0..times {
        let leader = cluster.leader_of(ConversationId::Everyone.slot(), PATIENCE).await?;
        // The client sits on a node that survives: what is measured is the shard's failover, not a
        // reconnect.
        let safe = (leader + 1) % cluster.len();
        let here = vec![cluster.addresses(safe).client.clone()];
        let (client, mut events) = account(here).start_at(StartAt::Head).connect().await.context("log in")?;
        let drain = tokio::spawn(async move { while events.next().await.is_some() {} });
        acked(&client).await?;
        sleep(BETWEEN).await;
        acked(&client).await?;
        let struck = Instant::now();
        let stopped = match signal {
            Signal::Kill => {
                cluster.kill(leader).await?;
                None
            }
            Signal::Stop => Some(Stopped::stop(cluster, leader)?),
        };
        acked(&client).await?;
        let gap = struck.elapsed();
        gaps.saturating_record(gap.as_micros() as u64);
        let (name, done) = (leader + 1, if stopped.is_some() { "stopped" } else { "killed" });
        eprintln!("  round {:>3}: node {name} {done}, {:>7.1} ms", round + 1, gap.as_secs_f64() * 1000.0);
        client.close().await;
        drain.abort();
        drop(stopped);
        cluster.start(leader)?;
        // It must have given up what it led and follow the others, or the next round would measure
        // two failovers.
        whole::wait(cluster, PATIENCE).await?;
    }
    let ms = |micros: u64| micros as f64 / 1000.0;
    Ok(Report {
        times,
        signal,
        gap_min_ms: ms(gaps.min()),
        gap_p50_ms: ms(gaps.value_at_quantile(0.5)),
        gap_p99_ms: ms(gaps.value_at_quantile(0.99)),
        gap_max_ms: ms(gaps.max()),
    })
}

/// A process that stands still until this is dropped: left so by an error it could not notice that
/// we have ended, and would outlive us.
struct Stopped(Pid);

impl Stopped {
    fn stop(cluster: &LocalCluster, index: usize) -> Result<Stopped> {
        let pid = cluster.pid(index).with_context(|| format!("node {} does not run", index + 1))?;
        cluster.signal(index, signal::Signal::SIGSTOP)?;
        Ok(Stopped(Pid::from_raw(pid as i32)))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have ended meanwhile.
        let _ = signal::kill(self.0, signal::Signal::SIGCONT);
    }
}

async fn acked(client: &Client) -> Result<()> {
    let handle = client.send(ConversationId::Everyone, Body::text("still there?"))?;
    tokio::time::timeout(PATIENCE, handle).await.context("no ack")??;
    Ok(())
}
