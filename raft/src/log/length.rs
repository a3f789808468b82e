//! The length of a group's log, and its limit.
//!
//! A replica that lags receives the missing entries from the log. If the log no longer reaches back
//! far enough, it receives a snapshot of the whole shard. The receiver writes an entry about three
//! times (the engine's own log, the group's log, the state) and a row of a snapshot once. A log as
//! large as a third of the state therefore costs about as much as a snapshot, and a longer one
//! gains nothing. Small shards keep more, because both are cheap there. Entries are counted as
//! well, because each costs its receiver work, however small it is.

use std::collections::VecDeque;

use crate::codec::ENTRY_ENVELOPE;

/// Bytes of the state for each byte of the log.
const STATE_SHARE: u64 = 3;
/// Bytes of the longest log that a large state allows: the disk is for messages.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// A log of the least length is measured in this many steps.
const STEPS: u64 = 8;

/// How much longer a log may become for a replica that catches up. The allowance is larger in
/// entries than in bytes, because bytes are what costs.
const HELD_BYTES: u64 = 4;
const HELD_ENTRIES: u64 = 16;

/// Tests and simulation use small limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Entries between two cuts.
    pub between_cuts: u64,
    /// Entries that remain after a cut, so that a replica that was briefly away needs no snapshot.
    pub kept: u64,
    /// Bytes that a log may have, however small its state is. A cut keeps half of the allowed
    /// bytes.
    pub bytes: u64,
    /// Events of a block of the search index; zero: there is no index.
    pub search_block: u64,
}

impl Default for LogLimits {
    fn default() -> LogLimits {
        LogLimits { between_cuts: 10_000, kept: 2_000, bytes: 16 * 1024 * 1024, search_block: 256 }
    }
}

impl LogLimits {
    /// Keeps at least this many bytes of entries, so that an archive finds them. Zero: only those
    /// that replicas need.
    pub fn keeping(bytes: u64) -> LogLimits {
        let least = LogLimits::default();
        // A cut leaves half of the allowed bytes, less one step. An entry has an envelope at least.
        let kept = least.kept.max(bytes / ENTRY_ENVELOPE as u64);
        LogLimits { bytes: least.bytes.max(3 * bytes), kept, ..least }
    }

    pub fn allowed(self, state: u64) -> u64 {
        (state / STATE_SHARE).min(BYTES_MAX).max(self.bytes)
    }
}

/// The length of a log. Bytes are approximate: entries truncated from the engine still count.
pub struct Measure {
    limits: LogLimits,
    /// Index of the first entry, and of the next one.
    begin: u64,
    end: u64,
    /// Bytes of all entries that were pushed and not truncated.
    total: u64,
    /// Bytes of the purged ones among them.
    gone: u64,
    /// Index of an entry, and the bytes up to it. Ascending.
    marks: VecDeque<(u64, u64)>,
}

impl Measure {
    /// A log that begins behind `purged`, ends at `last` and has `bytes`.
    pub fn new(limits: LogLimits, purged: Option<u64>, last: Option<u64>, bytes: u64) -> Measure {
        let next = |index: Option<u64>| index.map_or(0, |index| index + 1);
        let marks = last.map(|last| (last, bytes)).into_iter().collect();
        Measure { limits, begin: next(purged), end: next(last), total: bytes, gone: 0, marks }
    }

    /// Returns whether the log may have become too long.
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

    /// Removes the entries from `from` on, of which these bytes are known.
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

    /// The entry up to which the log should be cut, if it has more bytes than `allowed`, or too
    /// many entries. `None` while a replica that `has` an earlier entry still needs the next from
    /// this log, unless the log is far too long.
    pub fn cut(&self, allowed: u64, has: &[u64]) -> Option<u64> {
        let by_bytes = || {
            // Half of the allowed bytes remain.
            self.marks.iter().find(|(_, total)| self.total - total <= allowed / 2).map(|(index, _)| *index)
        };
        let by_bytes = if self.held() > allowed { by_bytes() } else { None };
        let by_entries = if self.has_too_many() { (self.end - self.limits.kept).checked_sub(1) } else { None };
        let upto = by_bytes.max(by_entries)?;
        // Purged entries cannot be kept for any replica.
        let is_wanted = has.iter().any(|has| (self.begin..=upto).contains(&(has + 1)));
        let is_far_too_long = self.held() > allowed.saturating_mul(HELD_BYTES)
            || self.entries() > HELD_ENTRIES * (self.limits.between_cuts + self.limits.kept);
        (!is_wanted || is_far_too_long).then_some(upto)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LogLimits = LogLimits { between_cuts: 100, kept: 10, bytes: 800, search_block: 0 };

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
    fn an_archive_finds_the_kept_bytes_in_every_log() {
        assert_eq!(LogLimits::keeping(0), LogLimits::default());
        let kept = 64 * 1024 * 1024;
        let limits = LogLimits::keeping(kept);
        for entry in [ENTRY_ENVELOPE as u64, 4_000, 500_000] {
            let mut measure = Measure::new(limits, None, None, 0);
            for index in 1..6 * kept / entry {
                let is_due = measure.push(index, entry);
                let Some(upto) = is_due.then(|| measure.cut(limits.allowed(0), &[])).flatten() else { continue };
                measure.purge(upto);
                assert!((index - upto) * entry >= kept, "{} bytes of entries of {entry} stay", (index - upto) * entry);
            }
            assert!(measure.begin > 1, "entries of {entry} are cut");
        }
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
        // Only the last two were in memory. The others still count, and no mark lies below the last
        // one.
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
        assert_eq!(measure.cut(800, &[24, 3]), Some(16), "nothing is kept for a lost replica");
        assert!(pushed(&mut measure, 25..70));
        assert_eq!(measure.cut(800, &[10]), Some(62), "more than four times as many as are allowed");
    }
}
