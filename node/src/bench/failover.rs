//! How long nobody gets an ack when a leader is killed: one sender per shard's worth of conversations, SIGKILL, the longest gap.

use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use troupe_client::{Client, StartAt};
use troupe_core::{Body, ConversationId};

use troupe_chaos::local::LocalCluster;

const PATIENCE: Duration = Duration::from_secs(30);
/// Quiet time before each kill, so that one failover does not run into the next.
const BETWEEN: Duration = Duration::from_secs(2);

#[derive(Serialize)]
pub struct Report {
    pub times: usize,
    pub gap_min_ms: f64,
    pub gap_p50_ms: f64,
    pub gap_p99_ms: f64,
    pub gap_max_ms: f64,
}

/// Kills the node that leads the shard of `everyone` and measures from the kill to the next ack there.
pub async fn run(cluster: &mut LocalCluster, times: usize) -> Result<Report> {
    let account = |nodes: Vec<String>| {
        Client::builder().nodes(nodes).credentials("failover-bench", "failover bench password").device("bench")
    };
    account(cluster.client_addresses()).register().await.context("register")?;
    let mut gaps = Histogram::<u64>::new_with_bounds(1, 120_000_000, 3)?;
    for round in 0..times {
        let leader = cluster.leader_of(ConversationId::Everyone.slot(), PATIENCE).await?;
        // The client sits on a node that survives: what is measured is the shard's failover, not a reconnect.
        let safe = (leader + 1) % cluster.len();
        let here = vec![cluster.addresses(safe).client.clone()];
        let (client, mut events) = account(here).start_at(StartAt::Head).connect().await.context("log in")?;
        let drain = tokio::spawn(async move { while events.next().await.is_some() {} });
        acked(&client).await?;
        sleep(BETWEEN).await;
        acked(&client).await?;
        let killed = Instant::now();
        cluster.kill(leader).await?;
        acked(&client).await?;
        let gap = killed.elapsed();
        gaps.saturating_record(gap.as_micros() as u64);
        eprintln!("  round {:>3}: node {} killed, {:>7.1} ms", round + 1, leader + 1, gap.as_secs_f64() * 1000.0);
        client.close().await;
        drain.abort();
        cluster.start(leader)?;
        cluster.wait_ready(&[leader], PATIENCE).await?;
    }
    let ms = |micros: u64| micros as f64 / 1000.0;
    Ok(Report {
        times,
        gap_min_ms: ms(gaps.min()),
        gap_p50_ms: ms(gaps.value_at_quantile(0.5)),
        gap_p99_ms: ms(gaps.value_at_quantile(0.99)),
        gap_max_ms: ms(gaps.max()),
    })
}

async fn acked(client: &Client) -> Result<()> {
    let handle = client.send(ConversationId::Everyone, Body::text("still there?"))?;
    tokio::time::timeout(PATIENCE, handle).await.context("no ack")??;
    Ok(())
}
