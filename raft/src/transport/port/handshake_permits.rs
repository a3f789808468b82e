//! Limits the concurrent handshakes at the cluster port, and decides which one ends for a new one.
//!
//! A handshake takes milliseconds, but a silent connection holds its permit for seconds. So there
//! are permits for all addresses, and as many again for addresses of this cluster's nodes:
//! strangers cannot keep a node out. A new connection is always accepted. Where no permit is free,
//! the oldest silent connection of the address with the most permits is closed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

/// Concurrent handshakes of addresses at which no node of this cluster was seen, and as many again
/// of the others. At the limit one in progress ends for the new one.
pub const HANDSHAKES: usize = 64;

/// One connection during its handshake.
pub struct HandshakePermit {
    pub source: IpAddr,
    /// A node of this cluster was seen at that address.
    pub known: bool,
    /// It has sent a byte.
    pub spoke: Arc<AtomicBool>,
    /// Ends it.
    pub end: AbortHandle,
}

/// Numbered in order of arrival.
#[derive(Default)]
pub struct HandshakePermits {
    last: u64,
    taken: BTreeMap<u64, HandshakePermit>,
}

impl HandshakePermits {
    /// Takes a permit, and ends the handshake of another connection if none is free. Returns
    /// whether it did.
    pub fn take(&mut self, place: HandshakePermit) -> bool {
        self.taken.retain(|_, place| !place.end.is_finished());
        let goes = self.who_goes(place.known);
        if let Some(place) = goes.and_then(|number| self.taken.remove(&number)) {
            place.end.abort();
        }
        self.last += 1;
        self.taken.insert(self.last, place);
        goes.is_some()
    }

    /// The permit to revoke for one more known or unknown address.
    fn who_goes(&self, known: bool) -> Option<u64> {
        let alike = || self.taken.iter().filter(|(_, place)| place.known == known);
        if alike().count() < HANDSHAKES {
            return None;
        }
        let mut held: BTreeMap<IpAddr, usize> = BTreeMap::new();
        alike().for_each(|(_, place)| *held.entry(place.source).or_default() += 1);
        let most = held.values().copied().max()?;
        let greedy = |(_, place): &(&u64, &HandshakePermit)| held.get(&place.source) == Some(&most);
        let spoke = |(number, place): &(&u64, &HandshakePermit)| (place.spoke.load(Ordering::Relaxed), **number);
        alike().filter(greedy).min_by_key(spoke).map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn place(last: u8, known: bool, spoke: bool) -> (HandshakePermit, AbortHandle) {
        let end = tokio::spawn(std::future::pending::<()>()).abort_handle();
        (
            HandshakePermit { source: source(last), known, spoke: Arc::new(AtomicBool::new(spoke)), end: end.clone() },
            end,
        )
    }

    async fn has_ended(end: &AbortHandle) -> bool {
        tokio::task::yield_now().await;
        end.is_finished()
    }

    #[tokio::test]
    async fn the_oldest_silent_one_of_the_greediest_address_goes() {
        let mut places = HandshakePermits::default();
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
        let mut places = HandshakePermits::default();
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
        let mut places = HandshakePermits::default();
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
