//! How long a cluster that holds something takes to come back: from a stop of all its nodes at
//! once, and to have all its copies again after a node has lost its disk.
//!
//! [`fill`] gives it something to hold, [`cold`] stops and starts everything, [`wiped`] takes one
//! node's data while people send.

mod cold;
mod fill;
mod wiped;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::statvfs::statvfs;
use serde::Serialize;
use troupe_chaos::local::LocalCluster;
use troupe_runtime::Platform;

use cold::Fault;

const MIB: u64 = 1024 * 1024;
/// Bytes on a node's disk, at most, for each byte of bodies: in the log of a shard, in its rows,
/// and both once more while tables are merged.
const ROOM: u64 = 4;
/// And for the engine's own log, however little is stored.
const ROOM_ANYHOW: u64 = 1024 * MIB;
/// Longer than any of it should take; what is measured may well be slow.
const PATIENCE: Duration = Duration::from_secs(600);

pub struct Options {
    /// Of message bodies, on each node.
    pub mib: u64,
    pub body_bytes: usize,
    /// Messages per second while a node is rebuilt.
    pub rate: f64,
    pub power_loss: bool,
}

/// Refuses what this disk cannot hold, before an hour of filling finds out, and puts disks under
/// the nodes if they are to lose power.
pub fn prepare(cluster: &mut LocalCluster, options: &Options) -> Result<()> {
    let each = options.mib * MIB * ROOM + ROOM_ANYHOW;
    let (free, wanted) = (free_bytes(cluster.dir())? / MIB, each * cluster.len() as u64 / MIB);
    let here = cluster.dir().display();
    ensure!(free >= wanted, "{here} has {free} MiB free, and this may take {wanted}: less --mib, or another TMPDIR");
    if options.power_loss {
        if let Some(why) = troupe_chaos::disk::impossible() {
            bail!("no power loss on this machine: {why}");
        }
        cluster.put_disks(each)?;
    }
    Ok(())
}

#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    filled: fill::Filled,
    #[serde(flatten)]
    cold: cold::Cold,
    #[serde(flatten)]
    rebuilt: wiped::Rebuilt,
}

pub async fn run(cluster: &mut LocalCluster, context: &Platform, options: &Options) -> Result<Report> {
    let filled = fill::run(cluster, context, options).await.context("filling the cluster")?;
    let fault = if options.power_loss { Fault::PowerLoss } else { Fault::Kill };
    let cold = cold::run(cluster, context, fault).await.context("the cold start")?;
    let rebuilt = wiped::run(cluster, context, options.rate).await.context("the wiped node")?;
    Ok(Report { filled, cold, rebuilt })
}

/// Free space on the disk of this folder, for a user that is not root.
fn free_bytes(folder: &Path) -> Result<u64> {
    let disk = statvfs(folder).with_context(|| format!("cannot read the free space of {}", folder.display()))?;
    Ok(disk.blocks_available() as u64 * disk.fragment_size() as u64)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
