//! Breaks what is under a node: its disk, its files, its clock.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{AWAY, LOOK, NOTICE, Nemesis, PATIENCE, nodes};
use crate::local::LocalCluster;
use crate::scenario::{Harm, Who};
use crate::shim::{Ill, Shim, WriteError};
use crate::{damage, fetch};

/// How long a sync takes on a slow disk.
const SLOW_SYNC_MICROS: u32 = 500_000;
/// A node must have its copies back within this: the clusters here are young.
const REBUILD: Duration = Duration::from_secs(90);
/// Replicas of each shard, unless told otherwise.
const COPIES: usize = 3;
/// A node gets so far ahead of an old copy of itself.
const AGING: Duration = Duration::from_secs(4);

/// Whether every shard has all its copies, and those on a node vote. A node that lost its disk has
/// a new number in the cluster.
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

    /// All disks go dark first, then the processes are killed: a node must not be able to write
    /// after it lost power.
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
        let ill = Ill { writes: Some(error), ..Ill::default() };
        self.fails_until_it_stops(
            ill,
            match error {
                WriteError::NoSpace => "its disk is full",
                WriteError::Io => "writes fail",
            },
        )
        .await
    }

    pub(super) async fn fail_syncs(&mut self) -> Result<()> {
        self.fails_until_it_stops(Ill { syncs_fail: true, ..Ill::default() }, "syncs fail").await
    }

    /// A node whose disk fails must stop by itself: it cannot know what is on it. Then the disk is
    /// well again, and it comes back.
    async fn fails_until_it_stops(&mut self, ill: Ill, text: &str) -> Result<()> {
        let victim = self.choose(Who::Any).await?[0];
        let before = self.shim()?.injected(victim)?;
        self.recorder.fault(&format!("node {}: {text}", victim + 1));
        self.shim()?.set(victim, ill)?;
        let stopped = self.ends(victim, NOTICE).await?;
        let injected = self.shim()?.injected(victim)? - before;
        self.shim()?.heal(victim)?;
        ensure!(injected > 0, "node {} did not touch its disk for {NOTICE:?}", victim + 1);
        ensure!(stopped, "node {} goes on although {text} ({injected} times)", victim + 1);
        self.recorder.fault(&format!("node {} stopped by itself; its disk is well again", victim + 1));
        self.bring_back(&[victim]).await
    }

    pub(super) async fn slow_syncs(&mut self, time: Duration) -> Result<()> {
        let victim = self.choose(Who::Any).await?[0];
        self.recorder.fault(&format!("node {}: a sync takes {} ms", victim + 1, SLOW_SYNC_MICROS / 1000));
        self.shim()?.set(victim, Ill { sync_micros: SLOW_SYNC_MICROS, ..Ill::default() })?;
        sleep(time).await;
        self.shim()?.heal(victim)?;
        self.recorder.fault(&format!("node {}: its disk is fast again", victim + 1));
        Ok(())
    }

    pub(super) async fn clock_jump(&mut self, seconds: i64, time: Duration) -> Result<()> {
        let victim = self.choose(Who::Any).await?[0];
        self.recorder.fault(&format!("node {}: the clock jumps by {seconds:+} s", victim + 1));
        self.shim()?.set(victim, Ill { clock_seconds: seconds, ..Ill::default() })?;
        sleep(time).await;
        self.shim()?.heal(victim)?;
        self.recorder.fault(&format!("node {}: the clock is right again", victim + 1));
        Ok(())
    }

    /// The node must come back to serving by itself, whatever was done to its files.
    pub(super) async fn damage(&mut self, harm: Harm) -> Result<()> {
        let victim = self.choose(Who::Any).await?[0];
        let data = self.cluster.data_dir(victim);
        let kept = self.cluster.dir().join(format!("node-{}.old", victim + 1));
        if harm == Harm::OldCopy {
            // Copied while it does not run, so that the copy is one that could have been made by
            // stopping and starting.
            self.kill(&[victim]).await?;
            damage::copy(&data, &kept)?;
            self.bring_back(&[victim]).await?;
            sleep(AGING).await;
        }
        self.kill(&[victim]).await?;
        let mut draw = |below| self.rng.range(0, below);
        let done = match harm {
            Harm::FlipBit(files) => damage::flip_bit(&data, files, &mut draw)?,
            Harm::Truncate(files) => damage::truncate(&data, files, &mut draw)?,
            Harm::OldCopy => {
                damage::wipe(&data)?;
                damage::copy(&kept, &data)?;
                std::fs::remove_dir_all(&kept)?;
                Some(format!("it has what it had {} s ago", AGING.as_secs()))
            }
            Harm::Wipe => {
                damage::wipe(&data)?;
                Some("its disk is empty".to_owned())
            }
        };
        match done {
            Some(text) => self.recorder.fault(&format!("node {}: {text}", victim + 1)),
            // A young node has no sorted tables yet: then this was only a kill, and is said to be
            // one.
            None => self.recorder.fault(&format!("node {} has no such file; nothing is damaged", victim + 1)),
        }
        sleep(AWAY).await;
        self.cluster.start(victim)?;
        self.cluster.wait_ready(&[victim], PATIENCE * 2).await?;
        self.recorder.fault(&format!("node {} serves again", victim + 1));
        // The next damage to another node would otherwise be one to a majority.
        let deadline = Instant::now() + REBUILD;
        while !rebuilt(self.cluster, victim).await.unwrap_or(false) {
            ensure!(Instant::now() < deadline, "node {} is not rebuilt within {REBUILD:?}", victim + 1);
            sleep(LOOK * 10).await;
        }
        self.recorder.fault(&format!("node {} is rebuilt", victim + 1));
        damage::forget(&data)
    }
}
