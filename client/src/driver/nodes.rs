//! Which node to try next, and when.

use std::time::Duration;

use tokio::time::Instant;
use troupe_core::Rejection;
use troupe_runtime::Rng;

use crate::error::{Error, Result};

/// Addresses remembered; a cluster has far fewer.
const ADDRESSES: usize = 64;
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A connection that held this long was a good one: the next search starts afresh.
const GOOD: Duration = Duration::from_secs(2);

pub(crate) struct Nodes {
    addresses: Vec<String>,
    next: usize,
    failures: u32,
    reached: Option<Instant>,
}

impl Nodes {
    /// Starts anywhere in the list, so that clients spread.
    pub fn new(given: &[String], rng: &Rng) -> Result<Nodes> {
        let mut nodes = Nodes { addresses: Vec::new(), next: 0, failures: 0, reached: None };
        nodes.learn(given);
        if nodes.addresses.is_empty() {
            return Err(Error::rejected(&Rejection::BadRequest("no node is given to connect to")));
        }
        nodes.next = rng.range(0, nodes.addresses.len() as u64) as usize;
        Ok(nodes)
    }

    pub fn learn(&mut self, told: &[String]) {
        for address in told {
            if self.addresses.len() < ADDRESSES && !address.is_empty() && !self.addresses.contains(address) {
                self.addresses.push(address.clone());
            }
        }
    }

    pub fn next(&mut self) -> String {
        let address = self.addresses[self.next % self.addresses.len()].clone();
        self.next = (self.next + 1) % self.addresses.len();
        address
    }

    /// The next, but not this one if there is another.
    pub fn next_but(&mut self, avoid: Option<&str>) -> String {
        let address = self.next();
        if Some(address.as_str()) == avoid { self.next() } else { address }
    }

    pub fn reached(&mut self, now: Instant) {
        self.reached = Some(now);
    }

    /// A connection ended: how long to wait. Not at all, unless it had only just begun.
    pub fn lost(&mut self, now: Instant, rng: &Rng) -> Duration {
        let good = self.reached.take().is_some_and(|at| now - at >= GOOD);
        if good {
            self.failures = 0;
        }
        self.backoff(rng)
    }

    /// How long to wait before the next try: nothing at first, then 50 ms doubling up to 5 s, half of it by chance.
    pub fn backoff(&mut self, rng: &Rng) -> Duration {
        let failures = self.failures;
        self.failures = self.failures.saturating_add(1);
        if failures == 0 {
            return Duration::ZERO;
        }
        let full = BACKOFF_MIN.saturating_mul(1 << (failures - 1).min(8)).min(BACKOFF_MAX).as_millis() as u64;
        Duration::from_millis(rng.range(full / 2, full + 1))
    }
}
