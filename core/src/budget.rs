//! Budgets: the units that one party may spend, refilled steadily.
//!
//! [`Gcra`] is the generic cell rate algorithm: one number per party, the theoretical arrival time.
//! The caller passes the time, as nanoseconds since any fixed moment. [`Table`] keeps one per key
//! and drops full ones, because a full budget equals an unused one.

use std::collections::BTreeMap;

/// Nanoseconds since a fixed moment.
pub type Nanos = u64;

const SECOND: u64 = 1_000_000_000;

/// Units per time, and the number that may be spent at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds to refill one unit; zero: no limit.
    unit: Nanos,
    burst: u64,
}

impl Rate {
    pub const UNLIMITED: Rate = Rate { unit: 0, burst: 0 };

    /// Zero units: no limit.
    pub const fn per_second(units: u64, burst: u64) -> Rate {
        Rate::per(SECOND, units, burst)
    }

    /// Zero units: no limit. All of a day may be used at once.
    pub const fn per_day(units: u64) -> Rate {
        Rate::per(86_400 * SECOND, units, units)
    }

    pub const fn per_day_at_once(units: u64, burst: u64) -> Rate {
        Rate::per(86_400 * SECOND, units, burst)
    }

    pub const fn per_minute(units: u64, burst: u64) -> Rate {
        Rate::per(60 * SECOND, units, burst)
    }

    const fn per(time: Nanos, units: u64, burst: u64) -> Rate {
        match units {
            0 => Rate::UNLIMITED,
            units if units >= time => Rate::UNLIMITED,
            units => Rate { unit: time / units, burst: if burst == 0 { 1 } else { burst } },
        }
    }

    /// The rate multiplied. Zero counts as one.
    pub const fn times(self, factor: u64) -> Rate {
        let factor = if factor == 0 { 1 } else { factor };
        match self.unit {
            0 => self,
            unit if unit <= factor => Rate::UNLIMITED,
            unit => Rate { unit: unit / factor, burst: self.burst.saturating_mul(factor) },
        }
    }

    pub const fn is_unlimited(self) -> bool {
        self.unit == 0
    }
}

/// The use of one party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gcra {
    /// The time at which the budget is full again.
    full_at: Nanos,
}

impl Gcra {
    /// Takes `cost` units, at the latest `patience` from now. `Ok` is the time that the party waits
    /// before it continues. `Err` is the time until the same cost could be taken; nothing was taken
    /// then. A cost above the burst counts as the burst.
    pub fn take(&mut self, now: Nanos, rate: Rate, cost: u64, patience: Nanos) -> Result<Nanos, Nanos> {
        let (after, wait) = self.wait(now, rate, cost);
        if wait > patience {
            return Err(wait - patience);
        }
        self.full_at = after;
        Ok(wait)
    }

    /// Takes `cost` units regardless of the rest, so that later ones wait; the debt is at most one
    /// burst.
    pub fn owe(&mut self, now: Nanos, rate: Rate, cost: u64) {
        let most = now.saturating_add(2 * rate.unit.saturating_mul(rate.burst));
        self.full_at = self.wait(now, rate, cost).0.min(most);
    }

    /// Gives back `cost` units of an earlier take that were not needed.
    pub fn give_back(&mut self, rate: Rate, cost: u64) {
        self.full_at = self.full_at.saturating_sub(rate.unit.saturating_mul(cost));
    }

    pub fn is_full(&self, now: Nanos) -> bool {
        self.full_at <= now
    }

    fn wait(&self, now: Nanos, rate: Rate, cost: u64) -> (Nanos, Nanos) {
        let used = rate.unit.saturating_mul(cost.min(rate.burst));
        let after = self.full_at.max(now).saturating_add(used);
        let reach = now.saturating_add(rate.unit.saturating_mul(rate.burst));
        (after, after.saturating_sub(reach))
    }
}

/// Budgets of many parties under one rate.
#[derive(Debug)]
pub struct Table<K> {
    used: BTreeMap<K, Gcra>,
    capacity: usize,
    /// Shared by parties without an entry: at the limit new parties are slow together, and known
    /// ones are not.
    others: Gcra,
    swept: Nanos,
}

/// Between two sweeps for full budgets.
const SWEEP: Nanos = SECOND;

impl<K: Ord> Table<K> {
    pub fn new(capacity: usize) -> Table<K> {
        Table { used: BTreeMap::new(), capacity, others: Gcra::default(), swept: 0 }
    }

    pub fn len(&self) -> usize {
        self.used.len()
    }

    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// As [`Gcra::take`].
    pub fn take(&mut self, key: K, now: Nanos, rate: Rate, cost: u64, patience: Nanos) -> Result<Nanos, Nanos> {
        if rate.is_unlimited() {
            return Ok(0);
        }
        self.of(key, now).take(now, rate, cost, patience)
    }

    /// As [`Gcra::give_back`].
    pub fn give_back(&mut self, key: &K, rate: Rate, cost: u64) {
        if let Some(budget) = self.used.get_mut(key) {
            budget.give_back(rate, cost);
        }
    }

    /// As [`Gcra::owe`].
    pub fn owe(&mut self, key: K, now: Nanos, rate: Rate, cost: u64) {
        if !rate.is_unlimited() {
            self.of(key, now).owe(now, rate, cost);
        }
    }

