//! How long a group's log may become, and who cuts it: only this does, openraft's own policy is
//! switched off.
//!
//! What a replica lacks comes from the log or, where that no longer reaches back far enough, as a
//! snapshot of the whole shard. Its receiver writes an entry about three times (the engine's own
//! log, the group's log, the state) and a row of a snapshot once. So a log that is as large as a
//! third of the state costs about what a snapshot costs, and a longer one is worth nothing. Small
//! shards keep more, because both are cheap there. Entries are counted as well, since each costs
//! its receiver work however small it is.
//!
//! A leader keeps what a replica that can be reached is still to get, behind the snapshot that is
//! on its way to it or in the middle of the log, up to several times the length that is allowed
//! otherwise: else whoever catches up more slowly than people write would begin again for ever.

use std::collections::VecDeque;
use std::sync::Arc;

use openraft::LogIdOptionExt;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal as RaftFatal;
use tokio::time::timeout;
use troupe_core::NodeId;
use troupe_runtime::{Lane, NodeCtx, executor};
use troupe_store::engine::Engine;

use crate::group::{Ground, Group};
use crate::network::Network;
use crate::timing::SNAPSHOT_COVERS;
use crate::types::Types;

/// The state's bytes for each byte of the log.
const STATE_SHARE: u64 = 3;
/// Bytes of the longest log that a large state allows: the disk is for messages.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// A log of the least length is measured in so many steps.
const STEPS: u64 = 8;

/// How much longer a log may become for a replica that catches up. In entries more than in bytes,
/// which are what costs.
const HELD_BYTES: u64 = 4;
const HELD_ENTRIES: u64 = 16;

/// Tests and simulation make them small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Entries between two cuts.
    pub between_cuts: u64,
    /// Entries that a log keeps which has too many, so that a replica that was away for a moment
    /// needs no snapshot.
    pub kept: u64,
    /// Bytes that a log may have however little its state holds. One that has become too long keeps
    /// half of what it may have.
    pub bytes: u64,
}

impl Default for LogLimits {
    fn default() -> LogLimits {
        LogLimits { between_cuts: 10_000, kept: 2_000, bytes: 16 * 1024 * 1024 }
    }
}

impl LogLimits {
    fn allowed(self, state: u64) -> u64 {
        (state / STATE_SHARE).min(BYTES_MAX).max(self.bytes)
    }
}

/// How long a log is, in bytes only roughly: what is truncated far back still counts.
pub struct Measure {
    limits: LogLimits,
    /// Index of the first entry, and of the one that comes next.
    begin: u64,
    end: u64,
    /// Bytes of all that was ever pushed and not truncated.
    total: u64,
    /// Of these, what was purged.
    gone: u64,
    /// Index of an entry, and the bytes up to it. Ascending.
    marks: VecDeque<(u64, u64)>,
}

impl Measure {
    /// Of a log that begins behind `purged`, ends at `last` and has `bytes`.
    pub fn new(limits: LogLimits, purged: Option<u64>, last: Option<u64>, bytes: u64) -> Measure {
        let next = |index: Option<u64>| index.map_or(0, |index| index + 1);
        let marks = last.map(|last| (last, bytes)).into_iter().collect();
        Measure { limits, begin: next(purged), end: next(last), total: bytes, gone: 0, marks }
    }

    /// Whether it is time to look if the log has become too long.
    #[must_use]
    pub fn push(&mut self, index: u64, bytes: u64) -> bool {
        self.end = index + 1;
        self.total += bytes;
        let by_entries = self.has_too_many() && self.end.is_multiple_of((self.limits.between_cuts / STEPS).max(1));
        if self.total - self.marks.back().map_or(self.gone, |(_, total)| *total) < self.limits.bytes / STEPS {
            return by_entries;
        }
        self.marks.push_back((index, self.total));
        by_entries || self.held() > self.limits.bytes
    }

    /// The entries from `from` on, of which these bytes are known, are gone.
    pub fn truncate(&mut self, from: u64, bytes: u64) {
        self.end = from;
        while self.marks.back().is_some_and(|(index, _)| *index >= from) {
            self.marks.pop_back();
        }
        let marked = self.marks.back().map_or(self.gone, |(_, total)| *total);
        self.total = self.total.saturating_sub(bytes).max(marked);
    }

