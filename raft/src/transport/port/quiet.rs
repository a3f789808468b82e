//! Limits warnings that outsiders can cause at will: one line of each kind per minute, with the
//! number of those that it stands for.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The interval between two lines of one kind. The next line counts those in between.
const EVERY: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Quiet(Mutex<BTreeMap<&'static str, Told>>);

struct Told {
    at: Instant,
    since: u64,
}

impl Quiet {
    /// The number of lines of this kind that were suppressed since the last one; `None`: this one
    /// is suppressed too.
    pub fn pass(&self, kind: &'static str) -> Option<u64> {
        let now = Instant::now();
        let mut told = self.0.lock();
        match told.get_mut(kind) {
            Some(told) if now.duration_since(told.at) < EVERY => {
                told.since += 1;
                None
            }
            Some(told) => {
                told.at = now;
                Some(std::mem::take(&mut told.since))
            }
            None => {
                told.insert(kind, Told { at: now, since: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_minute_says_how_many_it_stands_for() {
        let quiet = Quiet::default();
        assert_eq!(quiet.pass("a"), Some(0));
        assert_eq!((quiet.pass("a"), quiet.pass("a"), quiet.pass("b")), (None, None, Some(0)));
        tokio::time::advance(EVERY).await;
        assert_eq!((quiet.pass("a"), quiet.pass("a")), (Some(2), None));
    }
}
