//! A node loses everything it held while people send: until it has all its copies again, and what
//! the others' clients feel of it.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::sleep;
use troupe_chaos::damage;
use troupe_chaos::local::LocalCluster;
use troupe_client::load::steady::{self, Pace};
use troupe_client::load::{Edge, Target};
use troupe_runtime::Platform;

use super::{PATIENCE, ms};
use crate::bench::whole;

const SENDERS: usize = 12;
/// Of each sender: all together so many that no shard goes without.
const CONVERSATIONS: usize = 8;
/// A short chat message.
const BODY_BYTES: usize = 128;
/// Not measured: caches are cold, and what was filled in is still being merged, which makes acks
/// several times as slow as usual.
const WARM_UP: Duration = Duration::from_secs(60);
/// Duration of the measurement before the fault.
const BEFORE: Duration = Duration::from_secs(20);

#[derive(Serialize)]
pub struct Rebuilt {
    pub rate: f64,
    pub ack_p99_before_ms: f64,
    /// From the start of the empty node until it votes in every shard again and is behind in none.
    pub rebuilt_ms: f64,
    /// Of what was due within that time.
    pub ack_p99_during_ms: f64,
    pub ack_p99_ratio: f64,
    pub ack_max_during_ms: f64,
    /// From the kill until the others led everything, which is a failover and no rebuilding.
    pub ack_max_failover_ms: f64,
    /// Both times together.
    pub ack_p99_since_kill_ms: f64,
    /// Refused or unknown.
    pub errors_before: u64,
    pub errors_failover: u64,
    pub errors_during: u64,
    pub first_error: Option<String>,
}

pub async fn run(cluster: &mut LocalCluster, context: &Platform, rate: f64) -> Result<Rebuilt> {
    let victim = cluster.len() - 1;
    let others: Vec<usize> = (0..victim).collect();
    let load = steady::start(steady::Options {
        // No client is connected to the wiped node: this measures the cluster, not a reconnect.
        target: Target {
            context: context.clone(),
            nodes: cluster.client_addresses()[..victim].to_vec(),
            edge: Edge::Tcp,
        },
        senders: SENDERS,
        conversations: CONVERSATIONS,
        pace: Pace::Rate(rate),
        body_bytes: BODY_BYTES..=BODY_BYTES,
    })
    .await?;
    sleep(WARM_UP).await;
    let begun = load.now();
    sleep(BEFORE).await;

    let killed = load.now();
    cluster.kill(victim).await?;
    damage::wipe(&cluster.data_dir(victim))?;
    whole::wait_led_by(cluster, &others, PATIENCE).await?;
    // As an operator does: the same command as ever, in an empty folder.
    let started = load.now();
    cluster.start(victim)?;
    whole::wait(cluster, PATIENCE).await?;
    let rebuilt = load.now();
    let sent = load.stop().await?;

    let before = sent.between(begun, killed);
    let failover = sent.between(killed, started);
    let during = sent.between(started, rebuilt);
    let took = ms(rebuilt - started);
    eprintln!(
        "  wiped node: rebuilt after {took:.0} ms, ack p99 {:.1} ms before, {:.1} ms during",
        before.ack_p99_ms, during.ack_p99_ms
    );
    Ok(Rebuilt {
        rate,
        ack_p99_before_ms: before.ack_p99_ms,
        rebuilt_ms: took,
        ack_p99_during_ms: during.ack_p99_ms,
        ack_p99_ratio: during.ack_p99_ms / before.ack_p99_ms.max(0.001),
        ack_max_during_ms: during.ack_max_ms,
        ack_max_failover_ms: failover.ack_max_ms,
        ack_p99_since_kill_ms: sent.between(killed, rebuilt).ack_p99_ms,
        errors_before: before.errors,
        errors_failover: failover.errors,
        errors_during: during.errors,
        first_error: sent.first_error,
    })
}
