//! The beat of a node: its periodic timers fire together.
//!
//! A wake-up of an idle processor costs more than the work of most timers. A node has dozens of
//! them, so they are rounded up to common moments: one wake-up serves all timers that are due, and
//! the calls that they make share their writes. Each node draws its own phase, so that the nodes of
//! a cluster, started at one moment, do not act at the same moments.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::Rng;

/// The longest common period. The others divide it or are multiples of it.
pub const BAR: Duration = Duration::from_millis(100);

/// Shared, cheap to clone.
#[derive(Clone, Default)]
pub struct Beat {
    /// Set at the first use, which is inside the runtime of the node.
    origin: Arc<OnceLock<Instant>>,
    phase: Duration,
}

impl Beat {
    pub fn new(rng: &Rng) -> Beat {
        Beat { origin: Arc::default(), phase: Duration::from_micros(rng.range(0, BAR.as_micros() as u64)) }
    }

    /// The first moment of the beat at or after `at`, of those that are `step` apart.
    pub fn up(&self, at: Instant, step: Duration) -> Instant {
        let origin = *self.origin.get_or_init(|| Instant::now() + self.phase);
        let step = step.as_nanos().max(1);
        // Before the first moment there is none to round to.
        let Some(since) = at.checked_duration_since(origin) else { return origin };
        let over = since.as_nanos() % step;
        if over == 0 { at } else { at + Duration::from_nanos((step - over) as u64) }
    }

    /// An interval on the beat. Its first tick is at most a bar away, and ticks that a stall has
    /// missed are skipped.
    pub fn interval(&self, period: Duration) -> Interval {
        let mut interval = interval_at(self.up(Instant::now(), BAR), period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        interval
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn moments_are_rounded_up_to_the_step() {
        let beat = Beat::default();
        let origin = Instant::now();
        assert_eq!(beat.up(origin, 25 * MS), origin);
        assert_eq!(beat.up(origin + MS, 25 * MS), origin + 25 * MS);
        assert_eq!(beat.up(origin + 25 * MS, 25 * MS), origin + 25 * MS);
        assert_eq!(beat.up(origin + 26 * MS, BAR), origin + BAR);
        assert_eq!(beat.clone().up(origin + 130 * MS, BAR), origin + 2 * BAR, "clones have one beat");
    }

    #[tokio::test(start_paused = true)]
    async fn no_moment_is_later_than_a_step_after_the_one_asked_for() {
        let beat = Beat::new(&Rng::from_seed(7));
        for _ in 0..300 {
            let now = Instant::now();
            let up = beat.up(now, BAR);
            assert!(up >= now && up < now + BAR);
            advance(MS).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn intervals_of_different_periods_meet() {
        let beat = Beat::new(&Rng::from_seed(3));
        let (mut short, mut long) = (beat.interval(BAR), beat.interval(3 * BAR));
        advance(37 * MS).await;
        let at = long.tick().await;
        let mut met = short.tick().await;
        while met < at {
            met = short.tick().await;
        }
        assert_eq!(met, at);
    }
}
