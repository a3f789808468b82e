//! Breaks a node's disk, files or clock.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use troupe_fetch as fetch;

use super::{AWAY, LOOK, NOTICE, Nemesis, PATIENCE, nodes};
use crate::damage;
use crate::local::LocalCluster;
use crate::scenario::{Corruption, Target};
use crate::shim::{NodeFaults, Shim, WriteError};

/// Duration of a sync on a slow disk.
const SLOW_SYNC_MICROS: u32 = 500_000;
/// Limit for the rebuild of a node. The clusters here are young.
const REBUILD: Duration = Duration::from_secs(90);
/// Default replicas of each shard.
const COPIES: usize = 3;
/// Age of a restored copy.
const AGING: Duration = Duration::from_secs(4);

/// Whether every shard has all its copies, and those on this node vote. A node that lost its disk
/// has a new id.
async fn rebuilt(cluster: &LocalCluster, node: usize) -> Result<bool> {
    let http = &cluster.addresses(node).http;
    let (_, status) = fetch::get_json(http, "/v1/cluster", LOOK * 100).await?;
    let shards = status["shards"].as_array().context("shards")?;
    let replicas = status["replicas"].as_array().context("replicas")?;
    let votes = |shard: &Value| {
        let here = replicas.iter().find(|replica| replica["shard"] == shard["id"]);
        here.is_some_and(|replica| replica["role"] != "learner" && replica["committed"].as_u64() > Some(0))
    };
    let copies = COPIES.min(cluster.len());
    Ok(shards.iter().all(|shard| {
        let nodes = shard["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        nodes.len() >= copies && (!nodes.contains(&status["node"]) || votes(shard))
    }) && (cluster.len() > copies || shards.iter().all(votes)))
}

impl Nemesis<'_> {
    fn shim(&self) -> Result<&Shim> {
        self.cluster.shim().context("this cluster runs without the fault library")
    }

    /// All disks fail first, then the processes are killed: a node must not write after it lost
    /// power.
    pub(super) async fn power_loss(&mut self, victims: &[usize]) -> Result<()> {
        self.recorder.fault(&format!("{} without power", nodes(victims)));
        for &index in victims {
            self.cluster.disk(index).context("this cluster runs without disks of its own")?.lose_power()?;
        }
        self.kill(victims).await?;
        sleep(AWAY).await;
        for &index in victims {
            self.cluster.disk(index).context("a disk")?.power_up()?;
        }
        self.bring_back(victims).await
    }

    pub(super) async fn fail_writes(&mut self, error: WriteError) -> Result<()> {
        let faults = NodeFaults { writes: Some(error), ..NodeFaults::default() };
        self.fails_until_it_stops(
            faults,
            match error {
                WriteError::NoSpace => "its disk is full",
                WriteError::Io => "writes fail",
            },
        )
        .await
    }

    pub(super) async fn fail_syncs(&mut self) -> Result<()> {
        self.fails_until_it_stops(NodeFaults { syncs_fail: true, ..NodeFaults::default() }, "syncs fail").await
    }

    /// A node with a failing disk must stop by itself, because the disk's state is unknown. Then
    /// the disk is healed, and the node returns.
    async fn fails_until_it_stops(&mut self, faults: NodeFaults, text: &str) -> Result<()> {
        let victim = self.choose(Target::Any).await?[0];
        let before = self.shim()?.injected(victim)?;
        self.recorder.fault(&format!("node {}: {text}", victim + 1));
        self.shim()?.set(victim, faults)?;
        let stopped = self.ends(victim, NOTICE).await?;
        let injected = self.shim()?.injected(victim)? - before;
        self.shim()?.heal(victim)?;
        ensure!(injected > 0, "node {} did not touch its disk for {NOTICE:?}", victim + 1);
        ensure!(stopped, "node {} continues although {text} ({injected} times)", victim + 1);
        self.recorder.fault(&format!("node {} stopped by itself; its disk is healed", victim + 1));
        self.bring_back(&[victim]).await
    }

    pub(super) async fn slow_syncs(&mut self, time: Duration) -> Result<()> {
        let victim = self.choose(Target::Any).await?[0];
        self.recorder.fault(&format!("node {}: a sync takes {} ms", victim + 1, SLOW_SYNC_MICROS / 1000));
        self.shim()?.set(victim, NodeFaults { sync_micros: SLOW_SYNC_MICROS, ..NodeFaults::default() })?;
        sleep(time).await;
        self.shim()?.heal(victim)?;
        self.recorder.fault(&format!("node {}: its disk is fast again", victim + 1));
        Ok(())
    }

    pub(super) async fn clock_jump(&mut self, seconds: i64, time: Duration) -> Result<()> {
        let victim = self.choose(Target::Any).await?[0];
        self.recorder.fault(&format!("node {}: the clock jumps by {seconds:+} s", victim + 1));
        self.shim()?.set(victim, NodeFaults { clock_seconds: seconds, ..NodeFaults::default() })?;
        sleep(time).await;
        self.shim()?.heal(victim)?;
        self.recorder.fault(&format!("node {}: the clock is right again", victim + 1));
        Ok(())
    }

    /// The node must return to service by itself, whatever damage its files have.
    pub(super) async fn damage(&mut self, corruption: Corruption) -> Result<()> {
        let victim = self.choose(Target::Any).await?[0];
        let data = self.cluster.data_dir(victim);
        let kept = self.cluster.dir().join(format!("node-{}.old", victim + 1));
        if corruption == Corruption::OldCopy {
            // Copied while it is stopped, so that the copy is consistent.
            self.kill(&[victim]).await?;
            damage::copy(&data, &kept)?;
            self.bring_back(&[victim]).await?;
            sleep(AGING).await;
        }
        self.kill(&[victim]).await?;
        let mut draw = |below| self.rng.range(0, below);
        let done = match corruption {
            Corruption::FlipBit(files) => damage::flip_bit(&data, files, &mut draw)?,
            Corruption::Truncate(files) => damage::truncate(&data, files, &mut draw)?,
            Corruption::OldCopy => {
                damage::wipe(&data)?;
                damage::copy(&kept, &data)?;
                std::fs::remove_dir_all(&kept)?;
                Some(format!("restored to a copy from {} s ago", AGING.as_secs()))
            }
            Corruption::Wipe => {
                damage::wipe(&data)?;
                Some("its disk is empty".to_owned())
            }
        };
        match done {
            Some(text) => self.recorder.fault(&format!("node {}: {text}", victim + 1)),
            // A young node may have no such file. Then this was only a kill, and the report says
            // so.
            None => self.recorder.fault(&format!("node {} has no such file and is not damaged", victim + 1)),
        }
        sleep(AWAY).await;
        self.cluster.start(victim)?;
        self.cluster.wait_ready(&[victim], PATIENCE * 2).await?;
        self.recorder.fault(&format!("node {} serves again", victim + 1));
        // Otherwise the next damage could hit a majority.
        let deadline = Instant::now() + REBUILD;
        while !rebuilt(self.cluster, victim).await.unwrap_or(false) {
            ensure!(Instant::now() < deadline, "node {} is not rebuilt within {REBUILD:?}", victim + 1);
            sleep(LOOK * 10).await;
        }
        self.recorder.fault(&format!("node {} is rebuilt", victim + 1));
        damage::forget(&data)
    }
}
