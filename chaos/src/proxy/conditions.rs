//! Link conditions between two parties, and the state of all pairs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Party;

/// Conditions of one direction. The default has no effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkConditions {
    /// No bytes pass, and no error is reported.
    pub blocked: bool,
    /// Added to the latency of every byte.
    pub delay_ms: u64,
    /// Random addition or reduction per packet. Order is kept, as in TCP.
    pub jitter_ms: u64,
    /// Lost packets per thousand. A lost packet arrives one retransmission later and delays its
    /// successors.
    pub loss: u64,
    /// Resets per hundred thousand packets.
    pub resets: u64,
    /// Bytes per second of one connection.
    pub bandwidth: Option<u64>,
}

impl LinkConditions {
    pub const BLOCKED: LinkConditions =
        LinkConditions { blocked: true, delay_ms: 0, jitter_ms: 0, loss: 0, resets: 0, bandwidth: None };

    pub fn is_fair(&self) -> bool {
        *self == LinkConditions::default()
    }

    /// The latency of a packet. `draw(n)` returns a number below `n`.
    pub fn latency(&self, draw: &mut dyn FnMut(u64) -> u64) -> Duration {
        let spread = if self.jitter_ms == 0 { 0 } else { draw(2 * self.jitter_ms + 1) };
        let mut latency = (self.delay_ms + spread).saturating_sub(self.jitter_ms);
        // A retransmission can be lost as well. TCP doubles its timeout each time.
        let mut patience = RETRANSMISSION_MS;
        while self.loss > 0 && draw(1000) < self.loss && patience < RETRANSMISSION_MS << 4 {
            latency += patience;
            patience *= 2;
        }
        Duration::from_millis(latency)
    }

    pub fn resets(&self, draw: &mut dyn FnMut(u64) -> u64) -> bool {
        self.resets > 0 && draw(100_000) < self.resets
    }
}

/// Linux's shortest retransmission timeout.
const RETRANSMISSION_MS: u64 = 200;

/// The conditions of all pairs, and the number of cuts of each.
#[derive(Clone, Debug, Default)]
pub struct NetworkConditions {
    pairs: BTreeMap<(Party, Party), LinkConditions>,
    cuts: BTreeMap<(Party, Party), u64>,
}

impl NetworkConditions {
    pub fn conditions(&self, from: Party, to: Party) -> LinkConditions {
        self.pairs.get(&(from, to)).copied().unwrap_or_default()
    }

    pub fn set(&mut self, from: Party, to: Party, conditions: LinkConditions) {
        if conditions.is_fair() {
            self.pairs.remove(&(from, to));
        } else {
            self.pairs.insert((from, to), conditions);
        }
    }

    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    pub fn cut(&mut self, one: Party, other: Party) {
        *self.cuts.entry(unordered(one, other)).or_default() += 1;
    }

    /// Connections opened at another count than this were cut.
    pub fn cuts(&self, one: Party, other: Party) -> u64 {
        self.cuts.get(&unordered(one, other)).copied().unwrap_or(0)
    }

    pub fn pairs(&self) -> &BTreeMap<(Party, Party), LinkConditions> {
        &self.pairs
    }
}

fn unordered(one: Party, other: Party) -> (Party, Party) {
    (one.min(other), one.max(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_takes_its_delay_give_or_take_the_jitter() {
        let conditions = LinkConditions { delay_ms: 100, jitter_ms: 50, ..LinkConditions::default() };
        assert_eq!(conditions.latency(&mut |_| 0), Duration::from_millis(50));
        assert_eq!(conditions.latency(&mut |below| below - 1), Duration::from_millis(150));
        let early = LinkConditions { delay_ms: 10, jitter_ms: 50, ..LinkConditions::default() };
        assert_eq!(early.latency(&mut |_| 0), Duration::ZERO);
    }

    #[test]
    fn a_lost_packet_comes_a_retransmission_later_and_is_not_lost_for_ever() {
        let conditions = LinkConditions { loss: 500, ..LinkConditions::default() };
        let mut draws = [499, 500].into_iter();
        assert_eq!(conditions.latency(&mut |_| draws.next().expect("two draws")), Duration::from_millis(200));
        assert_eq!(conditions.latency(&mut |_| 0), Duration::from_millis(200 + 400 + 800 + 1600));
    }

    #[test]
    fn fair_pairs_are_forgotten_and_cuts_are_the_same_from_both_ends() {
        let (a, b) = (Party::Node(0), Party::Node(1));
        let mut network = NetworkConditions::default();
        network.set(a, b, LinkConditions::BLOCKED);
        assert!(network.conditions(a, b).blocked && !network.conditions(b, a).blocked);
        network.set(a, b, LinkConditions::default());
        assert!(network.pairs().is_empty());
        network.cut(b, a);
        assert_eq!((network.cuts(a, b), network.cuts(b, a)), (1, 1));
    }
}