    pub fn purge(&mut self, upto: u64) {
        self.begin = upto + 1;
        self.end = self.end.max(self.begin);
        while let Some((_, total)) = self.marks.pop_front_if(|(index, _)| *index <= upto) {
            self.gone = total;
        }
    }

    fn entries(&self) -> u64 {
        self.end - self.begin
    }

    fn has_too_many(&self) -> bool {
        self.entries() > self.limits.between_cuts + self.limits.kept
    }

    pub fn held(&self) -> u64 {
        self.total - self.gone
    }

    /// The entry up to which a log may go that has more bytes than it is `allowed`, or too many
    /// entries. Nothing as long as a replica that `has` an earlier one is to get the next from this
    /// log, unless it is far too long.
    pub fn cut(&self, allowed: u64, has: &[u64]) -> Option<u64> {
        let by_bytes = || {
            // Half of it stays.
            self.marks.iter().find(|(_, total)| self.total - total <= allowed / 2).map(|(index, _)| *index)
        };
        let by_bytes = if self.held() > allowed { by_bytes() } else { None };
        let by_entries = if self.has_too_many() { (self.end - self.limits.kept).checked_sub(1) } else { None };
        let upto = by_bytes.max(by_entries)?;
        // What is gone already cannot be kept for anybody.
        let is_wanted = has.iter().any(|has| (self.begin..=upto).contains(&(has + 1)));
        let is_far_too_long = self.held() > allowed.saturating_mul(HELD_BYTES)
            || self.entries() > HELD_ENTRIES * (self.limits.between_cuts + self.limits.kept);
        (!is_wanted || is_far_too_long).then_some(upto)
    }
}

