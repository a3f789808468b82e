//! Wall time. Monotonic time and timers are tokio's.

use std::time::{SystemTime, UNIX_EPOCH};

use troupe_core::Timestamp;

pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// Microseconds since 1970, for measurements.
    fn micros(&self) -> u64 {
        self.now().0.saturating_mul(1_000)
    }
}

pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.micros() / 1_000)
    }

    #[allow(clippy::disallowed_methods, reason = "this is the seam")]
    fn micros(&self) -> u64 {
        // A clock before 1970 reads as zero: timestamps inform people and decide nothing.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
    }
}

/// Simulated wall time: a fixed start, the elapsed simulation, and this node's skew. A crash does
/// not set it back.
#[cfg(feature = "simulation")]
pub struct SimClock {
    pub skew_ms: std::sync::atomic::AtomicI64,
}

#[cfg(feature = "simulation")]
impl SimClock {
    /// The reading of a correct clock when the simulation begins: 2026-01-01.
    pub const BIRTH_MS: i64 = 1_767_225_600_000;

    pub fn new(skew_ms: i64) -> SimClock {
        SimClock { skew_ms: skew_ms.into() }
    }
}

#[cfg(feature = "simulation")]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.micros() / 1_000)
    }

    fn micros(&self) -> u64 {
        // tokio's clock restarts with the host, so it is not used.
        let lasted = turmoil::sim_elapsed().expect("only simulated hosts have this clock");
        let skew = self.skew_ms.load(std::sync::atomic::Ordering::Relaxed);
        ((SimClock::BIRTH_MS + skew) * 1_000 + lasted.as_micros() as i64).max(0) as u64
    }
}
