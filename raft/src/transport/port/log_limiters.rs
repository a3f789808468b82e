//! Limits warnings that outsiders can cause at will: one line of each kind per minute, with the
//! number of those that it stands for.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use troupe_runtime::log_limiter::LogLimiter;

/// The interval between two lines of one kind. The next line counts those in between.
const EVERY: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct LogLimiters(Mutex<BTreeMap<&'static str, LogLimiter>>);

impl LogLimiters {
    /// The number of lines of this kind that were suppressed since the last one; `None`: this one
    /// is suppressed too.
    pub fn pass(&self, kind: &'static str) -> Option<u64> {
        self.0.lock().entry(kind).or_insert_with(|| LogLimiter::new(EVERY)).due()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_has_a_limit_of_its_own() {
        let limiters = LogLimiters::default();
        assert_eq!(limiters.pass("a"), Some(0));
        assert_eq!((limiters.pass("a"), limiters.pass("a"), limiters.pass("b")), (None, None, Some(0)));
        tokio::time::advance(EVERY).await;
        assert_eq!((limiters.pass("a"), limiters.pass("a")), (Some(2), None));
    }
}