/// Cuts the log of a replica whenever it has become too long, until the replica ends.
pub async fn run(ground: Ground, group: Group) {
    let Ground { ctx, engine, network, limits, .. } = ground;
    let mut server = group.raft.server_metrics();
    let ended = async { while server.changed().await.is_ok() {} };
    let cutting = async {
        loop {
            group.log.grown().await;
            let Some(state) = state_bytes(&ctx, &engine, &group).await else { continue };
            let Some(upto) = group.log.cut(limits.allowed(state), &progress(&network, &group)) else { continue };
            if let Err(error) = cut(&group, upto).await {
                tracing::debug!(group = %group.id, %error, "the replica ends, and its log stays as it is");
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = ended => {}
        () = cutting => {}
    }
}

/// The last entry of each replica that can be reached, or what it will be by the snapshot that is
/// on its way to it. Only a leader knows.
fn progress(network: &Network, group: &Group) -> Vec<u64> {
    let metrics = group.metrics();
    let has = |replica: &u64, node: NodeId| {
        let matching = || metrics.replication.as_ref()?.get(replica)?.index();
        let matching = || if network.links.reachable(node) { matching() } else { None };
        network.transfers.upto(group.id, *replica).or_else(matching)
    };
    metrics.membership_config.nodes().filter_map(|(replica, home)| has(replica, home.0)).collect()
}

/// Nothing while others fill the lane, or when the engine has failed, which it tells those who
/// write.
async fn state_bytes(ctx: &NodeCtx, engine: &Arc<dyn Engine>, group: &Group) -> Option<u64> {
    let (engine, ranges) = (engine.clone(), group.applier.ranges());
    let sum = move || ranges.iter().map(|(family, from, to)| engine.size(*family, from, to)).sum::<Result<u64, _>>();
    executor::run(&*ctx.executor, Lane::Read, sum).await?.ok()
}

/// A snapshot first, since only what one covers may go. What a replica has not applied yet goes at
/// the next look.
async fn cut(group: &Group, upto: u64) -> Result<(), RaftFatal<Types>> {
    tracing::debug!(group = %group.id, upto, "the log has become too long");
    let mut metrics = group.raft.metrics();
    group.raft.trigger().snapshot().await?;
    let covered =
        async { while metrics.borrow_watched().snapshot.index() < Some(upto) && metrics.changed().await.is_ok() {} };
    // What comes too late is cut at the next look.
    let _ = timeout(SNAPSHOT_COVERS, covered).await;
    group.raft.trigger().purge_log(upto).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LogLimits = LogLimits { between_cuts: 100, kept: 10, bytes: 800 };

    /// Entries of 50 bytes each.
    fn pushed(measure: &mut Measure, indexes: std::ops::Range<u64>) -> bool {
        indexes.fold(false, |due, index| measure.push(index, 50) | due)
    }

    #[test]
    fn a_log_may_be_as_long_as_a_third_of_its_state_within_bounds() {
        assert_eq!(LIMITS.allowed(0), 800);
        assert_eq!(LIMITS.allowed(9_000), 3_000);
        assert_eq!(LIMITS.allowed(u64::MAX), BYTES_MAX);
    }

    #[test]
    fn what_is_too_long_is_cut_to_half_of_what_it_may_be() {
        let mut measure = Measure::new(LIMITS, None, None, 0);
        assert!(!pushed(&mut measure, 1..17), "800 bytes are allowed");
        assert_eq!(measure.cut(800, &[]), None);
        assert!(pushed(&mut measure, 17..19), "900 are not");
        assert_eq!(measure.cut(800, &[]), Some(10), "behind it are 400");
        measure.purge(10);
        assert_eq!(measure.held(), 400);
        assert_eq!(measure.cut(800, &[]), None);
        assert_eq!(measure.cut(300, &[]), Some(16), "a smaller state allows less");
    }

    #[test]
    fn what_an_earlier_process_has_written_counts_as_one_piece() {
        let mut measure = Measure::new(LIMITS, None, Some(40), 700);
        assert!(pushed(&mut measure, 41..45));
        assert_eq!(measure.cut(800, &[]), Some(40));
        measure.purge(40);
        assert_eq!(measure.held(), 200);
    }

    #[test]
    fn what_is_truncated_counts_no_more_and_may_come_again() {
        let mut measure = Measure::new(LIMITS, None, None, 0);
        pushed(&mut measure, 1..19);
        measure.truncate(5, 14 * 50);
        assert_eq!(measure.held(), 200);
        pushed(&mut measure, 5..19);
        assert_eq!(measure.held(), 900);
        assert_eq!(measure.cut(800, &[]), Some(10));
        // Only the last two were in memory: the others still count, and nothing lies before the
        // last mark.
        measure.purge(10);
        measure.truncate(11, 100);
        assert_eq!((measure.held(), measure.cut(200, &[])), (300, None));
    }

    #[test]
    fn a_log_of_many_small_entries_is_cut_too() {
        let mut measure = Measure::new(LIMITS, Some(9), Some(9), 0);
        let due = (10..120).filter(|index| measure.push(*index, 1)).count();
        assert_eq!((due, measure.cut(800, &[])), (0, None), "110 entries are allowed");
        let due = (120..170).filter(|index| measure.push(*index, 1)).count();
        assert!((2..=8).contains(&due), "it is looked at now and then: {due}");
        assert_eq!(measure.cut(800, &[]), Some(159), "the last ten stay");
        measure.purge(159);
        assert_eq!(measure.cut(800, &[]), None);
    }

    #[test]
    fn what_a_replica_is_still_to_get_stays_within_bounds() {
        let mut measure = Measure::new(LIMITS, None, None, 0);
        assert!(pushed(&mut measure, 1..21));
        measure.purge(4);
        assert!(pushed(&mut measure, 21..25), "1000 bytes, of which 800 are allowed");
        assert_eq!(measure.cut(800, &[]), Some(16));
        assert_eq!(measure.cut(800, &[24, 16]), Some(16), "both have what goes");
        assert_eq!(measure.cut(800, &[24, 10]), None, "one is to get 11 to 16");
        assert_eq!(measure.cut(800, &[24, 4]), None, "and one all of it");
        assert_eq!(measure.cut(800, &[24, 3]), Some(16), "what is gone is kept for nobody");
        assert!(pushed(&mut measure, 25..70));
        assert_eq!(measure.cut(800, &[10]), Some(62), "more than four times as many as are allowed");
    }
}
