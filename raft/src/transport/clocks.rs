//! The clocks of the nodes, as far as this one knows them, and the timestamp that they allow.
//!
//! A timestamp is final, because a conversation's time never goes back. One message from a leader
//! whose clock is ten years ahead would keep the conversation there for ten years. So a leader's
//! own clock counts only within [`BOUND_MS`] of the median clock. Between two measurements this
//! node advances its peers' clocks by its monotonic clock. A jump of its own clock therefore shows
//! with the next timestamp, not with the next measurement.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::time::Instant;
use troupe_core::{NodeId, Timestamp};

/// Milliseconds by which a leader's clock may differ from the median. Above the skew of clocks that
/// are synchronized over a network, and above the error of a measurement.
pub const BOUND_MS: u64 = 2_000;

/// The reading of a peer's clock at a moment of this node's monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Reading {
    shown: Timestamp,
    at: Instant,
}

impl Reading {
    /// The present reading, if the peer's clock has run correctly since.
    fn now(&self) -> u64 {
        self.shown.0.saturating_add(self.at.elapsed().as_millis() as u64)
    }
}

/// Shared, cheap to clone.
#[derive(Clone, Default)]
pub struct Clocks(Arc<RwLock<BTreeMap<NodeId, Reading>>>);

impl Clocks {
    pub fn note(&self, node: NodeId, shown: Timestamp, at: Instant) {
        self.0.write().insert(node, Reading { shown, at });
    }

    pub fn keep(&self, nodes: &BTreeSet<NodeId>) {
        self.0.write().retain(|node, _| nodes.contains(node));
    }

    /// Milliseconds by which each peer's clock is ahead of this node's; negative if it is behind.
    pub fn skews(&self, own: Timestamp) -> BTreeMap<NodeId, i64> {
        self.0.read().iter().map(|(node, reading)| (*node, reading.now().wrapping_sub(own.0) as i64)).collect()
    }

    /// The timestamp that a leader may put on an entry now, when its own clock reads `own`.
    pub fn stamp(&self, own: Timestamp) -> Timestamp {
        allowed(own, self.0.read().values().map(Reading::now).collect())
    }
}

/// The own clock, kept within the bound of the median of all known clocks. Of an even number the
/// earlier middle one counts: a timestamp that is too late is final, one that is too early is
/// overtaken.
fn allowed(own: Timestamp, others: Vec<u64>) -> Timestamp {
    let mut shown = others;
    shown.push(own.0);
    shown.sort_unstable();
    let middle = shown[(shown.len() - 1) / 2];
    Timestamp(own.0.clamp(middle.saturating_sub(BOUND_MS), middle.saturating_add(BOUND_MS)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::{Duration, advance};

    use super::*;

    const NOW: u64 = 1_800_000_000_000;
    const TEN_YEARS: u64 = 10 * 365 * 24 * 3600 * 1000;

    fn stamp(own: u64, others: &[u64]) -> u64 {
        allowed(Timestamp(own), others.to_vec()).0
    }

    #[test]
    fn a_clock_among_others_is_believed_and_one_that_is_far_off_is_not() {
        assert_eq!(stamp(NOW, &[NOW + 5, NOW - 900]), NOW);
        assert_eq!(stamp(NOW + TEN_YEARS, &[NOW, NOW + 10]), NOW + 10 + BOUND_MS);
        assert_eq!(stamp(NOW - TEN_YEARS, &[NOW, NOW + 10]), NOW - BOUND_MS);
        // The wrong one is among the others.
        assert_eq!(stamp(NOW, &[NOW + TEN_YEARS, NOW - 1]), NOW);
        assert_eq!(stamp(NOW, &[0, NOW + 1]), NOW);
    }

    #[test]
    fn a_node_alone_has_its_clock_and_of_two_the_earlier_one_counts() {
        assert_eq!(stamp(NOW, &[]), NOW);
        assert_eq!(stamp(NOW + TEN_YEARS, &[NOW]), NOW + BOUND_MS);
        assert_eq!(stamp(NOW, &[NOW + TEN_YEARS]), NOW);
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_of_the_own_clock_is_noticed_without_another_measurement() {
        let clocks = Clocks::default();
        for node in [2, 3] {
            clocks.note(NodeId(node), Timestamp(NOW), Instant::now());
        }
        advance(Duration::from_secs(10)).await;
        assert_eq!(clocks.stamp(Timestamp(NOW + 10_000)), Timestamp(NOW + 10_000));
        assert_eq!(clocks.stamp(Timestamp(NOW + TEN_YEARS)), Timestamp(NOW + 10_000 + BOUND_MS));
        let behind = -(TEN_YEARS as i64) + 10_000;
        assert_eq!(clocks.skews(Timestamp(NOW + TEN_YEARS)).into_values().collect::<Vec<_>>(), [behind; 2]);
        clocks.keep(&BTreeSet::from([NodeId(3)]));
        assert_eq!(clocks.skews(Timestamp(NOW)).len(), 1);
    }

    proptest! {
        /// While most clocks are right, timestamps are: a minority moves them by at most the bound.
        #[test]
        fn a_minority_of_wrong_clocks_moves_no_stamp(
            right in proptest::collection::vec(NOW - 100..NOW + 100, 2..5),
            wrong in any::<[u64; 4]>(),
            own_is_wrong: bool,
        ) {
            let mut right = right;
            let mut others = wrong[..right.len() - 1].to_vec();
            let own = if own_is_wrong { others.pop() } else { right.pop() };
            let own = own.unwrap_or(NOW);
            others.extend(right);
            let stamp = stamp(own, &others);
            prop_assert!((NOW - 100 - BOUND_MS..=NOW + 100 + BOUND_MS).contains(&stamp), "{stamp}");
        }
    }
}
