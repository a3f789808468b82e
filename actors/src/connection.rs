//! One connection of a client, whichever edge it came in by: its place, its budget, the pushes that
//! it takes, and its part in the statistics.

use std::sync::Arc;

use troupe_core::ConversationId;
use troupe_core::record::Bot;

use crate::address::Address;
use crate::budgets::Payer;
use crate::places::{GivesWay, Place};
use crate::protocol::FanoutMsg;
use crate::service::{Caller, Service};
use crate::sink::{ConnectionId, NoPushes, Sink};

/// Holds its place until it is dropped.
pub struct Connection {
    service: Service,
    place: Place,
    payer: Arc<Payer>,
    logged_in: bool,
}

impl Connection {
    /// `silent` ends the connection when it has to give way before a login. `None`: there is no
    /// place for it.
    pub fn open(service: &Service, address: Address, silent: Arc<dyn GivesWay>) -> Option<Connection> {
        let metrics = service.metrics();
        let place = service.budgets.opens(address).then(|| service.places.enter(address, silent).ok()).flatten();
        let Some(place) = place else {
            metrics.connections_refused.up();
            return None;
        };
        metrics.connections.up();
        metrics.unauthenticated.up();
        let payer = Arc::new(Payer::new(service.budgets.clone(), address));
        Some(Connection { service: service.clone(), place, payer, logged_in: false })
    }

    pub fn id(&self) -> ConnectionId {
        self.place.id()
    }

    /// Pays for each request before the edge performs it.
    pub fn payer(&self) -> &Arc<Payer> {
        &self.payer
    }

    pub fn address(&self) -> Address {
        self.payer.address()
    }

    /// Requests that come from now on are this caller's.
    pub fn logged_in(&mut self, caller: &Caller) {
        self.place.logged_in();
        self.payer.logged_in(caller.user());
        if !std::mem::replace(&mut self.logged_in, true) {
            self.service.metrics().unauthenticated.down();
            self.service.metrics().sessions.up();
        }
    }

    /// It carries requests, and one of them has become a connection that has logged in: it gives
    /// way to no other any more.
    pub fn stays(&self) {
        self.place.logged_in();
    }

    /// Pushes go to `sink` from now on, so the answer to the login is queued before.
    pub fn attach(&self, caller: &Caller, sink: Arc<dyn Sink>) {
        // Without the scope for reading nothing is pushed, but the connection ends with the token.
        let is_blind = caller.bot.as_ref().is_some_and(|bot| !bot.may(Bot::READ));
        let sink = if is_blind { Arc::new(NoPushes(sink)) as Arc<dyn Sink> } else { sink };
        let (id, session) = (self.id(), caller.session.clone());
        let router = &self.service.context.router;
        router.tell_fanout(FanoutMsg::Attach { id, session, sink });
        // Fan-out reads the user's list by itself; the channel is on no list.
        router.tell_fanout(FanoutMsg::Follow { id, conversations: vec![ConversationId::Everyone] });
    }
}

/// The connection under a request, as an extension of the request.
#[derive(Clone)]
pub struct Carrier(Arc<dyn Fn() + Send + Sync>);

impl Carrier {
    pub fn new(stays: impl Fn() + Send + Sync + 'static) -> Carrier {
        Carrier(Arc::new(stays))
    }

    /// A stream of a session is open on it.
    pub fn stays(&self) {
        (self.0)();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let metrics = self.service.metrics();
        metrics.connections.down();
        if self.logged_in { &metrics.sessions } else { &metrics.unauthenticated }.down();
        self.service.context.router.tell_fanout(FanoutMsg::Detach { id: self.id() });
    }
}
