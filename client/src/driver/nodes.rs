//! Choice of the next node, and the backoff before it.

use std::time::Duration;

use tokio::time::Instant;
use troupe_core::Rejection;
use troupe_runtime::{Backoff, Rng};

use crate::error::{Error, Result};

/// Addresses in memory. A cluster has far fewer.
const ADDRESSES: usize = 64;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
/// A connection that lasted this long resets the backoff.
const GOOD: Duration = Duration::from_secs(2);

pub(crate) struct Nodes {
    addresses: Vec<String>,
    next: usize,
    /// `None` until an attempt has failed: the first one is repeated at once.
    backoff: Option<Backoff>,
    reached: Option<Instant>,
}

impl Nodes {
    /// Starts at a random position of the list, so that clients spread over the nodes.
    pub fn new(given: &[String], rng: &Rng) -> Result<Nodes> {
        let mut nodes = Nodes { addresses: Vec::new(), next: 0, backoff: None, reached: None };
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

    /// A node asks its clients to move to one of these nodes. The choice is random, because its
    /// other clients move too.
    pub fn sent_to(&mut self, told: &[String], rng: &Rng) {
        self.learn(told);
        let one = told.get(rng.range(0, told.len() as u64) as usize);
        if let Some(at) = one.and_then(|one| self.addresses.iter().position(|known| known == one)) {
            self.next = at;
        }
    }

    pub fn next(&mut self) -> String {
        let address = self.addresses[self.next % self.addresses.len()].clone();
        self.next = (self.next + 1) % self.addresses.len();
        address
    }

    /// The next address, but not this one if there is another.
    pub fn next_but(&mut self, avoid: Option<&str>) -> String {
        let address = self.next();
        if Some(address.as_str()) == avoid { self.next() } else { address }
    }

    pub fn reached(&mut self, now: Instant) {
        self.reached = Some(now);
    }

    /// The connection to this node ended. Returns the wait before the next attempt, which is zero
    /// unless the connection was short. The next address is random, because all clients of a lost
    /// node look for another one.
    pub fn lost(&mut self, address: &str, now: Instant, rng: &Rng) -> Duration {
        let good = self.reached.take().is_some_and(|at| now - at >= GOOD);
        if good {
            self.backoff = None;
            let here = self.addresses.iter().position(|known| known == address).unwrap_or(self.next);
            self.next = (here + 1 + rng.range(0, self.addresses.len() as u64 - 1) as usize) % self.addresses.len();
        }
        self.backoff(rng)
    }

    /// The wait before the next attempt: zero at first, then 50 ms doubling up to 5 s, half of it
    /// random.
    pub fn backoff(&mut self, rng: &Rng) -> Duration {
        match &mut self.backoff {
            Some(backoff) => backoff.pause(rng),
            None => {
                self.backoff = Some(BACKOFF);
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NODES: [&str; 4] = ["a:1", "b:1", "c:1", "d:1"];

    fn given(addresses: &[&str]) -> Vec<String> {
        addresses.iter().map(|address| (*address).to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn clients_of_a_lost_node_go_to_all_the_others() {
        let gone = |seed| {
            let rng = Rng::from_seed(seed);
            let mut nodes = Nodes::new(&given(&NODES), &rng).unwrap();
            let now = Instant::now();
            nodes.reached(now);
            assert_eq!(nodes.lost("a:1", now + GOOD, &rng), Duration::ZERO);
            nodes.next()
        };
        let found: BTreeSet<String> = (0..40).map(gone).collect();
        assert_eq!(found, given(&NODES[1..]).into_iter().collect());
    }

    #[test]
    fn who_is_sent_away_goes_to_any_that_was_named() {
        let sent = |seed| {
            let rng = Rng::from_seed(seed);
            let mut nodes = Nodes::new(&given(&NODES[..1]), &rng).unwrap();
            nodes.sent_to(&given(&["c:1", "e:1"]), &rng);
            nodes.next_but(Some("a:1"))
        };
        let found: BTreeSet<String> = (0..40).map(sent).collect();
        assert_eq!(found, given(&["c:1", "e:1"]).into_iter().collect());
        let rng = Rng::from_seed(1);
        let mut nodes = Nodes::new(&given(&NODES), &rng).unwrap();
        nodes.sent_to(&[], &rng);
        assert!(NODES.contains(&nodes.next().as_str()), "no node was named");
    }
}
