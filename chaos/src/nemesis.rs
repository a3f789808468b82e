//! Injects faults one after another, and heals them.
//!
//! A fault lasts for a window on the recorder's clock: begun, injected, healed. This module chooses
//! the victims and handles processes. [`network`] breaks links between nodes, [`storage`] their
//! disks and clocks, [`elastic`] changes the number of nodes, and [`crowd`] adds misbehaving
//! clients.

mod crowd;
mod elastic;
mod network;
mod storage;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};
use troupe_core::ConversationId;
use troupe_runtime::Rng;

use crate::local::LocalCluster;
use crate::recorder::Recorder;
use crate::scenario::{Capabilities, Fault, Scenario, Target};
use crate::workload::Workload;

/// How long a killed node stays off.
const AWAY: Duration = Duration::from_secs(2);
/// Pause between two faults, so that progress is made between them.
const BETWEEN: Duration = Duration::from_millis(1500);
/// How long a node may take to return before the run fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// A node must stop within this time after its disk fails.
const NOTICE: Duration = Duration::from_secs(20);
/// Polling interval.
const LOOK: Duration = Duration::from_millis(20);

pub struct Nemesis<'a> {
    pub cluster: &'a mut LocalCluster,
    pub recorder: &'a Recorder,
    pub rng: &'a Rng,
    pub capabilities: Capabilities,
    pub workload: &'a Workload,
    /// The node that is restarted next.
    turn: usize,
    /// Remarks beside the verdict.
    pub notes: Vec<String>,
}

