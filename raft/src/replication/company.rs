//! Whether a proposal may expect company: whether further proposals of this node will come while it
//! waits for a moment.
//!
//! An entry costs the same appends, answers and syncs whether it has one command or ten, and
//! entries of different shards that are proposed at one moment share writes and syncs. So under
//! load a short wait lowers the cost, and with it the latency. It pays only if others come.
//! [`Company`] expects others if proposals came fast enough within the last moments, and if another
//! one is undecided now. A lone proposal after a pause, or a client that sends one message after
//! another, never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use crate::timing::LINGER;

/// The time over which arrivals are counted.
const WINDOW: Duration = Duration::from_millis(50);
/// A wait pays if it brings at least one further proposal in so many waits.
const WAITS_FOR_ONE: u32 = 4;

/// Shared by all shards of a node, cheap to clone.
#[derive(Clone, Default)]
pub struct Company(Arc<Shared>);

#[derive(Default)]
struct Shared {
    undecided: AtomicUsize,
    arrivals: Mutex<Option<Arrivals>>,
}

/// Arrivals in this window and the one before.
#[derive(Clone, Copy)]
struct Arrivals {
    since: Instant,
    now: u32,
    before: u32,
}

impl Arrivals {
    /// The counters at this moment.
    fn at(self, now: Instant) -> Arrivals {
        let passed = now.duration_since(self.since);
        if passed < WINDOW {
            self
        } else if passed < 2 * WINDOW {
            Arrivals { since: self.since + WINDOW, now: 0, before: self.now }
        } else {
            Arrivals { since: now, now: 0, before: 0 }
        }
    }

    /// Arrivals within the last window. Those of the window before count by the part of it that is
    /// not over yet.
    fn recent(&self, now: Instant) -> u32 {
        let left = WINDOW.saturating_sub(now.duration_since(self.since)).as_micros() as u64;
        let before = u64::from(self.before) * left / WINDOW.as_micros() as u64;
        self.now.saturating_add(before as u32)
    }
}

/// A proposal that is not decided yet, until it is dropped.
pub struct Undecided(Arc<Shared>);

impl Drop for Undecided {
    fn drop(&mut self) {
        self.0.undecided.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Company {
    /// Counts a proposal.
    pub fn arrives(&self) -> Undecided {
        let now = Instant::now();
        let mut arrivals = self.0.arrivals.lock();
        let mut counted = arrivals.unwrap_or(Arrivals { since: now, now: 0, before: 0 }).at(now);
        counted.now = counted.now.saturating_add(1);
        *arrivals = Some(counted);
        self.0.undecided.fetch_add(1, Ordering::Relaxed);
        Undecided(self.0.clone())
    }

    /// Whether a proposal that has arrived may expect others within [`LINGER`].
    pub fn is_expected(&self) -> bool {
        if self.0.undecided.load(Ordering::Relaxed) < 2 {
            return false;
        }
        let now = Instant::now();
        let recent = self.0.arrivals.lock().map_or(0, |arrivals| arrivals.at(now).recent(now));
        recent.saturating_mul(WAITS_FOR_ONE) as u128 * LINGER.as_micros() >= WINDOW.as_micros()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn proposals_that_come_fast_and_overlap_expect_others() {
        let company = Company::default();
        let mut held = Vec::new();
        for _ in 0..30 {
            held.push(company.arrives());
            advance(2 * MS).await;
        }
        assert!(company.is_expected());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_proposal_after_a_pause_expects_none() {
        let company = Company::default();
        let held: Vec<Undecided> = (0..100).map(|_| company.arrives()).collect();
        assert!(company.is_expected());
        advance(2 * WINDOW).await;
        let _lone = company.arrives();
        assert!(!company.is_expected(), "the others are undecided, but came long ago");
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn one_after_another_expects_none() {
        let company = Company::default();
        for _ in 0..200 {
            let _one = company.arrives();
            assert!(!company.is_expected());
            advance(MS).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn few_proposals_expect_none() {
        let company = Company::default();
        let mut held = Vec::new();
        for _ in 0..20 {
            held.push(company.arrives());
            assert!(!company.is_expected(), "100 a second");
            advance(10 * MS).await;
        }
    }
}
