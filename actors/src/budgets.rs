//! Budgets of users and addresses at this node: the configured limits, and the rest of each.
//!
//! Every node counts by itself. A [`Payer`] belongs to one connection: its address pays from the
//! start, and its user pays too from the login on. The operations in [`crate::ops`] have the costs.

mod payer;

use std::time::Duration;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::time::Instant;
use troupe_core::budget::{Gcra, Nanos, Rate, Table};
use troupe_core::{ConversationId, UserId, limits};
use troupe_proto::client::Limit;

use crate::address::Address;
use crate::message::Refusal;

pub use payer::Payer;

/// Limits that the operator may set. Zero is no limit, except where the field says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Units per second of one user, and at once; a short message is one unit.
    pub user_rate: u64,
    pub user_burst: u64,
    /// The same for all that comes from one address.
    pub address_rate: u64,
    pub address_burst: u64,
    /// Greetings, logins and resumptions of one address per second, and at once.
    pub entry_rate: u64,
    pub entry_burst: u64,
    /// Logins and registrations of one address per minute, and at once: each hashes a password.
    pub login_rate: u64,
    pub login_burst: u64,
    /// Accounts registered from one address in a day, and at once.
    pub accounts_per_day: u64,
    pub accounts_burst: u64,
    /// Messages, and bytes of messages, of one user in a day.
    pub messages_per_day: u64,
    pub bytes_per_day: u64,
    /// Groups made by one user in a day.
    pub groups_per_day: u64,
    /// Users that one user adds to groups in a day. Invitations expire, so this bounds the open
    /// ones too.
    pub members_per_day: u64,
    /// Client connections of this node. Not zero.
    pub connections: usize,
    /// Client connections of one address. Not zero.
    pub address_connections: usize,
    /// Active users and conversations of this node. At the limit the ones that are idle for longest
    /// are passivated; if all are busy the answer is `Overloaded`. Not zero.
    pub active_entities: usize,
    /// Bytes that wait for all client connections together. Not zero.
    pub output_bytes: usize,
    /// Multiplies the limits of an address for loopback, where the machine's own tools and all
    /// clients of a reverse proxy are one address. Not zero.
    pub loopback_factor: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            user_rate: 1_000,
            user_burst: 5_000,
            address_rate: 5_000,
            address_burst: 20_000,
            entry_rate: 50,
            entry_burst: 1_000,
            login_rate: 60,
            login_burst: 40,
            accounts_per_day: 300,
            accounts_burst: 30,
            messages_per_day: 1_000_000,
            bytes_per_day: 1024 * 1024 * 1024,
            groups_per_day: 1_000,
            members_per_day: 20_000,
            connections: 65_536,
            address_connections: 1_024,
            active_entities: 20_000,
            output_bytes: 128 * 1024 * 1024,
            loopback_factor: 50,
        }
    }
}

impl Limits {
    /// For an address: loopback has more.
    pub fn scaled(&self, rate: Rate, address: Address) -> Rate {
        if address.is_loopback() { rate.times(self.loopback_factor) } else { rate }
    }

    pub fn connections_of(&self, address: Address) -> usize {
        let factor = if address.is_loopback() { self.loopback_factor.max(1) as usize } else { 1 };
        self.address_connections.saturating_mul(factor)
    }
}

/// The decision about a frame that has just been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// Within the budget after this pause.
    Pace(Duration),
    /// Refused; a retry succeeds after this time.
    Refuse(Duration),
}

/// Shared by all connections of a node.
pub struct Budgets {
    /// Changed by a reload, while connections last.
    limits: RwLock<Limits>,
    start: Instant,
    tables: Mutex<Tables>,
}

struct Tables {
    users: Table<UserId>,
    addresses: Table<Address>,
    connections: Table<Address>,
    entries: Table<Address>,
    logins: Table<Address>,
    accounts: Table<Address>,
    /// Failed logins, by account and address: an attacker at another address keeps no owner out.
    failures: Table<(String, Address)>,
    messages: Table<UserId>,
    bytes: Table<UserId>,
    groups: Table<UserId>,
    members: Table<UserId>,
    asks: Table<UserId>,
    signals: Table<UserId>,
    /// Requests of bots.
    bots: Table<UserId>,
    /// Posts by hooks.
    hooks: Table<(ConversationId, u64)>,
    /// Of all uploads of the node.
    chunks: Gcra,
}

