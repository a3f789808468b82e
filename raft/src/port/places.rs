//! Who may shake hands at the cluster port at the same time, and who has to go for whom.
//!
//! A handshake takes milliseconds; a connection that says nothing takes its place for seconds. So
//! there are places for everybody, and as many again for addresses that nodes of this cluster have:
//! no stranger keeps a node out. A newcomer never finds the door shut. Where no place is free, a
//! silent connection of the address that holds the most places goes, the oldest one first.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

/// Handshakes at once of addresses that no node of this cluster is known to have, and as many again
/// of those that one has. Above it one that is under way ends for the new one.
pub const HANDSHAKES: usize = 64;

/// One connection before its end of the handshake.
pub struct Place {
    pub source: IpAddr,
    /// A node of this cluster was seen at that address.
    pub known: bool,
    /// It has sent a byte.
    pub spoke: Arc<AtomicBool>,
    /// Ends it.
    pub end: AbortHandle,
}

/// Numbered in the order in which they came.
#[derive(Default)]
pub struct Places {
    last: u64,
    taken: BTreeMap<u64, Place>,
}

impl Places {
    /// Takes a place, and ends the handshake of another connection if there is none. Whether it
    /// did.
    pub fn take(&mut self, place: Place) -> bool {
        self.taken.retain(|_, place| !place.end.is_finished());
        let goes = self.who_goes(place.known);
        if let Some(place) = goes.and_then(|number| self.taken.remove(&number)) {
            place.end.abort();
        }
        self.last += 1;
        self.taken.insert(self.last, place);
        goes.is_some()
    }

    /// For one more of those that are known, or not.
    fn who_goes(&self, known: bool) -> Option<u64> {
        let alike = || self.taken.iter().filter(|(_, place)| place.known == known);
        if alike().count() < HANDSHAKES {
            return None;
        }
        let mut held: BTreeMap<IpAddr, usize> = BTreeMap::new();
        alike().for_each(|(_, place)| *held.entry(place.source).or_default() += 1);
        let most = held.values().copied().max()?;
        let greedy = |(_, place): &(&u64, &Place)| held.get(&place.source) == Some(&most);
        let spoke = |(number, place): &(&u64, &Place)| (place.spoke.load(Ordering::Relaxed), **number);
        alike().filter(greedy).min_by_key(spoke).map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn place(last: u8, known: bool, spoke: bool) -> (Place, AbortHandle) {
        let end = tokio::spawn(std::future::pending::<()>()).abort_handle();
        (Place { source: source(last), known, spoke: Arc::new(AtomicBool::new(spoke)), end: end.clone() }, end)
    }

    async fn has_ended(end: &AbortHandle) -> bool {
        tokio::task::yield_now().await;
        end.is_finished()
    }

    #[tokio::test]
    async fn the_oldest_silent_one_of_the_greediest_address_goes() {
        let mut places = Places::default();
        let (modest, modest_end) = place(1, false, false);
        places.take(modest);
        let (first, first_end) = place(2, false, true);
        places.take(first);
        let mut ends = Vec::new();
        for _ in 2..HANDSHAKES {
            let (silent, end) = place(2, false, false);
            assert!(!places.take(silent), "there is room");
            ends.push(end);
        }
        assert!(places.take(place(3, false, false).0));
        assert!(has_ended(&ends[0]).await);
        assert!(!has_ended(&modest_end).await && !has_ended(&first_end).await && !has_ended(&ends[1]).await);
    }

    #[tokio::test]
    async fn strangers_take_no_place_of_a_known_address() {
        let mut places = Places::default();
        let (node, end) = place(1, true, false);
        places.take(node);
        for _ in 0..3 * HANDSHAKES {
            places.take(place(2, false, false).0);
        }
        assert!(!places.take(place(1, true, false).0), "there is room");
        assert!(!has_ended(&end).await);
    }

    #[tokio::test]
    async fn a_handshake_that_has_ended_gives_its_place_back() {
        let mut places = Places::default();
        for _ in 0..HANDSHAKES {
            let (place, end) = place(1, false, false);
            places.take(place);
            end.abort();
            tokio::task::yield_now().await;
        }
        assert!(!places.take(place(1, false, false).0));
        assert_eq!(places.taken.len(), 1);
    }
}
