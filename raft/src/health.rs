//! What is wrong with a node that runs: shards that commit nothing although something waits,
//! entries that cannot be sent, clocks that disagree, a disk that is almost full. Looked at a few
//! times a second, said in the log now and then, and shown in [`crate::cluster::ClusterStatus`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openraft::ServerState;
use parking_lot::Mutex;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval};
use troupe_core::NodeId;
use troupe_runtime::{Lane, NodeCtx, executor};
use troupe_store::engine::{Engine, Space};

use crate::clocks::BOUND_MS;
use crate::group::Groups;
use crate::host::Proposers;
use crate::link::Links;
use crate::space::LowMark;
use crate::timing::{LOOK_EVERY, SAID_AGAIN, STALLED_AFTER};
use crate::types::{GroupId, Metrics};
use crate::vitals::Mine;

/// An entry that a peer cannot be sent: nothing behind it reaches this peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsendable {
    pub group: GroupId,
    pub node: NodeId,
    pub index: u64,
    pub bytes: usize,
}

/// What the disk of this node has, and whether that is too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    pub space: Space,
    /// Free bytes below which it is low.
    pub mark: u64,
    pub low: bool,
}

/// Shared, cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// With the time at which it was last said.
    unsendable: Mutex<BTreeMap<(GroupId, NodeId), (Unsendable, Instant)>>,
    unsendable_total: AtomicU64,
    stalled: Mutex<BTreeMap<GroupId, Duration>>,
    storage: Mutex<Option<Storage>>,
}

impl Health {
    /// Called with each attempt, so what is said of it is rate limited.
    pub fn cannot_send(&self, what: Unsendable) {
        self.0.unsendable_total.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut unsendable = self.0.unsendable.lock();
        let said = unsendable.get(&(what.group, what.node)).map(|(_, said)| *said);
        let say = said.is_none_or(|said| now - said >= SAID_AGAIN);
        unsendable.insert((what.group, what.node), (what, said.filter(|_| !say).unwrap_or(now)));
        drop(unsendable);
        if say {
            let Unsendable { group, node, index, bytes } = what;
            tracing::error!(
                %group, %node, index, bytes,
                "an entry is larger than that node takes, and nothing behind it reaches that node; if it runs an \
                 earlier version, update it"
            );
        }
    }

    pub fn sent(&self, group: GroupId, node: NodeId) {
        self.0.unsendable.lock().remove(&(group, node));
    }

    pub fn unsendable(&self) -> Vec<Unsendable> {
        self.0.unsendable.lock().values().map(|(what, _)| *what).collect()
    }

    /// Attempts to send what cannot be sent, since the start.
    pub fn unsendable_total(&self) -> u64 {
        self.0.unsendable_total.load(Ordering::Relaxed)
    }

    pub fn stalled(&self) -> BTreeMap<GroupId, Duration> {
        self.0.stalled.lock().clone()
    }

    /// `None` where the disk does not say.
    pub fn storage(&self) -> Option<Storage> {
        *self.0.storage.lock()
    }
}

/// How far a group that is led here is, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    term: u64,
    committed: Option<u64>,
    applied: Option<u64>,
    since: Instant,
}

impl Progress {
    /// What there is to see, and for how long a group that has something to do has stood still.
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

/// What is looked at.
pub struct Monitor {
    pub ctx: NodeCtx,
    pub engine: Arc<dyn Engine>,
    pub groups: Groups,
    pub links: Links,
    pub proposers: Proposers,
    pub mine: Mine,
    pub mark: LowMark,
    pub health: Health,
}

impl Monitor {
    /// Looks until it is dropped. A disk that does not answer keeps nothing else from being looked
    /// at.
    pub async fn run(self) {
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let storage = async {
            loop {
                tick.tick().await;
                self.storage().await;
            }
        };
        tokio::join!(storage, self.look());
    }

    async fn look(&self) {
        let (mut progress, mut said) = (BTreeMap::new(), BTreeMap::new());
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            said.retain(|_, at: &mut Instant| at.elapsed() < SAID_AGAIN);
            self.groups(&mut progress, &mut said);
            self.clocks(&mut said);
        }
    }

    fn groups(&self, progress: &mut BTreeMap<GroupId, Progress>, said: &mut BTreeMap<Said, Instant>) {
        let mut seen = BTreeMap::new();
        let mut stalled = BTreeMap::new();
        for group in self.groups.all() {
            let metrics = group.metrics();
            if metrics.state != ServerState::Leader {
                self.health.0.unsendable.lock().retain(|(id, _), _| *id != group.id);
            }
            let proposals_wait = group.id.shard().is_some_and(|shard| {
                self.proposers.read().get(&shard).is_some_and(crate::proposer::Proposer::has_waiting)
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
                    "this node leads it, something waits, and nothing is committed"
                );
            });
        }
        *progress = seen;
        *self.health.0.stalled.lock() = stalled;
    }

    fn clocks(&self, said: &mut BTreeMap<Said, Instant>) {
        for (node, ahead_ms) in self.links.clocks().skews(self.ctx.clock.now()) {
            if ahead_ms.unsigned_abs() > BOUND_MS {
                say(said, Said::Clock(node), || {
                    tracing::warn!(
                        %node, ahead_ms,
                        "the clocks of this node and that one disagree: one of them is wrong, check their time service"
                    );
                });
            }
        }
    }

    async fn storage(&self) {
        let engine = self.engine.clone();
        let Some(Some(space)) = executor::run(&*self.ctx.executor, Lane::Read, move || engine.space()).await else {
            return;
        };
        let was_low = self.mine.storage_low();
        let low = self.mark.is_low(space, was_low);
        let mark = self.mark.bytes(space.total);
        *self.health.0.storage.lock() = Some(Storage { space, mark, low });
        self.mine.set_storage_low(low);
        match (was_low, low) {
            (false, true) => tracing::error!(
                free = space.free,
                mark,
                "the disk is almost full: sends and whatever else grows are refused until there is room (storage_low)"
            ),
            (true, false) => tracing::info!(free = space.free, mark, "the disk has room again"),
            _ => {}
        }
    }
}

/// What is said no more often than `SAID_AGAIN`.
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

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_sent_is_shown_until_something_is_sent() {
        let health = Health::default();
        let what = Unsendable { group: GroupId(3), node: NodeId(2), index: 9, bytes: 6_000_000 };
        health.cannot_send(what);
        health.cannot_send(what);
        assert_eq!((health.unsendable(), health.unsendable_total()), (vec![what], 2));
        health.sent(GroupId(4), NodeId(2));
        assert_eq!(health.unsendable().len(), 1);
        health.sent(GroupId(3), NodeId(2));
        assert!(health.unsendable().is_empty());
    }
}
