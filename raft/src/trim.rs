//! How long a group's log may become, and who cuts it.
//!
//! Entries are counted by openraft, which cuts by itself. Bytes are ours, because an entry may be 64 bytes or 256 KiB. What a replica lacks
//! comes from the log or, where that no longer reaches back far enough, as a snapshot of the whole shard. Its receiver writes an entry about
//! three times (the engine's own log, the group's log, the state) and a row of a snapshot once. So a log that is as large as a third of the
//! state costs about what a snapshot costs, and a longer one is worth nothing. Small shards keep more, because both are cheap there.

use std::collections::VecDeque;
use std::sync::Arc;

use openraft::LogIdOptionExt;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal as RaftFatal;
use tokio::time::timeout;
use troupe_runtime::{Lane, NodeCtx, executor};
use troupe_store::engine::Engine;

use crate::group::Group;
use crate::timing::SNAPSHOT_COVERS;
use crate::types::Types;

/// The state's bytes for each byte of the log.
const STATE_SHARE: u64 = 3;
/// Bytes of the longest log that a large state allows: the disk is for messages.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// A log of the least length is measured in so many steps.
const STEPS: u64 = 8;

/// Tests and simulation make them small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Entries between two snapshots. A snapshot is only a barrier, so this bounds the log, not the work.
    pub between_snapshots: u64,
    /// Entries kept behind a snapshot, so that a replica that was away for a moment needs none.
    pub kept: u64,
    /// Bytes that a log may have however little its state holds. One that has become too long keeps half of what it may have.
    pub bytes: u64,
}

impl Default for LogLimits {
    fn default() -> LogLimits {
        LogLimits { between_snapshots: 10_000, kept: 2_000, bytes: 16 * 1024 * 1024 }
    }
}

impl LogLimits {
    fn allowed(self, state: u64) -> u64 {
        (state / STATE_SHARE).min(BYTES_MAX).max(self.bytes)
    }
}

/// How many bytes lie behind which entry of a log, roughly: what is truncated far back still counts.
pub struct Measure {
    least: u64,
    /// Of all that was ever pushed and not truncated.
    total: u64,
    /// Of these, what was purged.
    gone: u64,
    /// Index of an entry, and the bytes up to it. Ascending.
    marks: VecDeque<(u64, u64)>,
}

impl Measure {
    /// Of a log that ends at `last` and has `bytes`.
    pub fn new(limits: LogLimits, last: Option<u64>, bytes: u64) -> Measure {
        let marks = last.map(|last| (last, bytes)).into_iter().collect();
        Measure { least: limits.bytes, total: bytes, gone: 0, marks }
    }

    /// Whether it is time to look if the log has become too long.
    #[must_use]
    pub fn push(&mut self, index: u64, bytes: u64) -> bool {
        self.total += bytes;
        if self.total - self.marks.back().map_or(self.gone, |(_, total)| *total) < self.least / STEPS {
            return false;
        }
        self.marks.push_back((index, self.total));
        self.held() > self.least
    }

    /// The entries from `from` on, of which these bytes are known, are gone.
    pub fn truncate(&mut self, from: u64, bytes: u64) {
        while self.marks.back().is_some_and(|(index, _)| *index >= from) {
            self.marks.pop_back();
        }
        let marked = self.marks.back().map_or(self.gone, |(_, total)| *total);
        self.total = self.total.saturating_sub(bytes).max(marked);
    }

    pub fn purge(&mut self, upto: u64) {
        while let Some((_, total)) = self.marks.pop_front_if(|(index, _)| *index <= upto) {
            self.gone = total;
        }
    }

    pub fn held(&self) -> u64 {
        self.total - self.gone
    }

    /// The entry up to which a log may go that has more than it is `allowed`; half of that stays.
    pub fn cut(&self, allowed: u64) -> Option<u64> {
        if self.held() <= allowed {
            return None;
        }
        self.marks.iter().find(|(_, total)| self.total - total <= allowed / 2).map(|(index, _)| *index)
    }
}

/// Cuts the log of a replica whenever it has become too long, until the replica ends.
pub async fn run(ctx: NodeCtx, engine: Arc<dyn Engine>, group: Group, limits: LogLimits) {
    let mut server = group.raft.server_metrics();
    let ended = async { while server.changed().await.is_ok() {} };
    let cutting = async {
        loop {
            group.log.grown().await;
            let Some(state) = state_bytes(&ctx, &engine, &group).await else { continue };
            let Some(upto) = group.log.cut(limits.allowed(state)) else { continue };
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

/// Nothing while others fill the lane, or when the engine has failed, which it tells those who write.
async fn state_bytes(ctx: &NodeCtx, engine: &Arc<dyn Engine>, group: &Group) -> Option<u64> {
    let (engine, ranges) = (engine.clone(), group.applier.ranges());
    let sum = move || ranges.iter().map(|(family, from, to)| engine.size(*family, from, to)).sum::<Result<u64, _>>();
    executor::run(&*ctx.executor, Lane::Read, sum).await?.ok()
}

/// A snapshot first, since only what one covers may go. What a replica has not applied yet goes at the next look.
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

    const LIMITS: LogLimits = LogLimits { between_snapshots: 100, kept: 10, bytes: 800 };

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
        let mut measure = Measure::new(LIMITS, None, 0);
        assert!(!pushed(&mut measure, 1..17), "800 bytes are allowed");
        assert_eq!(measure.cut(800), None);
        assert!(pushed(&mut measure, 17..19), "900 are not");
        assert_eq!(measure.cut(800), Some(10), "behind it are 400");
        measure.purge(10);
        assert_eq!(measure.held(), 400);
        assert_eq!(measure.cut(800), None);
        assert_eq!(measure.cut(300), Some(16), "a smaller state allows less");
    }

    #[test]
    fn what_an_earlier_process_has_written_counts_as_one_piece() {
        let mut measure = Measure::new(LIMITS, Some(40), 700);
        assert!(pushed(&mut measure, 41..45));
        assert_eq!(measure.cut(800), Some(40));
        measure.purge(40);
        assert_eq!(measure.held(), 200);
    }

    #[test]
    fn what_is_truncated_counts_no_more_and_may_come_again() {
        let mut measure = Measure::new(LIMITS, None, 0);
        pushed(&mut measure, 1..19);
        measure.truncate(5, 14 * 50);
        assert_eq!(measure.held(), 200);
        pushed(&mut measure, 5..19);
        assert_eq!(measure.held(), 900);
        assert_eq!(measure.cut(800), Some(10));
        // Only the last two were in memory: the others still count, and nothing lies before the last mark.
        measure.purge(10);
        measure.truncate(11, 100);
        assert_eq!((measure.held(), measure.cut(200)), (300, None));
    }
}
