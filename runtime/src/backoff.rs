//! Pauses between attempts that fail.

use std::time::Duration;

use crate::Rng;

/// A pause that doubles with each attempt, within bounds. Half of each pause is random, so that
/// callers that failed together do not retry together.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub const fn new(first: Duration, most: Duration) -> Backoff {
        Backoff { first, most, next: first }
    }

    /// The pause before the next attempt, in whole milliseconds.
    pub fn pause(&mut self, rng: &Rng) -> Duration {
        let longest = self.next.as_millis() as u64;
        self.next = self.next.saturating_mul(2).min(self.most);
        Duration::from_millis(rng.range(longest / 2, longest.saturating_add(1)))
    }

    /// An attempt succeeded: the next pause is a first one again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn pauses_double_up_to_the_bound_and_at_least_half_of_each_is_kept() {
        for seed in 0..50 {
            let rng = Rng::from_seed(seed);
            let mut backoff = Backoff::new(100 * MS, 1_000 * MS);
            for longest in [100, 200, 400, 800, 1_000, 1_000] {
                let pause = backoff.pause(&rng);
                assert!((longest / 2 * MS..=longest * MS).contains(&pause), "{pause:?} of {longest} ms");
            }
        }
    }

    #[test]
    fn a_success_makes_the_next_pause_a_first_one() {
        let rng = Rng::from_seed(1);
        let mut backoff = Backoff::new(10 * MS, Duration::MAX);
        for _ in 0..200 {
            backoff.pause(&rng);
        }
        backoff.reset();
        assert!(backoff.pause(&rng) <= 10 * MS);
    }

    #[test]
    fn pauses_of_several_differ() {
        let pauses = (0..20).map(|seed| Backoff::new(1_000 * MS, 1_000 * MS).pause(&Rng::from_seed(seed)));
        assert!(pauses.collect::<std::collections::BTreeSet<_>>().len() > 10);
    }
}
