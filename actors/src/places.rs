//! Places for client connections: a limit for the node and one for each address.
//!
//! At the limit the oldest connection without a login gives way, of the address that has most of
//! them. A newcomer is refused only if all connections have logged in. No IO: the edge ends a
//! connection that gives way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;
use troupe_core::limits;

use crate::address::Address;
use crate::budgets::Limits;

/// A connection without a login.
pub trait GivesWay: Send + Sync {
    /// Another connection needs its place: it ends.
    fn give_way(&self);
}

/// Why a newcomer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Address,
    Node,
}

#[derive(Clone)]
pub struct Places(Arc<Shared>);

struct Shared {
    table: Mutex<Table>,
    /// Connections that are not closed yet.
    open: watch::Sender<usize>,
}

struct Table {
    limits: Limits,
    /// Connections without a login.
    silent_limit: usize,
    next_id: u64,
    /// Without a login, in order of arrival.
    silent: BTreeMap<u64, (Address, Arc<dyn GivesWay>)>,
    addresses: BTreeMap<Address, Held>,
    /// Connections with a place.
    held: usize,
    /// They have given way and are not closed yet.
    leaving: usize,
}

#[derive(Default)]
struct Held {
    all: usize,
    silent: BTreeSet<u64>,
}

/// One place, until it is dropped.
pub struct Place {
    places: Places,
    id: u64,
    address: Address,
    logged_in: AtomicBool,
}

impl Places {
    pub fn new(limits: Limits) -> Places {
        Places::with(limits, limits::UNAUTHENTICATED_CONNECTIONS)
    }

    fn with(limits: Limits, silent_limit: usize) -> Places {
        let table = Mutex::new(Table {
            limits,
            silent_limit,
            next_id: 0,
            silent: BTreeMap::new(),
            addresses: BTreeMap::new(),
            held: 0,
            leaving: 0,
        });
        Places(Arc::new(Shared { table, open: watch::Sender::new(0) }))
    }

    pub fn enter(&self, address: Address, silent: Arc<dyn GivesWay>) -> Result<Place, Full> {
        let table = &mut *self.0.table.lock();
        let of_address = table.addresses.get(&address).map_or(0, |held| held.all);
        if of_address >= table.limits.connections_of(address) && !table.give_way(Some(address)) {
            return Err(Full::Address);
        }
        let crowded = table.silent.len() >= table.silent_limit || table.held >= table.limits.connections;
        if crowded && !table.give_way(None) {
            return Err(Full::Node);
        }
        // Leaving connections are closed within moments; only a flood causes more than a few.
        if table.held + table.leaving > table.limits.connections + table.limits.connections / 8 {
            return Err(Full::Node);
        }
        let id = table.next_id;
        table.next_id += 1;
        table.held += 1;
        self.0.open.send_modify(|open| *open += 1);
        table.silent.insert(id, (address, silent));
        let held = table.addresses.entry(address).or_default();
        held.all += 1;
        held.silent.insert(id);
        Ok(Place { places: self.clone(), id, address, logged_in: AtomicBool::new(false) })
    }

    /// For connections that come from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.0.table.lock().limits = limits;
    }

    /// Waits until all connections are closed.
    pub async fn empty(&self) {
        // The sender is beside the receiver, so that it cannot be gone.
        let _ = self.0.open.subscribe().wait_for(|open| *open == 0).await;
    }

    pub fn held(&self) -> usize {
        self.0.table.lock().held
    }
}

impl Table {
    /// The oldest silent connection leaves, of this address or of the one that has most of them.
    /// `false`: there is none.
    fn give_way(&mut self, of: Option<Address>) -> bool {
        let address = of.or_else(|| {
            let most = self.addresses.iter().max_by_key(|(_, held)| held.silent.len());
            most.map(|(address, _)| *address)
        });
        let held = address.and_then(|address| self.addresses.get_mut(&address));
        let Some(id) = held.and_then(|held| held.silent.first().copied()) else { return false };
        if let Some((address, silent)) = self.silent.remove(&id) {
            silent.give_way();
            self.forget(address, id);
            self.leaving += 1;
        }
        true
    }

