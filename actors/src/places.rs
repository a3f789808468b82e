//! Places for client connections: a number for the node, a share for each address, and newcomers
//! before silent ones.
//!
//! Where no place is free, the oldest connection without a login gives way, of the address that has
//! most of them. Only where all connections have logged in is a newcomer refused. No IO: a
//! connection that gives way is ended through its outbox.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use troupe_core::limits;
use troupe_proto::client::EndReason;

use crate::address::Address;
use crate::budgets::Limits;
use crate::connection::Outbox;

/// Why a newcomer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Address,
    Node,
}

#[derive(Clone)]
pub struct Places(Arc<Mutex<Table>>);

struct Table {
    limits: Limits,
    /// Connections without a login.
    silent_limit: usize,
    next_id: u64,
    /// Without a login, in order of arrival.
    silent: BTreeMap<u64, (Address, Arc<Outbox>)>,
    addresses: BTreeMap<Address, Held>,
    /// All with a place.
    held: usize,
    /// Have given way and are not closed yet.
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
    logged_in: bool,
}

impl Places {
    pub fn new(limits: Limits) -> Places {
        Places::with(limits, limits::UNAUTHENTICATED_CONNECTIONS)
    }

    fn with(limits: Limits, silent_limit: usize) -> Places {
        Places(Arc::new(Mutex::new(Table {
            limits,
            silent_limit,
            next_id: 0,
            silent: BTreeMap::new(),
            addresses: BTreeMap::new(),
            held: 0,
            leaving: 0,
        })))
    }

    pub fn enter(&self, address: Address, outbox: Arc<Outbox>) -> Result<Place, Full> {
        let table = &mut *self.0.lock();
        let of_address = table.addresses.get(&address).map_or(0, |held| held.all);
        if of_address >= table.limits.connections_of(address) && !table.give_way(Some(address)) {
            return Err(Full::Address);
        }
        let crowded = table.silent.len() >= table.silent_limit || table.held >= table.limits.connections;
        if crowded && !table.give_way(None) {
            return Err(Full::Node);
        }
        // Those that leave are closed within moments; more than a few only under a flood.
        if table.held + table.leaving > table.limits.connections + table.limits.connections / 8 {
            return Err(Full::Node);
        }
        let id = table.next_id;
        table.next_id += 1;
        table.held += 1;
        table.silent.insert(id, (address, outbox));
        let held = table.addresses.entry(address).or_default();
        held.all += 1;
        held.silent.insert(id);
        Ok(Place { places: self.clone(), id, address, logged_in: false })
    }

    /// For connections that come from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.0.lock().limits = limits;
    }

    pub fn held(&self) -> usize {
        self.0.lock().held
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
        if let Some((address, outbox)) = self.silent.remove(&id) {
            outbox.end(&EndReason::NoLogin);
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
    /// From now on it gives way to nobody.
    pub fn logged_in(&mut self) {
        let table = &mut *self.places.0.lock();
        if table.silent.remove(&self.id).is_some() {
            self.logged_in = true;
            if let Some(held) = table.addresses.get_mut(&self.address) {
                held.silent.remove(&self.id);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let table = &mut *self.places.0.lock();
        if self.logged_in || table.silent.remove(&self.id).is_some() {
            table.forget(self.address, self.id);
        } else {
            table.leaving -= 1;
        }
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
        outbox: Arc<Outbox>,
    }

    fn come(places: &Places, last: u8) -> Option<Guest> {
        let outbox = Arc::new(Outbox::default());
        Some(Guest { place: places.enter(address(last), outbox.clone()).ok()?, outbox })
    }

    fn refused(places: &Places, last: u8) -> Option<Full> {
        places.enter(address(last), Arc::default()).err()
    }

    /// What is held, what is leaving, and of how many addresses.
    fn left(places: &Places) -> (usize, usize, usize) {
        let table = places.0.lock();
        (table.held, table.leaving, table.addresses.len())
    }

    #[test]
    fn a_flood_of_silent_connections_refuses_no_newcomer() {
        let places = places(1_000, 1_000, 8);
        let honest = come(&places, 1).expect("room");
        let flood: Vec<_> = (0..200).map(|_| come(&places, 9).expect("always a place")).collect();
        // The flood pushed out itself, the oldest first, and nobody else.
        assert!(!honest.outbox.is_closing());
        assert_eq!(flood.iter().filter(|guest| !guest.outbox.is_closing()).count(), 7);
        assert!(flood[193..].iter().all(|guest| !guest.outbox.is_closing()));
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
        assert!(!guests[0].outbox.is_closing() && guests[1].outbox.is_closing());
        assert!(come(&places, 2).is_some());
        guests[2].place.logged_in();
        let mut fourth = fourth;
        fourth.place.logged_in();
        assert_eq!(refused(&places, 1), Some(Full::Address));
        guests.remove(0);
        assert!(come(&places, 1).is_some());
    }

    #[test]
    fn a_node_full_of_users_refuses_and_takes_places_back() {
        let places = places(2, 2, 100);
        let mut guests: Vec<_> = (0..2).map(|last| come(&places, last).expect("room")).collect();
        guests.iter_mut().for_each(|guest| guest.place.logged_in());
        assert_eq!(refused(&places, 7), Some(Full::Node));
        guests.pop();
        assert!(come(&places, 7).is_some());
    }

    #[test]
    fn one_that_logs_in_while_it_is_shown_out_leaves_all_the_same() {
        let places = places(100, 1, 100);
        let mut first = come(&places, 1).expect("room");
        let second = come(&places, 1).expect("the first gives way");
        first.place.logged_in();
        assert!(first.outbox.is_closing());
        drop(first);
        assert_eq!(places.held(), 1);
        drop(second);
        assert_eq!(left(&places), (0, 0, 0));
    }
}
