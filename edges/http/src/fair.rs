//! The share of one address in the HTTP of a node: a unit for each request, requests in flight, and
//! bytes of bodies that come in.
//!
//! The unit is due before anything else is done, also for a path that does not exist. Operations
//! cost their price on top.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::Extensions;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use troupe_actors::address::Address;
use troupe_actors::budgets::{Payer, Verdict};
use troupe_actors::message::Refusal;
use troupe_actors::ops::cost::Cost;
use troupe_actors::service::Service;
use troupe_core::limits;
use troupe_proto::client::Limit;

use crate::api::Api;
use crate::connection::Connection;
use crate::problem::Problem;

/// An answer above a budget comes no sooner: a client that asks on regardless is served slowly.
const REFUSED: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_millis(limits::PACE_MS);

/// The address of the peer. A request without one counts as this machine's.
pub fn address_of(extensions: &Extensions) -> Address {
    extensions.get::<ConnectInfo<SocketAddr>>().map_or(Address::LOCAL, |ConnectInfo(peer)| Address::of(*peer))
}

/// Waits for a budget that is nearly used, and refuses above it.
pub async fn pay(payer: &Payer, cost: Cost) -> Result<(), Refusal> {
    match payer.pay(cost) {
        Verdict::Pass => {}
        Verdict::Pace(later) => tokio::time::sleep(later).await,
        Verdict::Refuse(after) => {
            tokio::time::sleep(after.clamp(REFUSED, SLOWEST)).await;
            let after_ms = after.max(REFUSED).as_millis().try_into().unwrap_or(u32::MAX);
            return Err(Refusal::Limited { limit: Limit::Rate, after_ms });
        }
    }
    Ok(())
}

/// The unit of a request that the router of this crate does not serve.
pub async fn fee(service: &Service, extensions: &Extensions) -> Result<(), Problem> {
    pay(&service.payer(address_of(extensions)), Cost::Units(1)).await.map_err(Problem::from)
}

/// Requests and bodies of each address at this node.
#[derive(Clone, Default)]
pub struct Shares(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    requests: BTreeMap<Address, usize>,
    bodies: BTreeMap<Address, usize>,
    /// Of all addresses.
    body_bytes: usize,
}

/// A request in flight, until its answer is written.
pub struct Underway {
    shares: Shares,
    address: Address,
}

/// Bytes of a body that is being received.
pub struct Receiving {
    shares: Shares,
    address: Address,
    bytes: usize,
}

impl Shares {
    /// `None`: the address has `limit` requests in flight.
    fn begin(&self, address: Address, limit: usize) -> Option<Underway> {
        let requests = &mut self.0.lock().requests;
        let held = requests.entry(address).or_default();
        if *held >= limit {
            return None;
        }
        *held += 1;
        Some(Underway { shares: self.clone(), address })
    }

    #[cfg(test)]
    pub fn begin_for_test(&self) -> Underway {
        self.begin(Address::LOCAL, usize::MAX).expect("no limit")
    }

    pub fn receive(&self, address: Address) -> Receiving {
        Receiving { shares: self.clone(), address, bytes: 0 }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        release(&mut self.shares.0.lock().requests, self.address, 1);
    }
}

impl Receiving {
    /// False: the address, or all together, have as many bytes of bodies as they may.
    pub fn takes(&mut self, bytes: usize) -> bool {
        let table = &mut *self.shares.0.lock();
        let held = table.bodies.entry(self.address).or_default();
        let most = if self.address.is_loopback() { limits::BODIES_BYTES } else { limits::BODIES_BYTES_OF_ADDRESS };
        if *held + bytes > most || table.body_bytes + bytes > limits::BODIES_BYTES {
            return false;
        }
        *held += bytes;
        table.body_bytes += bytes;
        self.bytes += bytes;
        true
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let table = &mut *self.shares.0.lock();
        table.body_bytes -= self.bytes;
        release(&mut table.bodies, self.address, self.bytes);
    }
}

fn release(table: &mut BTreeMap<Address, usize>, address: Address, many: usize) {
    if let Some(held) = table.get_mut(&address) {
        *held -= many;
        if *held == 0 {
            table.remove(&address);
        }
    }
}

/// Around every request of the router.
pub async fn fair(State(api): State<Api>, request: Request, next: Next) -> Response {
    api.service.metrics().http_requests.up();
    let address = address_of(request.extensions());
    let connection = request.extensions().get::<Connection>().cloned().unwrap_or_default();
    let payer = api.service.payer(address);
    let most = api.service.connections_of(address);
    let Some(underway) = api.shares.begin(address, most) else {
        // Answers cost as well, so its connection ends.
        connection.crowd();
        return Problem::from(Refusal::OVERLOADED).into_response();
    };
    let response = match pay(&payer, Cost::Units(1)).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            api.service.metrics().rate_limited.up();
            Problem::from(refusal).into_response()
        }
    };
    connection.answer(response, api.service.output().clone(), underway).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Address {
        Address::of(([192, 0, 2, last], 1).into())
    }

    #[test]
    fn an_address_has_so_many_requests_in_flight() {
        let shares = Shares::default();
        let held: Vec<_> = (0..3).map(|_| shares.begin(address(1), 3).expect("room")).collect();
        assert!(shares.begin(address(1), 3).is_none());
        let other = shares.begin(address(2), 3);
        assert!(other.is_some());
        drop(held);
        assert!(shares.begin(address(1), 3).is_some());
        drop(other);
        assert!(shares.0.lock().requests.is_empty());
    }

    #[test]
    fn bodies_that_come_in_have_a_limit_for_an_address_and_for_all() {
        let shares = Shares::default();
        let mut one = shares.receive(address(1));
        assert!(one.takes(limits::BODIES_BYTES_OF_ADDRESS) && !one.takes(1));
        let mut others: Vec<_> = (2..10).map(|last| shares.receive(address(last))).collect();
        let taken = others.iter_mut().filter_map(|other| other.takes(limits::BODIES_BYTES_OF_ADDRESS).then_some(()));
        let all = limits::BODIES_BYTES / limits::BODIES_BYTES_OF_ADDRESS;
        assert_eq!(taken.count(), all - 1);
        drop((one, others));
        assert!(shares.receive(address(1)).takes(1));
        let table = shares.0.lock();
        assert_eq!((table.body_bytes, table.bodies.len()), (0, 0));
    }
}