impl<'a> Nemesis<'a> {
    pub fn new(
        cluster: &'a mut LocalCluster,
        recorder: &'a Recorder,
        rng: &'a Rng,
        capabilities: Capabilities,
        workload: &'a Workload,
    ) -> Nemesis<'a> {
        Nemesis { cluster, recorder, rng, capabilities, workload, turn: 0, notes: Vec::new() }
    }

    /// Injects faults until `until`. Everything is healed when it returns. Returns the number of
    /// faults.
    pub async fn run(&mut self, scenario: Scenario, until: Instant) -> Result<u64> {
        let mut faults = 0;
        sleep(BETWEEN).await;
        while Instant::now() < until {
            let Some(fault) = scenario.next(&self.capabilities, &mut |below| self.rng.range(0, below)) else {
                tokio::time::sleep_until(until).await;
                break;
            };
            let fault = shortened(fault, until);
            let window = self.recorder.begin(&fault.to_string());
            let done = self.inject(fault).await;
            self.recorder.end(window);
            done.with_context(|| format!("{fault:?}"))?;
            faults += 1;
            if !matches!(fault, Fault::Freeze(..)) {
                sleep(BETWEEN).await;
            }
        }
        Ok(faults)
    }

    async fn inject(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Kill(target) => {
                let victims = self.choose(target).await?;
                self.kill_for_a_while(&victims).await
            }
            Fault::Freeze(target, seconds) => {
                let victims = self.choose(target).await?;
                self.freeze(&victims, Duration::from_secs(seconds)).await
            }
            Fault::RestartOne => self.restart_next().await,
            Fault::Partition(shape, seconds) => self.partition(shape, Duration::from_secs(seconds)).await,
            Fault::PartitionKill => self.partition_and_kill().await,
            Fault::Degrade(degradation, seconds) => self.degrade(degradation, Duration::from_secs(seconds)).await,
            Fault::ResetStorm(seconds) => self.reset_storm(Duration::from_secs(seconds)).await,
            Fault::PowerLoss(target) => {
                let victims = self.choose(target).await?;
                self.power_loss(&victims).await
            }
            Fault::FailWrites(error) => self.fail_writes(error).await,
            Fault::FailSyncs => self.fail_syncs().await,
            Fault::SlowSyncs(seconds) => self.slow_syncs(Duration::from_secs(seconds)).await,
            Fault::ClockJump(jump, seconds) => self.clock_jump(jump, Duration::from_secs(seconds)).await,
            Fault::Damage(corruption) => self.damage(corruption).await,
            Fault::ReconnectStorm => self.reconnect_storm().await,
            Fault::SlowConsumers(seconds) => self.slow_consumers(Duration::from_secs(seconds)).await,
            Fault::GrowAndShrink => self.grow_and_shrink().await,
            Fault::MembershipChurn(seconds) => self.membership_churn(Duration::from_secs(seconds)).await,
        }
    }

    /// Indexes of the nodes that a fault hits.
    async fn choose(&self, target: Target) -> Result<Vec<usize>> {
        let count = self.cluster.len();
        let minority = (count - 1) / 2;
        let in_a_row = |length: usize| {
            let first = self.rng.range(0, count as u64) as usize;
            (0..length).map(|step| (first + step) % count).collect()
        };
        Ok(match target {
            Target::Leader => vec![self.leader().await?],
            Target::Follower => {
                let leader = self.leader().await?;
                let step = 1 + self.rng.range(0, (count as u64 - 1).max(1)) as usize;
                vec![(leader + step) % count]
            }
            Target::Any => in_a_row(1),
            Target::Minority => in_a_row(minority.max(1)),
            Target::Majority => in_a_row((minority + 1).min(count)),
            Target::All => (0..count).collect(),
        })
    }

    async fn leader(&self) -> Result<usize> {
        self.cluster.leader_of(ConversationId::Everyone.slot(), PATIENCE).await
    }

    async fn kill_for_a_while(&mut self, victims: &[usize]) -> Result<()> {
        self.kill(victims).await?;
        sleep(AWAY).await;
        self.bring_back(victims).await
    }

    async fn kill(&mut self, victims: &[usize]) -> Result<()> {
        // All signals are sent before any wait, so that no node can react to another's end.
        for &index in victims {
            self.recorder.fault(&format!("SIGKILL node {}", index + 1));
            self.cluster.signal(index, Signal::SIGKILL)?;
        }
        for &index in victims {
            self.cluster.kill(index).await?;
        }
        Ok(())
    }

    async fn bring_back(&mut self, victims: &[usize]) -> Result<()> {
        for &index in victims {
            self.cluster.start(index)?;
        }
        self.cluster.wait_ready(victims, PATIENCE).await?;
        self.recorder.fault(&format!("{} back", nodes(victims)));
        Ok(())
    }

    async fn freeze(&mut self, victims: &[usize], time: Duration) -> Result<()> {
        self.recorder.fault(&format!("SIGSTOP {}", nodes(victims)));
        for &index in victims {
            self.cluster.signal(index, Signal::SIGSTOP)?;
        }
        sleep(time).await;
        for &index in victims {
            self.cluster.signal(index, Signal::SIGCONT)?;
        }
        self.recorder.fault(&format!("SIGCONT {}", nodes(victims)));
        Ok(())
    }

    async fn restart_next(&mut self) -> Result<()> {
        let index = self.turn;
        self.turn = (self.turn + 1) % self.cluster.len();
        self.recorder.fault(&format!("SIGTERM node {}", index + 1));
        self.cluster.signal(index, Signal::SIGTERM)?;
        ensure!(self.ends(index, PATIENCE).await?, "node {} does not stop", index + 1);
        self.bring_back(&[index]).await
    }

    /// Whether a node's process ends within a time.
    async fn ends(&mut self, index: usize, within: Duration) -> Result<bool> {
        let deadline = Instant::now() + within;
        while self.cluster.pid(index).is_some() && self.cluster.exited(index)?.is_none() {
            if Instant::now() > deadline {
                return Ok(false);
            }
            sleep(LOOK).await;
        }
        Ok(true)
    }
}

/// "node 2", "nodes 1, 3".
fn nodes(indexes: &[usize]) -> String {
    let names: Vec<String> = indexes.iter().map(|index| (index + 1).to_string()).collect();
    format!("node{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
}

/// Shortens a fault that would outlast the run, but keeps a minimum duration.
fn shortened(fault: Fault, until: Instant) -> Fault {
    let left = until.saturating_duration_since(Instant::now()).as_secs().max(2);
    match fault {
        Fault::Freeze(target, seconds) => Fault::Freeze(target, seconds.min(left)),
        Fault::Partition(shape, seconds) => Fault::Partition(shape, seconds.min(left)),
        Fault::Degrade(degradation, seconds) => Fault::Degrade(degradation, seconds.min(left)),
        other => other,
    }
}