impl Budgets {
    pub fn new(limits: Limits) -> Budgets {
        let tables = Tables {
            users: Table::new(limits::BUDGETS_KEPT),
            addresses: Table::new(limits::BUDGETS_KEPT),
            connections: Table::new(limits::BUDGETS_KEPT),
            entries: Table::new(limits::BUDGETS_KEPT),
            logins: Table::new(limits::BUDGETS_KEPT),
            accounts: Table::new(limits::BUDGETS_KEPT),
            failures: Table::new(limits::BUDGETS_KEPT),
            messages: Table::new(limits::BUDGETS_KEPT),
            bytes: Table::new(limits::BUDGETS_KEPT),
            groups: Table::new(limits::BUDGETS_KEPT),
            members: Table::new(limits::BUDGETS_KEPT),
            asks: Table::new(limits::BUDGETS_KEPT),
            signals: Table::new(limits::BUDGETS_KEPT),
            bots: Table::new(limits::BUDGETS_KEPT),
            hooks: Table::new(limits::BUDGETS_KEPT),
            chunks: Gcra::default(),
        };
        Budgets { limits: RwLock::new(limits), start: Instant::now(), tables: Mutex::new(tables) }
    }

    /// Readers may nest: a waiting reload does not block them.
    pub fn limits(&self) -> RwLockReadGuard<'_, Limits> {
        self.limits.read_recursive()
    }

    /// Applies from the next frame on. Units used before count under the new limits too.
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.write() = limits;
    }

    fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }

    /// The user and the address pay both, or neither.
    fn work(&self, address: Address, user: Option<UserId>, units: u64) -> Result<Nanos, Nanos> {
        let of_address =
            self.limits().scaled(Rate::per_second(self.limits().address_rate, self.limits().address_burst), address);
        let of_user = Rate::per_second(self.limits().user_rate, self.limits().user_burst);
        let now = self.now();
        let tables = &mut *self.tables.lock();
        let mut wait = tables.addresses.wait(&address, now, of_address, units);
        if let Some(user) = user {
            wait = wait.max(tables.users.wait(&user, now, of_user, units));
        }
        if wait > PATIENCE {
            return Err(wait - PATIENCE);
        }
        let mut paced = tables.addresses.take(address, now, of_address, units, Nanos::MAX).unwrap_or(0);
        if let Some(user) = user {
            paced = paced.max(tables.users.take(user, now, of_user, units, Nanos::MAX).unwrap_or(0));
        }
        Ok(paced)
    }

    fn give_back(&self, address: Address, user: Option<UserId>, units: u64) {
        let of_address =
            self.limits().scaled(Rate::per_second(self.limits().address_rate, self.limits().address_burst), address);
        let of_user = Rate::per_second(self.limits().user_rate, self.limits().user_burst);
        let tables = &mut *self.tables.lock();
        tables.addresses.give_back(&address, of_address, units);
        if let Some(user) = user {
            tables.users.give_back(&user, of_user, units);
        }
    }

    fn owe(&self, user: UserId, units: u64) {
        let rate = Rate::per_second(self.limits().user_rate, self.limits().user_burst);
        let now = self.now();
        self.tables.lock().users.owe(user, now, rate, units);
    }

    /// Before a connection takes its place. The address opens too many above it, whether or not it
    /// keeps them.
    pub fn opens(&self, address: Address) -> bool {
        let (rate, burst) = limits::CONNECTIONS_OPENED;
        let rate = self.limits().scaled(Rate::per_second(rate, burst), address);
        self.tables.lock().connections.take(address, self.now(), rate, 1, 0).is_ok()
    }

    fn entry(&self, address: Address) -> Result<Nanos, Nanos> {
        let rate = self.limits().scaled(Rate::per_second(self.limits().entry_rate, self.limits().entry_burst), address);
        self.tables.lock().entries.take(address, self.now(), rate, 1, PATIENCE)
    }
}

/// Budgets of acts, checked before the act costs anything. A caller above one is refused, never
/// paced.
impl Budgets {
    /// Before a password is hashed for a login into `account`.
    pub fn login(&self, address: Address, account: &str) -> Result<(), Refusal> {
        let failed = Rate::per_minute(limits::FAILED_LOGINS.1, limits::FAILED_LOGINS.0);
        let now = self.now();
        let tables = &mut *self.tables.lock();
        let wait = tables.failures.wait(&(account.to_owned(), address), now, failed, 1);
        if wait > 0 {
            return Err(limited(Limit::Rate, wait));
        }
        let rate = self.limits().scaled(Rate::per_minute(self.limits().login_rate, self.limits().login_burst), address);
        at_once(tables.logins.take(address, now, rate, 1, 0), Limit::Rate)
    }

    /// The password was wrong.
    pub fn login_failed(&self, address: Address, account: &str) {
        let failed = Rate::per_minute(limits::FAILED_LOGINS.1, limits::FAILED_LOGINS.0);
        let now = self.now();
        self.tables.lock().failures.owe((account.to_owned(), address), now, failed, 1);
    }

    /// Before a password is hashed for a new account.
    pub fn register(&self, address: Address) -> Result<(), Refusal> {
        let now = self.now();
        let tables = &mut *self.tables.lock();
        let rate = self.limits().scaled(Rate::per_minute(self.limits().login_rate, self.limits().login_burst), address);
        at_once(tables.logins.take(address, now, rate, 1, 0), Limit::Rate)?;
        let day = Rate::per_day_at_once(self.limits().accounts_per_day, self.limits().accounts_burst);
        at_once(tables.accounts.take(address, now, self.limits().scaled(day, address), 1, 0), Limit::Quota)
    }

