//! Detects problems of a running node: shards that commit nothing although work waits, clocks that
//! disagree, a disk that is almost full. It checks a few times a second, logs with a rate limit,
//! and shows the result in [`crate::cluster::ClusterStatus`].

use std::collections::BTreeMap;
use std::sync::Arc;

use openraft::ServerState;
use tokio::time::{Duration, Instant};
use troupe_core::NodeId;
use troupe_runtime::{Lane, Platform, executor};
use troupe_store::engine::Engine;

use crate::api::LowMark;
use crate::control::host::Proposers;
use crate::replication::group::Groups;
use crate::replication::health::{Health, Storage};
use crate::timing::{LOOK_EVERY, SAID_AGAIN, STALLED_AFTER};
use crate::transport::clocks::BOUND_MS;
use crate::transport::link::Links;
use crate::transport::vitals::LocalVitals;
use crate::types::{GroupId, Metrics};

/// The progress of a group that is led here, and its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    term: u64,
    committed: Option<u64>,
    applied: Option<u64>,
    since: Instant,
}

impl Progress {
    /// The present progress, and for how long a group with waiting work has made none.
    fn look(before: Option<Progress>, metrics: &Metrics, proposals_wait: bool) -> (Progress, Option<Duration>) {
        let now = Progress {
            term: metrics.current_term,
            committed: metrics.local_committed.map(|id| id.index),
            applied: metrics.last_applied.map(|id| id.index),
            since: Instant::now(),
        };
        let waits = proposals_wait || metrics.last_log_index > now.applied;
        let stands = |before: &Progress| Progress { since: now.since, ..*before } == now;
        match before.filter(stands) {
            Some(before) if waits && metrics.state == ServerState::Leader => (before, Some(before.since.elapsed())),
            _ => (now, None),
        }
    }
}

/// The parts of the node that it checks.
pub struct Monitor {
    pub platform: Platform,
    pub engine: Arc<dyn Engine>,
    pub groups: Groups,
    pub links: Links,
    pub proposers: Proposers,
    pub local_vitals: LocalVitals,
    pub mark: LowMark,
    pub health: Health,
}

impl Monitor {
    /// Runs until it is dropped. A disk that does not answer blocks no other check.
    pub async fn run(self) {
        let mut tick = self.platform.beat.interval(LOOK_EVERY);
        let storage = async {
            loop {
                self.storage().await;
                tick.tick().await;
            }
        };
        tokio::join!(storage, self.look());
    }

    async fn look(&self) {
        let (mut progress, mut said) = (BTreeMap::new(), BTreeMap::new());
        let mut tick = self.platform.beat.interval(LOOK_EVERY);
        loop {
            said.retain(|_, at: &mut Instant| at.elapsed() < SAID_AGAIN);
            self.groups(&mut progress, &mut said);
            self.clocks(&mut said);
            tick.tick().await;
        }
    }

    fn groups(&self, progress: &mut BTreeMap<GroupId, Progress>, said: &mut BTreeMap<Said, Instant>) {
        let mut seen = BTreeMap::new();
        let mut stalled = BTreeMap::new();
        for group in self.groups.all() {
            let metrics = group.metrics();
            if metrics.state != ServerState::Leader {
                self.health.sends_no_more(group.id);
            }
            let proposals_wait = group.id.shard().is_some_and(|shard| {
                self.proposers.read().get(&shard).is_some_and(crate::replication::proposer::Proposer::has_waiting)
            });
            let (now, stands) = Progress::look(progress.get(&group.id).copied(), &metrics, proposals_wait);
            seen.insert(group.id, now);
            let Some(stands) = stands.filter(|stands| *stands >= STALLED_AFTER) else { continue };
            stalled.insert(group.id, stands);
            say(said, Said::Stalled(group.id), || {
                tracing::error!(
                    group = %group.id,
                    seconds = stands.as_secs(),
                    last_log = metrics.last_log_index.unwrap_or(0),
                    committed = now.committed.unwrap_or(0),
                    "this node leads the group and commits nothing although work waits"
                );
            });
        }
        *progress = seen;
        self.health.set_stalled(stalled);
    }

    fn clocks(&self, said: &mut BTreeMap<Said, Instant>) {
        for (node, ahead_ms) in self.links.clocks().skews(self.platform.clock.now()) {
            if ahead_ms.unsigned_abs() > BOUND_MS {
                say(said, Said::Clock(node), || {
                    tracing::warn!(
                        %node, ahead_ms,
                        "the clocks of this node and the other differ: check their time synchronization"
                    );
                });
            }
        }
    }

    async fn storage(&self) {
        let engine = self.engine.clone();
        let Some(Some(space)) = executor::run(&*self.platform.executor, Lane::Read, move || engine.space()).await
        else {
            return;
        };
        let was_low = self.local_vitals.storage_low();
        let low = self.mark.is_low(space, was_low);
        let mark = self.mark.bytes(space.total);
        self.health.set_storage(Storage { space, mark, low });
        self.local_vitals.set_storage_low(low);
        match (was_low, low) {
            (false, true) => tracing::error!(
                free = space.free,
                mark,
                "the disk is almost full: sends and other growth are refused until there is space (storage_low)"
            ),
            (true, false) => tracing::info!(free = space.free, mark, "the disk has space again"),
            _ => {}
        }
    }
}

/// A kind of log line, written no more often than `SAID_AGAIN`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Stalled(GroupId),
    Clock(NodeId),
}

fn say(said: &mut BTreeMap<Said, Instant>, what: Said, say: impl FnOnce()) {
    said.entry(what).or_insert_with(|| {
        say();
        Instant::now()
    });
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::types::LogId;

    fn metrics(state: ServerState, last: u64, applied: u64) -> Metrics {
        let mut metrics = Metrics::new_initial(1);
        metrics.state = state;
        metrics.last_log_index = Some(last);
        metrics.local_committed = Some(LogId::new_term_index(1, applied));
        metrics.last_applied = metrics.local_committed;
        metrics
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_commits_nothing_of_what_waits_stands_still() {
        let stuck = metrics(ServerState::Leader, 9, 8);
        let (first, _) = Progress::look(None, &stuck, false);
        advance(Duration::from_secs(7)).await;
        let (still, stands) = Progress::look(Some(first), &stuck, false);
        assert_eq!(stands, Some(Duration::from_secs(7)));
        let on = metrics(ServerState::Leader, 10, 9);
        assert_eq!(Progress::look(Some(still), &on, false).1, None, "it has committed something");
        let idle = metrics(ServerState::Leader, 9, 9);
        let (first, _) = Progress::look(None, &idle, false);
        assert_eq!(Progress::look(Some(first), &idle, false).1, None, "nothing waits");
        assert!(Progress::look(Some(first), &idle, true).1.is_some(), "a proposal has not come to the log");
        let follows = metrics(ServerState::Follower, 9, 8);
        let (first, _) = Progress::look(None, &follows, false);
        assert_eq!(Progress::look(Some(first), &follows, false).1, None, "the leader says it");
    }
}
