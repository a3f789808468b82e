//! Failed logins in the log, under the target `troupe::audit`: for operators, and for tools that
//! ban addresses.
//!
//! A line shows the name as typed, cleaned and cut, because the operator may have to warn its
//! owner. An attacker can cause as many failures as hashing allows. So lines are bounded, and the
//! next one says how many were left out.

use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use troupe_core::{limits, text};

/// Lines at once after a rest. Above it: one per [`EVERY`].
const BURST: u32 = 20;
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct FailedLogins(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// When all that was written would have been written at the steady rate.
    paid_until: Option<Instant>,
    left_out: u64,
}

impl FailedLogins {
    pub fn note(&self, name: &str, address: &dyn fmt::Display) {
        let Some(left_out) = self.due(Instant::now()) else { return };
        let name: String = name.chars().take(limits::USERNAME_MAX_CHARS).collect();
        let name = text::clean_name(&name);
        tracing::warn!(
            target: "troupe::audit",
            name,
            %address,
            left_out,
            "a login failed: name or password is wrong"
        );
    }

    /// How many were left out since the last line; `None`: this one is left out too.
    fn due(&self, now: Instant) -> Option<u64> {
        let mut seen = self.0.lock();
        let paid = seen.paid_until.filter(|paid| *paid > now).unwrap_or(now);
        if paid - now > EVERY * (BURST - 1) {
            seen.left_out += 1;
            return None;
        }
        seen.paid_until = Some(paid + EVERY);
        Some(std::mem::take(&mut seen.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_do_not_fill_the_log_and_none_is_forgotten() {
        let failed = FailedLogins::default();
        let begun = Instant::now();
        let written = (0..1_000).filter(|_| failed.due(begun).is_some()).count();
        assert_eq!(written, BURST as usize);
        assert_eq!(failed.due(begun + EVERY), Some(1_000 - u64::from(BURST)));
        assert_eq!(failed.due(begun + EVERY), None);
        let rested = begun + EVERY * 100;
        assert_eq!((0..100).filter(|_| failed.due(rested).is_some()).count(), BURST as usize);
    }
}
