//! The clock of a machine, which survives power loss, and its largest skew in both directions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use troupe_runtime::clock::SimClock;

use super::Machines;

pub struct MachineClock {
    pub source: Arc<SimClock>,
    /// Minimum and maximum, in milliseconds.
    pub range: (i64, i64),
}

impl MachineClock {
    pub fn new(skew_ms: i64) -> MachineClock {
        MachineClock { source: Arc::new(SimClock::new(skew_ms)), range: (skew_ms, skew_ms) }
    }

    pub fn jump(&mut self, by_ms: i64) {
        let skew = self.source.skew_ms.fetch_add(by_ms, Ordering::Relaxed) + by_ms;
        self.range = (self.range.0.min(skew), self.range.1.max(skew));
    }
}

impl Machines {
    pub fn jump_clock(&self, node: usize, by_ms: i64) {
        self.0[node].lock().clock.jump(by_ms);
    }

    /// The minimum and maximum skew of a machine's clock.
    pub fn skews(&self, node: usize) -> (i64, i64) {
        self.0[node].lock().clock.range
    }
}
