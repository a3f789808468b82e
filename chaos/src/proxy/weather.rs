//! What can be set between two parties, and the state of all pairs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Party;

/// What happens to bytes on one way. The default is fair: nothing at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Weather {
    /// Nothing passes; nobody is told.
    pub dark: bool,
    /// Added to every byte's way.
    pub delay_ms: u64,
    /// Up to so much more or less, drawn for each packet. Order is kept, as TCP keeps it.
    pub jitter_ms: u64,
    /// Packets lost, of a thousand. A lost one comes a retransmission later and holds up what
    /// follows.
    pub loss: u64,
    /// Connections reset, of a hundred thousand packets.
    pub resets: u64,
    /// Bytes a second, over one connection.
    pub bandwidth: Option<u64>,
}

impl Weather {
    pub const DARK: Weather = Weather { dark: true, delay_ms: 0, jitter_ms: 0, loss: 0, resets: 0, bandwidth: None };

    pub fn is_fair(&self) -> bool {
        *self == Weather::default()
    }

    /// How long a packet's way takes; `draw(n)` gives a number below `n`.
    pub fn way(&self, draw: &mut dyn FnMut(u64) -> u64) -> Duration {
        let spread = if self.jitter_ms == 0 { 0 } else { draw(2 * self.jitter_ms + 1) };
        let mut way = (self.delay_ms + spread).saturating_sub(self.jitter_ms);
        // A retransmission can be lost as well; TCP doubles its patience each time.
        let mut patience = RETRANSMISSION_MS;
        while self.loss > 0 && draw(1000) < self.loss && patience < RETRANSMISSION_MS << 4 {
            way += patience;
            patience *= 2;
        }
        Duration::from_millis(way)
    }

    pub fn resets(&self, draw: &mut dyn FnMut(u64) -> u64) -> bool {
        self.resets > 0 && draw(100_000) < self.resets
    }
}

/// Linux's shortest retransmission timeout.
const RETRANSMISSION_MS: u64 = 200;

/// The weather between all pairs, and how often each was cut.
#[derive(Clone, Debug, Default)]
pub struct Sky {
    pairs: BTreeMap<(Party, Party), Weather>,
    cuts: BTreeMap<(Party, Party), u64>,
}

impl Sky {
    pub fn weather(&self, from: Party, to: Party) -> Weather {
        self.pairs.get(&(from, to)).copied().unwrap_or_default()
    }

    pub fn set(&mut self, from: Party, to: Party, weather: Weather) {
        if weather.is_fair() {
            self.pairs.remove(&(from, to));
        } else {
            self.pairs.insert((from, to), weather);
        }
    }

    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    pub fn cut(&mut self, one: Party, other: Party) {
        *self.cuts.entry(unordered(one, other)).or_default() += 1;
    }

    /// Connections opened under another count than this have been cut.
    pub fn cuts(&self, one: Party, other: Party) -> u64 {
        self.cuts.get(&unordered(one, other)).copied().unwrap_or(0)
    }

    pub fn pairs(&self) -> &BTreeMap<(Party, Party), Weather> {
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
        let weather = Weather { delay_ms: 100, jitter_ms: 50, ..Weather::default() };
        assert_eq!(weather.way(&mut |_| 0), Duration::from_millis(50));
        assert_eq!(weather.way(&mut |below| below - 1), Duration::from_millis(150));
        let early = Weather { delay_ms: 10, jitter_ms: 50, ..Weather::default() };
        assert_eq!(early.way(&mut |_| 0), Duration::ZERO);
    }

    #[test]
    fn a_lost_packet_comes_a_retransmission_later_and_is_not_lost_for_ever() {
        let weather = Weather { loss: 500, ..Weather::default() };
        let mut draws = [499, 500].into_iter();
        assert_eq!(weather.way(&mut |_| draws.next().expect("two draws")), Duration::from_millis(200));
        assert_eq!(weather.way(&mut |_| 0), Duration::from_millis(200 + 400 + 800 + 1600));
    }

    #[test]
    fn fair_pairs_are_forgotten_and_cuts_are_the_same_from_both_ends() {
        let (a, b) = (Party::Node(0), Party::Node(1));
        let mut sky = Sky::default();
        sky.set(a, b, Weather::DARK);
        assert!(sky.weather(a, b).dark && !sky.weather(b, a).dark);
        sky.set(a, b, Weather::default());
        assert!(sky.pairs().is_empty());
        sky.cut(b, a);
        assert_eq!((sky.cuts(a, b), sky.cuts(b, a)), (1, 1));
    }
}