    /// The time until `cost` could be taken; zero: at once.
    pub fn wait(&self, key: &K, now: Nanos, rate: Rate, cost: u64) -> Nanos {
        if rate.is_unlimited() {
            return 0;
        }
        let room = self.used.len() < self.capacity;
        let fresh = Gcra::default();
        let held = self.used.get(key).unwrap_or(if room { &fresh } else { &self.others });
        held.wait(now, rate, cost).1
    }

    fn of(&mut self, key: K, now: Nanos) -> &mut Gcra {
        if self.used.len() >= self.capacity && !self.used.contains_key(&key) {
            if now.saturating_sub(self.swept) >= SWEEP {
                self.swept = now;
                self.used.retain(|_, held| !held.is_full(now));
            }
            if self.used.len() >= self.capacity {
                return &mut self.others;
            }
        }
        self.used.entry(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    #[test]
    fn a_burst_passes_then_the_rate() {
        let rate = Rate::per_second(100, 10);
        let mut budget = Gcra::default();
        assert!((0..10).all(|_| budget.take(SECOND, rate, 1, 0) == Ok(0)));
        assert_eq!(budget.take(SECOND, rate, 1, 0), Err(10 * MS));
        assert_eq!(budget.take(SECOND + 10 * MS, rate, 1, 0), Ok(0));
        let passed = (0..2_000).filter(|ms| budget.take(SECOND + (11 + ms) * MS, rate, 1, 0).is_ok()).count();
        assert!((199..=201).contains(&passed), "{passed}");
        // After a rest the burst is back, and no more than that.
        assert_eq!((0..20).filter(|_| budget.take(60 * SECOND, rate, 1, 0).is_ok()).count(), 10);
    }

    #[test]
    fn a_dear_request_costs_its_weight_and_is_never_impossible() {
        let rate = Rate::per_second(10, 20);
        let mut budget = Gcra::default();
        assert_eq!(budget.take(0, rate, 15, 0), Ok(0));
        assert_eq!(budget.take(0, rate, 15, 0), Err(SECOND));
        // Nothing was taken by the refusal.
        assert_eq!(budget.take(0, rate, 5, 0), Ok(0));
        assert_eq!(budget.take(2 * SECOND, rate, 1_000, 0), Ok(0));
        assert_eq!(budget.take(2 * SECOND, rate, 1, 0), Err(100 * MS));
    }

    #[test]
    fn whoever_waits_is_paced_in_order_and_nobody_waits_longer_than_the_patience() {
        let rate = Rate::per_second(100, 1);
        let mut budget = Gcra::default();
        let waits: Vec<_> = (0..5).map(|_| budget.take(0, rate, 1, 30 * MS)).collect();
        assert_eq!(waits, [Ok(0), Ok(10 * MS), Ok(20 * MS), Ok(30 * MS), Err(10 * MS)]);
    }

    #[test]
    fn what_is_owed_is_waited_for_but_not_without_end() {
        let rate = Rate::per_second(10, 10);
        let mut budget = Gcra::default();
        (0..100).for_each(|_| budget.owe(0, rate, 10));
        assert_eq!(budget.take(0, rate, 1, 0), Err(SECOND + 100 * MS));
        assert_eq!(budget.take(1_100 * MS, rate, 1, 0), Ok(0));
    }

    #[test]
    fn a_cost_given_back_may_be_used_again_and_no_more() {
        let rate = Rate::per_second(10, 10);
        let mut table = Table::new(1);
        assert_eq!(table.take("a", 0, rate, 10, 0), Ok(0));
        table.give_back(&"a", rate, 4);
        assert_eq!(table.take("a", 0, rate, 5, 0), Err(100 * MS));
        assert_eq!(table.take("a", 0, rate, 4, 0), Ok(0));
        table.give_back(&"a", rate, 1_000);
        assert_eq!(table.take("a", 0, rate, 10, 0), Ok(0));
        assert_eq!(table.take("a", 0, rate, 1, 0), Err(100 * MS));
    }

    #[test]
    fn no_rate_is_no_limit() {
        let mut table = Table::new(1);
        for rate in [Rate::UNLIMITED, Rate::per_second(0, 5), Rate::per_day(0), Rate::per_second(0, 0).times(50)] {
            assert!((0..1_000).all(|_| table.take("a", 0, rate, 1_000, 0) == Ok(0)), "{rate:?}");
        }
        assert!(table.is_empty());
        assert_eq!(Rate::per_second(10, 5).times(3), Rate::per_second(30, 15));
    }

    #[test]
    fn a_full_table_forgets_full_budgets_and_makes_the_rest_share_one() {
        let rate = Rate::per_second(1, 2);
        let mut table = Table::new(2);
        assert_eq!(table.take(1, 0, rate, 1, 0), Ok(0));
        assert_eq!(table.take(2, 0, rate, 2, 0), Ok(0));
        // No room: 3 and 4 share.
        assert_eq!(table.take(3, 0, rate, 2, 0), Ok(0));
        assert_eq!(table.take(4, 0, rate, 1, 0), Err(SECOND));
        assert_eq!(table.take(1, 0, rate, 1, 0), Ok(0));
        // By now the budgets of 1 and 2 are full again, so there is room.
        assert_eq!(table.take(4, 10 * SECOND, rate, 2, 0), Ok(0));
        assert_eq!(table.take(5, 10 * SECOND, rate, 2, 0), Ok(0));
        assert_eq!((table.len(), table.wait(&4, 10 * SECOND, rate, 1)), (2, SECOND));
    }
}
