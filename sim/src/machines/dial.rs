//! The clock of a machine, which no loss of power sets back, and how far it has ever been off.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use troupe_runtime::clock::SimClock;

use super::Machines;

pub struct Dial {
    pub clock: Arc<SimClock>,
    /// The least and the most, in milliseconds.
    pub range: (i64, i64),
}

impl Dial {
    pub fn new(skew_ms: i64) -> Dial {
        Dial { clock: Arc::new(SimClock::new(skew_ms)), range: (skew_ms, skew_ms) }
    }

    pub fn jump(&mut self, by_ms: i64) {
        let skew = self.clock.skew_ms.fetch_add(by_ms, Ordering::Relaxed) + by_ms;
        self.range = (self.range.0.min(skew), self.range.1.max(skew));
    }
}

impl Machines {
    pub fn jump_clock(&self, node: usize, by_ms: i64) {
        self.0[node].lock().dial.jump(by_ms);
    }

    /// How far off a machine's clock has been: the least and the most.
    pub fn skews(&self, node: usize) -> (i64, i64) {
        self.0[node].lock().dial.range
    }
}
