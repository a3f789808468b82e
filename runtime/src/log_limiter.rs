//! Limits log lines that outsiders can cause at will: one per period, with a count of the others.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub struct LogLimiter {
    period: Duration,
    next: Option<Instant>,
    held_back: u64,
}

impl LogLimiter {
    pub fn new(period: Duration) -> LogLimiter {
        LogLimiter { period, next: None, held_back: 0 }
    }

    /// `None`: log nothing. Otherwise the number of lines suppressed since the last one.
    pub fn due(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            self.held_back += 1;
            return None;
        }
        self.next = Some(now + self.period);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_per_period_counts_the_others() {
        let mut log_limiter = LogLimiter::new(Duration::from_secs(5));
        assert_eq!(log_limiter.due(), Some(0));
        assert!((0..7).all(|_| log_limiter.due().is_none()));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(log_limiter.due(), Some(7));
        assert_eq!(log_limiter.due(), None);
    }
}
