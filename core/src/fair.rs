//! A queue that is fair between parties: each has a queue of its own, and they alternate by the
//! cost of their items.
//!
//! Deficit round robin: at its turn a party gets a quantum, and continues as long as its next item
//! costs no more than its credit. A party with expensive items gets fewer of them, and a party with
//! one item waits for at most one quantum of each other party.

use std::collections::{BTreeMap, VecDeque};

/// Credit per turn; an item that costs more waits for several turns.
const QUANTUM: u64 = 16;

#[derive(Debug)]
pub struct Fair<K, T> {
    parties: BTreeMap<K, Party<T>>,
    /// Parties with items, in the order of their turns.
    turns: VecDeque<K>,
    waiting: usize,
    limit: usize,
    limit_each: usize,
}

#[derive(Debug)]
struct Party<T> {
    items: VecDeque<(u64, T)>,
    deficit: u64,
}

impl<K: Ord + Clone, T> Fair<K, T> {
    /// At most `limit` items wait, and `limit_each` of one party.
    pub fn new(limit: usize, limit_each: usize) -> Fair<K, T> {
        Fair { parties: BTreeMap::new(), turns: VecDeque::new(), waiting: 0, limit, limit_each }
    }

    pub fn len(&self) -> usize {
        self.waiting
    }

    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Returns the item if there is no room: refuse it, do not wait. At the total limit the longest
    /// queue loses its last item instead, if it is longer than this party's; `Ok` returns that
    /// item.
    pub fn push(&mut self, key: K, cost: u64, item: T) -> Result<Option<T>, T> {
        let mine = self.parties.get(&key).map_or(0, |party| party.items.len());
        if mine >= self.limit_each {
            return Err(item);
        }
        let mut pushed_out = None;
        if self.waiting >= self.limit {
            let longest = self.parties.values_mut().max_by_key(|party| party.items.len());
            match longest.filter(|longest| longest.items.len() > mine + 1).and_then(|longest| longest.items.pop_back())
            {
                Some((_, last)) => pushed_out = Some(last),
                None => return Err(item),
            }
            self.waiting -= 1;
        }
        let party = self.parties.entry(key.clone()).or_insert_with(|| {
            self.turns.push_back(key);
            Party { items: VecDeque::new(), deficit: 0 }
        });
        party.items.push_back((cost, item));
        self.waiting += 1;
        Ok(pushed_out)
    }

    pub fn pop(&mut self) -> Option<T> {
        loop {
            let key = self.turns.front()?;
            let Some(party) = self.parties.get_mut(key) else {
                self.turns.pop_front();
                continue;
            };
            match party.items.front() {
                Some((cost, _)) if *cost > party.deficit => {
                    party.deficit += QUANTUM;
                    self.turns.rotate_left(1);
                }
                Some(_) => {
                    let (cost, item) = party.items.pop_front()?;
                    party.deficit -= cost;
                    self.waiting -= 1;
                    if party.items.is_empty() {
                        // A party without items keeps no credit.
                        self.parties.remove(key);
                        self.turns.pop_front();
                    }
                    return Some(item);
                }
                None => {
                    self.parties.remove(key);
                    self.turns.pop_front();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_asks_much_holds_nobody_up() {
        let mut queue = Fair::new(10_000, 5_000);
        (0..4_000).for_each(|n| assert!(queue.push("greedy", 20, ("greedy", n)).is_ok()));
        assert!(queue.push("honest", 1, ("honest", 0)).is_ok());
        let before = std::iter::from_fn(|| queue.pop()).position(|(who, _)| who == "honest");
        assert!(before.is_some_and(|before| before <= 1), "{before:?}");
        assert_eq!(queue.len(), 4_000);
    }

    #[test]
    fn turns_are_weighed_by_cost_and_each_party_keeps_its_order() {
        let mut queue = Fair::new(1_000, 1_000);
        for n in 0..100 {
            assert!(queue.push("dear", 16, ("dear", n)).is_ok());
            assert!(queue.push("cheap", 1, ("cheap", n)).is_ok());
        }
        let first: Vec<_> = (0..68).filter_map(|_| queue.pop()).collect();
        let dear: Vec<_> = first.iter().filter(|(who, _)| *who == "dear").map(|(_, n)| *n).collect();
        assert_eq!(dear, (0..dear.len()).collect::<Vec<_>>());
        assert!((4..=5).contains(&dear.len()), "{}", dear.len());
    }

    #[test]
    fn at_the_limit_the_longest_queue_gives_way() {
        let mut queue = Fair::new(4, 3);
        assert!((0..3).all(|n| queue.push("a", 1, n) == Ok(None)));
        assert_eq!(queue.push("a", 1, 9), Err(9));
        assert_eq!(queue.push("b", 1, 10), Ok(None));
        assert_eq!(queue.push("c", 1, 20), Ok(Some(2)));
        assert_eq!(queue.push("b", 1, 11), Err(11));
        let all: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!((all.len(), queue.len(), queue.pop()), (4, 0, None));
    }
}