    fn forget(&mut self, address: Address, id: u64) {
        self.held -= 1;
        if let Some(held) = self.addresses.get_mut(&address) {
            held.silent.remove(&id);
            held.all -= 1;
            if held.all == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

impl Place {
    /// Unique on its node while the process lives.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// From now on it gives way to no other.
    pub fn logged_in(&self) {
        let table = &mut *self.places.0.table.lock();
        if table.silent.remove(&self.id).is_some() {
            self.logged_in.store(true, Ordering::Relaxed);
            if let Some(held) = table.addresses.get_mut(&self.address) {
                held.silent.remove(&self.id);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let logged_in = *self.logged_in.get_mut();
        let table = &mut *self.places.0.table.lock();
        if logged_in || table.silent.remove(&self.id).is_some() {
            table.forget(self.address, self.id);
        } else {
            table.leaving -= 1;
        }
        self.places.0.open.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Address {
        Address::of(([192, 0, 2, last], 1).into())
    }

    fn places(connections: usize, address_connections: usize, silent: usize) -> Places {
        Places::with(Limits { connections, address_connections, ..Limits::default() }, silent)
    }

    struct Guest {
        place: Place,
        shown_out: Arc<AtomicBool>,
    }

    impl GivesWay for AtomicBool {
        fn give_way(&self) {
            self.store(true, Ordering::Relaxed);
        }
    }

    impl Guest {
        fn is_leaving(&self) -> bool {
            self.shown_out.load(Ordering::Relaxed)
        }
    }

    fn come(places: &Places, last: u8) -> Option<Guest> {
        let shown_out = Arc::new(AtomicBool::default());
        Some(Guest { place: places.enter(address(last), shown_out.clone()).ok()?, shown_out })
    }

    fn refused(places: &Places, last: u8) -> Option<Full> {
        places.enter(address(last), Arc::new(AtomicBool::default())).err()
    }

    /// Held places, leaving connections, and addresses.
    fn left(places: &Places) -> (usize, usize, usize) {
        let table = places.0.table.lock();
        (table.held, table.leaving, table.addresses.len())
    }

    #[test]
    fn a_flood_of_silent_connections_refuses_no_newcomer() {
        let places = places(1_000, 1_000, 8);
        let honest = come(&places, 1).expect("room");
        let flood: Vec<_> = (0..200).map(|_| come(&places, 9).expect("always a place")).collect();
        // The flood pushed out its own connections only, the oldest first.
        assert!(!honest.is_leaving());
        assert_eq!(flood.iter().filter(|guest| !guest.is_leaving()).count(), 7);
        assert!(flood[193..].iter().all(|guest| !guest.is_leaving()));
        drop(flood);
        assert_eq!(places.held(), 1);
        drop(honest);
        assert_eq!(left(&places), (0, 0, 0));
    }

    #[test]
    fn an_address_has_its_share_and_those_logged_in_stay() {
        let places = places(100, 3, 100);
        let mut guests: Vec<_> = (0..3).map(|_| come(&places, 1).expect("room")).collect();
        guests[0].place.logged_in();
        let fourth = come(&places, 1).expect("a silent one gives way");
        assert!(!guests[0].is_leaving() && guests[1].is_leaving());
        assert!(come(&places, 2).is_some());
        guests[2].place.logged_in();
        fourth.place.logged_in();
        assert_eq!(refused(&places, 1), Some(Full::Address));
        guests.remove(0);
        assert!(come(&places, 1).is_some());
    }

    #[test]
    fn a_node_full_of_users_refuses_and_takes_places_back() {
        let places = places(2, 2, 100);
        let mut guests: Vec<_> = (0..2).map(|last| come(&places, last).expect("room")).collect();
        guests.iter().for_each(|guest| guest.place.logged_in());
        assert_eq!(refused(&places, 7), Some(Full::Node));
        guests.pop();
        assert!(come(&places, 7).is_some());
    }

    #[test]
    fn one_that_logs_in_while_it_is_shown_out_leaves_all_the_same() {
        let places = places(100, 1, 100);
        let first = come(&places, 1).expect("room");
        let second = come(&places, 1).expect("the first gives way");
        first.place.logged_in();
        assert!(first.is_leaving());
        drop(first);
        assert_eq!(places.held(), 1);
        drop(second);
        assert_eq!(left(&places), (0, 0, 0));
    }
}