    pub fn message(&self, user: UserId, bytes: usize) -> Result<(), Refusal> {
        let now = self.now();
        let tables = &mut *self.tables.lock();
        let (messages, all) =
            (Rate::per_day(self.limits().messages_per_day), Rate::per_day(self.limits().bytes_per_day));
        let wait = tables.messages.wait(&user, now, messages, 1).max(tables.bytes.wait(&user, now, all, bytes as u64));
        if wait > 0 {
            return Err(limited(Limit::Quota, wait));
        }
        at_once(tables.messages.take(user, now, messages, 1, 0), Limit::Quota)?;
        at_once(tables.bytes.take(user, now, all, bytes as u64, 0), Limit::Quota)
    }

    /// Before a bot's request is performed.
    pub fn bot(&self, bot: UserId) -> Result<(), Refusal> {
        let rate = Rate::per_second(limits::BOT_RATE.0, limits::BOT_RATE.1);
        at_once(self.tables.lock().bots.take(bot, self.now(), rate, 1, 0), Limit::Rate)
    }

    /// Before a post by a hook is proposed.
    pub fn post(&self, hook: (ConversationId, u64)) -> Result<(), Refusal> {
        let rate = Rate::per_second(limits::HOOK_POSTS.0, limits::HOOK_POSTS.1);
        at_once(self.tables.lock().hooks.take(hook, self.now(), rate, 1, 0), Limit::Rate)
    }

    /// Before messages that a request sends on, of which its price does not have the bytes.
    pub fn forward(&self, user: UserId, units: u64) -> Result<(), Refusal> {
        let rate = Rate::per_second(self.limits().user_rate, self.limits().user_burst);
        at_once(self.tables.lock().users.take(user, self.now(), rate, units, PATIENCE), Limit::Rate)
    }

    pub fn signal(&self, user: UserId) -> Result<(), Refusal> {
        let rate = Rate::per_second(limits::SIGNALS.0, limits::SIGNALS.1);
        at_once(self.tables.lock().signals.take(user, self.now(), rate, 1, 0), Limit::Rate)
    }

    /// Before a piece of a stream, which is passed on like a signal. Its bytes count as those of
    /// messages.
    pub fn piece(&self, user: UserId, bytes: usize) -> Result<(), Refusal> {
        self.signal(user)?;
        let day = Rate::per_day(self.limits().bytes_per_day);
        at_once(self.tables.lock().bytes.take(user, self.now(), day, bytes as u64, 0), Limit::Quota)
    }

    /// Before a chunk is proposed: the pause until its turn. Its bytes count as those of messages.
    pub fn chunk(&self, user: UserId, bytes: usize) -> Result<Duration, Refusal> {
        let (now, bytes) = (self.now(), bytes as u64);
        let tables = &mut *self.tables.lock();
        let day = Rate::per_day(self.limits().bytes_per_day);
        let wait = tables.bytes.wait(&user, now, day, bytes);
        if wait > 0 {
            return Err(limited(Limit::Quota, wait));
        }
        let pace = Rate::per_second(limits::CHUNK_BYTES_PER_SECOND.0, limits::CHUNK_BYTES_PER_SECOND.1);
        let pause = tables.chunks.take(now, pace, bytes, PATIENCE).map_err(|wait| limited(Limit::Rate, wait))?;
        at_once(tables.bytes.take(user, now, day, bytes, 0), Limit::Quota)?;
        Ok(Duration::from_nanos(pause))
    }

    pub fn group(&self, user: UserId) -> Result<(), Refusal> {
        let day = Rate::per_day(self.limits().groups_per_day);
        at_once(self.tables.lock().groups.take(user, self.now(), day, 1, 0), Limit::Quota)
    }

    /// Before a request to join a group.
    pub fn ask(&self, user: UserId) -> Result<(), Refusal> {
        let day = Rate::per_day(limits::JOIN_REQUESTS_PER_DAY);
        at_once(self.tables.lock().asks.take(user, self.now(), day, 1, 0), Limit::Quota)
    }

    /// Before so many are added to a group.
    pub fn members(&self, user: UserId, count: usize) -> Result<(), Refusal> {
        let day = Rate::per_day(self.limits().members_per_day);
        at_once(self.tables.lock().members.take(user, self.now(), day, count as u64, 0), Limit::Quota)
    }
}

fn at_once(taken: Result<Nanos, Nanos>, limit: Limit) -> Result<(), Refusal> {
    taken.map(drop).map_err(|wait| limited(limit, wait))
}

fn limited(limit: Limit, wait: Nanos) -> Refusal {
    let after_ms = (wait / 1_000_000).clamp(50, u64::from(u32::MAX)) as u32;
    Refusal::Limited { limit, after_ms }
}

/// The longest pause of a connection before it is refused.
const PATIENCE: Nanos = limits::PACE_MS * 1_000_000;

#[cfg(test)]
mod tests;
