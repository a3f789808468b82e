//! The users that have logged in at this node, from the HTTP login to the end of their channel.
//!
//! CIM's protocol has no secret. A channel therefore needs a login by HTTP that came shortly
//! before, from the same address, for the same id and name, and that no other channel has used. A
//! live channel is never taken over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use troupe_actors::address::Address;
use troupe_actors::budgets::Payer;
use troupe_actors::ops::passwordless::Visitor;
use troupe_core::{ConversationId, Seq, UserId, limits};

use crate::inbox::{Inbox, Item};

/// A login by HTTP is good for this time without a channel.
pub const WAITING: Duration = Duration::from_secs(60);
/// Positions of an ended channel are kept for this time: longer than a cursor needs to be
/// committed.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Users whose positions are kept, and conversations of each. Above it a client that comes back at
/// once may get a message twice.
const REMEMBERED_USERS: usize = 4_096;
const REMEMBERED_CONVERSATIONS: usize = 1_024;

/// Positions up to which everything was written to a channel.
pub type Positions = BTreeMap<ConversationId, Seq>;

/// A user that may make requests from one address.
#[derive(Clone)]
pub struct Login {
    pub visitor: Arc<Visitor>,
    /// As the client writes it.
    name: String,
    pub payer: Arc<Payer>,
    state: State,
}

#[derive(Clone)]
enum State {
    /// No channel has come yet.
    Waiting {
        until: Instant,
    },
    Connected(Arc<Channel>),
}

/// A TCP connection of a user.
pub struct Channel {
    pub inbox: Arc<Inbox>,
    /// Its last write is over.
    over: watch::Sender<bool>,
}

impl Channel {
    pub fn new(inbox: Arc<Inbox>) -> Channel {
        Channel { inbox, over: watch::Sender::new(false) }
    }

    /// Waits until everything that the client missed is written. False: the channel has ended
    /// first.
    pub async fn fetch(&self) -> bool {
        let (fetched, answer) = oneshot::channel();
        self.inbox.push(Item::Fetch(fetched)).is_ok() && answer.await.is_ok()
    }

    pub async fn is_over(&self) {
        // The sender is beside the receiver, so that it cannot be gone.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }
}

/// Why a login by HTTP is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The user has a channel, or a login from another address that may still get one.
    Repeated,
    /// Too many logins wait for their channels.
    TooMany,
}

#[derive(Default)]
pub struct Logins(Mutex<Table>);

#[derive(Default)]
struct Table {
    logins: BTreeMap<UserId, Login>,
    remembered: BTreeMap<UserId, (Instant, Positions)>,
}

impl Login {
    fn address(&self) -> Address {
        self.visitor.caller.address
    }

    pub fn channel(&self) -> Option<Arc<Channel>> {
        match &self.state {
            State::Connected(channel) => Some(channel.clone()),
            State::Waiting { .. } => None,
        }
    }

    fn has_expired(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting { until } if until <= now)
    }
}

impl Logins {
    /// Whether a login of this user from this address has to be refused.
    pub fn bars(&self, user: UserId, address: Address) -> bool {
        self.0.lock().bars(user, address)
    }

    /// A login by HTTP waits for its channel. A repeat from the same address replaces it.
    pub fn admit(&self, visitor: Visitor, name: String, payer: Arc<Payer>) -> Result<(), Refused> {
        let now = Instant::now();
        let (user, address) = (visitor.caller.user(), visitor.caller.address);
        let table = &mut *self.0.lock();
        if table.bars(user, address) {
            return Err(Refused::Repeated);
        }
        if table.logins.len() >= limits::UNAUTHENTICATED_CONNECTIONS {
            table.logins.retain(|_, login| !login.has_expired(now));
        }
        let waiting = table.logins.values().filter(|login| login.channel().is_none()).count();
        if waiting >= limits::UNAUTHENTICATED_CONNECTIONS {
            return Err(Refused::TooMany);
        }
        let state = State::Waiting { until: now + WAITING };
        table.logins.insert(user, Login { visitor: Arc::new(visitor), name, payer, state });
        Ok(())
    }

    /// The channel of a login that waits for it. `None`: there is no such login.
    pub fn claim(&self, user: UserId, name: &str, address: Address, channel: &Arc<Channel>) -> Option<Login> {
        let table = &mut *self.0.lock();
        let login = table.logins.get_mut(&user)?;
        let waits = login.channel().is_none() && !login.has_expired(Instant::now());
        if !waits || login.address() != address || login.name != name {
            return None;
        }
        login.state = State::Connected(channel.clone());
        Some(login.clone())
    }

    /// The login of this user, if it came from this address.
    pub fn of(&self, user: UserId, address: Address) -> Option<Login> {
        let now = Instant::now();
        let table = self.0.lock();
        let login = table.logins.get(&user).filter(|login| !login.has_expired(now) && login.address() == address);
        login.cloned()
    }

    /// Any login from this address.
    pub fn from(&self, address: Address) -> Option<Login> {
        let now = Instant::now();
        let table = self.0.lock();
        table.logins.values().find(|login| login.address() == address && !login.has_expired(now)).cloned()
    }

    /// Whether this user has a live channel at this node.
    pub fn is_here(&self, user: UserId) -> bool {
        self.0.lock().logins.get(&user).and_then(Login::channel).is_some_and(|channel| !channel.inbox.has_ended())
    }

    /// The login is over. Returns its channel, which ends.
    pub fn log_out(&self, user: UserId, address: Address) -> Option<Arc<Channel>> {
        let table = &mut *self.0.lock();
        let login = table.logins.get(&user).filter(|login| login.address() == address)?;
        match login.channel() {
            Some(channel) => {
                channel.inbox.end();
                Some(channel)
            }
            None => {
                table.logins.remove(&user);
                None
            }
        }
    }

    /// A channel has ended, with these positions.
    pub fn left(&self, user: UserId, channel: &Arc<Channel>, positions: Positions) {
        let now = Instant::now();
        let table = &mut *self.0.lock();
        if table.logins.get(&user).and_then(Login::channel).is_some_and(|held| Arc::ptr_eq(&held, channel)) {
            table.logins.remove(&user);
        }
        table.remembered.retain(|_, (until, _)| *until > now);
        if table.remembered.len() < REMEMBERED_USERS || table.remembered.contains_key(&user) {
            let kept = positions.into_iter().take(REMEMBERED_CONVERSATIONS).collect();
            table.remembered.insert(user, (now + REMEMBERED, kept));
        }
        channel.over.send_replace(true);
    }

    /// Positions of the user's last channel, which cursors may not have yet.
    pub fn remembered(&self, user: UserId) -> Positions {
        let now = Instant::now();
        let table = self.0.lock();
        let kept = table.remembered.get(&user).filter(|(until, _)| *until > now);
        kept.map(|(_, positions)| positions.clone()).unwrap_or_default()
    }
}

impl Table {
    fn bars(&self, user: UserId, address: Address) -> bool {
        self.logins.get(&user).is_some_and(|login| match &login.state {
            State::Connected(_) => true,
            State::Waiting { .. } => login.address() != address && !login.has_expired(Instant::now()),
        })
    }
}
