//! Does the damage, one fault after another, and undoes it.
//!
//! A fault's life is a window on the recorder's clock: begun, done, healed. Here are the choice of
//! victims and what is done to processes; [`network`] breaks what is between them, [`storage`] what
//! is under them, [`elastic`] changes how many there are, [`crowd`] sends people who misbehave.

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
use crate::scenario::{Fault, Means, Scenario, Who};
use crate::workload::Workload;

/// How long a killed node stays away.
const AWAY: Duration = Duration::from_secs(2);
/// Quiet time between two faults, so that progress is made between them.
const BETWEEN: Duration = Duration::from_millis(1500);
/// How long a node may take to come back before the run fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// A disk that fails must have stopped its node by then, or the fault was not noticed.
const NOTICE: Duration = Duration::from_secs(20);
/// Between two looks at something that can only be looked at.
const LOOK: Duration = Duration::from_millis(20);

pub struct Nemesis<'a> {
    pub cluster: &'a mut LocalCluster,
    pub recorder: &'a Recorder,
    pub rng: &'a Rng,
    pub means: Means,
    pub workload: &'a Workload,
    /// The node that is restarted next, in turn.
    turn: usize,
    /// What a watcher should know besides the verdict: faults that could not be what they say.
    pub notes: Vec<String>,
}

impl<'a> Nemesis<'a> {
    pub fn new(
        cluster: &'a mut LocalCluster,
        recorder: &'a Recorder,
        rng: &'a Rng,
        means: Means,
        workload: &'a Workload,
    ) -> Nemesis<'a> {
        Nemesis { cluster, recorder, rng, means, workload, turn: 0, notes: Vec::new() }
    }

    /// Injects faults until `until`. Everything is healed when it returns. Answers the number of
    /// faults.
    pub async fn run(&mut self, scenario: Scenario, until: Instant) -> Result<u64> {
        let mut faults = 0;
        sleep(BETWEEN).await;
        while Instant::now() < until {
            let Some(fault) = scenario.next(&self.means, &mut |below| self.rng.range(0, below)) else {
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
            Fault::Kill(who) => {
                let victims = self.choose(who).await?;
                self.kill_for_a_while(&victims).await
            }
            Fault::Freeze(who, seconds) => {
                let victims = self.choose(who).await?;
                self.freeze(&victims, Duration::from_secs(seconds)).await
            }
            Fault::RestartOne => self.restart_next().await,
            Fault::Partition(shape, seconds) => self.partition(shape, Duration::from_secs(seconds)).await,
            Fault::PartitionKill => self.partition_and_kill().await,
            Fault::Climate(climate, seconds) => self.climate(climate, Duration::from_secs(seconds)).await,
            Fault::ResetStorm(seconds) => self.reset_storm(Duration::from_secs(seconds)).await,
            Fault::PowerLoss(who) => {
                let victims = self.choose(who).await?;
                self.power_loss(&victims).await
            }
            Fault::FailWrites(error) => self.fail_writes(error).await,
            Fault::FailSyncs => self.fail_syncs().await,
            Fault::SlowSyncs(seconds) => self.slow_syncs(Duration::from_secs(seconds)).await,
            Fault::ClockJump(jump, seconds) => self.clock_jump(jump, Duration::from_secs(seconds)).await,
            Fault::Damage(harm) => self.damage(harm).await,
            Fault::ReconnectStorm => self.reconnect_storm().await,
            Fault::SlowConsumers(seconds) => self.slow_consumers(Duration::from_secs(seconds)).await,
            Fault::GrowAndShrink => self.grow_and_shrink().await,
            Fault::MembershipChurn(seconds) => self.membership_churn(Duration::from_secs(seconds)).await,
        }
    }

    /// Indexes of the nodes that a fault is for.
    async fn choose(&self, who: Who) -> Result<Vec<usize>> {
        let count = self.cluster.len();
        let minority = (count - 1) / 2;
        let in_a_row = |length: usize| {
            let first = self.rng.range(0, count as u64) as usize;
            (0..length).map(|step| (first + step) % count).collect()
        };
        Ok(match who {
            Who::Leader => vec![self.leader().await?],
            Who::Follower => {
                let leader = self.leader().await?;
                let step = 1 + self.rng.range(0, (count as u64 - 1).max(1)) as usize;
                vec![(leader + step) % count]
            }
            Who::Any => in_a_row(1),
            Who::Minority => in_a_row(minority.max(1)),
            Who::Majority => in_a_row((minority + 1).min(count)),
            Who::All => (0..count).collect(),
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
        // All signals first, then the waiting: "at once" means before any can notice the others.
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

/// A fault that would last beyond the end of the run lasts until there, but long enough to be one.
fn shortened(fault: Fault, until: Instant) -> Fault {
    let left = until.saturating_duration_since(Instant::now()).as_secs().max(2);
    match fault {
        Fault::Freeze(who, seconds) => Fault::Freeze(who, seconds.min(left)),
        Fault::Partition(shape, seconds) => Fault::Partition(shape, seconds.min(left)),
        Fault::Climate(climate, seconds) => Fault::Climate(climate, seconds.min(left)),
        other => other,
    }
}
