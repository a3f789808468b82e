//! Wall time. Monotonic time and timers are tokio's.

use std::time::{SystemTime, UNIX_EPOCH};

use troupe_core::Timestamp;

pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the seam")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as zero: timestamps inform people, nothing is decided by them.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(since.as_millis() as u64)
    }
}

/// Simulated wall time: a fixed start plus tokio's (paused) clock plus this node's skew.
#[cfg(feature = "simulation")]
pub struct SimClock {
    pub skew_ms: std::sync::atomic::AtomicI64,
    pub start: tokio::time::Instant,
}

#[cfg(feature = "simulation")]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        const BIRTH_MS: i64 = 1_767_225_600_000; // 2026-01-01
        let skew = self.skew_ms.load(std::sync::atomic::Ordering::Relaxed);
        Timestamp((BIRTH_MS + self.start.elapsed().as_millis() as i64 + skew).max(0) as u64)
    }
}
