//! Gives a cluster something to hold: durable sends until every node has so much of it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use troupe_chaos::local::LocalCluster;
use troupe_client::load::steady::{self, Pace, Steady};
use troupe_client::load::{Edge, Target};
use troupe_runtime::Platform;

use super::{MIB, Options, PATIENCE};
use crate::bench::whole::{self, LOOK};

const SENDERS: usize = 48;
/// Of each sender: all together so many that no shard goes without.
const CONVERSATIONS: usize = 2;
const IN_FLIGHT: usize = 16;
/// Without a single ack for this long, the fill gives up.
const STALLED: Duration = Duration::from_secs(60);

#[derive(Serialize)]
pub struct Filled {
    pub nodes: usize,
    /// On the disk of the node that holds least, log and rows together.
    pub fill_mib: f64,
    /// Bodies of acknowledged messages.
    pub bodies_mib: f64,
    pub messages: u64,
    pub fill_seconds: f64,
}

pub async fn run(cluster: &mut LocalCluster, context: &Platform, options: &Options) -> Result<Filled> {
    let half = options.body_bytes / 2;
    let load = steady::start(steady::Options {
        target: Target { context: context.clone(), nodes: cluster.client_addresses(), edge: Edge::Tcp },
        senders: SENDERS,
        conversations: CONVERSATIONS,
        pace: Pace::InFlight(IN_FLIGHT),
        body_bytes: options.body_bytes - half..=options.body_bytes + half,
    })
    .await?;
    let begun = Instant::now();
    grown(&load, options.mib * MIB).await?;
    let acked = load.acked_bytes();
    let sent = load.stop().await?;
    let seconds = begun.elapsed().as_secs_f64();
    // An acknowledged message is on two nodes; here every node must have it.
    whole::wait(cluster, PATIENCE).await?;
    let mut least = u64::MAX;
    for index in 0..cluster.len() {
        let data = cluster.data_dir(index);
        least = least.min(on_disk(&data).with_context(|| format!("{}", data.display()))?);
    }
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    eprintln!("  filled: {:.0} MiB on each node's disk in {seconds:.0} s", mib(least));
    Ok(Filled {
        nodes: cluster.len(),
        fill_mib: mib(least),
        bodies_mib: mib(acked),
        messages: sent.acked(),
        fill_seconds: seconds,
    })
}

/// Waits until so many bytes are acknowledged, and says how it goes.
async fn grown(load: &Steady, goal: u64) -> Result<()> {
    let mut told = 0;
    let (mut before, mut moved) = (0, Instant::now());
    loop {
        let acked = load.acked_bytes();
        if acked >= goal {
            return Ok(());
        }
        if acked > before {
            (before, moved) = (acked, Instant::now());
        }
        if !load.goes_on() || moved.elapsed() > STALLED {
            bail!("only {} of {} MiB were acknowledged, and nothing more comes", acked / MIB, goal / MIB);
        }
        let tenths = acked * 10 / goal;
        if tenths > told {
            told = tenths;
            eprintln!("  filling: {} of {} MiB, {:.0} s", acked / MIB, goal / MIB, load.now().as_secs_f64());
        }
        sleep(LOOK).await;
    }
}

/// Bytes that a folder takes up, whatever its files say of their lengths. Files may go while it is
/// read.
fn on_disk(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += if metadata.is_dir() { on_disk(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
