//! Does the damage, one fault after another, and undoes it.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};
use troupe_core::ConversationId;

use crate::local::LocalCluster;
use crate::recorder::Recorder;
use crate::scenario::{Fault, Scenario};

/// How long a killed node stays away.
const AWAY: Duration = Duration::from_secs(2);
/// Quiet time between two faults, so that progress is made between them.
const BETWEEN: Duration = Duration::from_millis(1500);
/// How long a node may take to come back before the run fails.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Nemesis<'a> {
    pub cluster: &'a mut LocalCluster,
    pub recorder: &'a Recorder,
    pub rng: &'a troupe_runtime::Rng,
    /// The node that is restarted next, in turn.
    turn: usize,
}

impl<'a> Nemesis<'a> {
    pub fn new(cluster: &'a mut LocalCluster, recorder: &'a Recorder, rng: &'a troupe_runtime::Rng) -> Nemesis<'a> {
        Nemesis { cluster, recorder, rng, turn: 0 }
    }

    /// Injects faults until `until`. Everything is healed when it returns. Answers the number of faults.
    pub async fn run(&mut self, scenario: Scenario, until: Instant) -> Result<u64> {
        let mut faults = 0;
        sleep(BETWEEN).await;
        while Instant::now() < until {
            let Some(fault) = scenario.next(&mut |below| self.rng.range(0, below)) else {
                tokio::time::sleep_until(until).await;
                break;
            };
            self.inject(fault).await.with_context(|| format!("{fault:?}"))?;
            faults += 1;
            if !matches!(fault, Fault::FreezeLeader(_)) {
                sleep(BETWEEN).await;
            }
        }
        Ok(faults)
    }

    async fn inject(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::KillLeader => {
                let leader = self.leader().await?;
                self.kill_for_a_while(&[leader]).await
            }
            Fault::KillFollower => {
                let leader = self.leader().await?;
                let follower = (leader + 1 + self.rng.range(0, 2) as usize) % self.cluster.len();
                self.kill_for_a_while(&[follower]).await
            }
            Fault::KillMajority => {
                let first = self.rng.range(0, 3) as usize;
                self.kill_for_a_while(&[first, (first + 1) % self.cluster.len()]).await
            }
            Fault::KillAll => {
                let all: Vec<usize> = (0..self.cluster.len()).collect();
                self.kill_for_a_while(&all).await
            }
            Fault::FreezeLeader(seconds) => {
                let leader = self.leader().await?;
                self.recorder.fault(&format!("SIGSTOP node {}", leader + 1));
                self.cluster.signal(leader, Signal::SIGSTOP)?;
                sleep(Duration::from_secs(seconds)).await;
                self.cluster.signal(leader, Signal::SIGCONT)?;
                self.recorder.fault(&format!("SIGCONT node {}", leader + 1));
                Ok(())
            }
            Fault::RestartOne => {
                let index = self.turn;
                self.turn = (self.turn + 1) % self.cluster.len();
                self.recorder.fault(&format!("SIGTERM node {}", index + 1));
                self.cluster.signal(index, Signal::SIGTERM)?;
                let deadline = Instant::now() + PATIENCE;
                while self.cluster.exited(index)?.is_none() {
                    anyhow::ensure!(Instant::now() < deadline, "node {} does not stop", index + 1);
                    sleep(Duration::from_millis(20)).await;
                }
                self.cluster.start(index)?;
                self.cluster.wait_ready(&[index], PATIENCE).await?;
                self.recorder.fault(&format!("node {} is back", index + 1));
                Ok(())
            }
        }
    }

    async fn kill_for_a_while(&mut self, indexes: &[usize]) -> Result<()> {
        // All signals first, then the waiting: "at once" means before any can notice the others.
        for &index in indexes {
            self.recorder.fault(&format!("SIGKILL node {}", index + 1));
            self.cluster.signal(index, Signal::SIGKILL)?;
        }
        for &index in indexes {
            self.cluster.kill(index).await?;
        }
        sleep(AWAY).await;
        for &index in indexes {
            self.cluster.start(index)?;
        }
        self.cluster.wait_ready(indexes, PATIENCE).await?;
        self.recorder.fault(&format!("{} node(s) back", indexes.len()));
        Ok(())
    }

    async fn leader(&self) -> Result<usize> {
        self.cluster.leader_of(ConversationId::Everyone.slot(), PATIENCE).await
    }
}
