//! The payments of one connection.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use troupe_core::budget::{Gcra, Nanos, Rate};
use troupe_core::{UserId, limits};

use super::{Budgets, Verdict};
use crate::address::Address;
use crate::ops::cost::Cost;

/// The payments of one connection.
pub struct Payer {
    budgets: Arc<Budgets>,
    address: Address,
    user: OnceLock<UserId>,
    heartbeats: Mutex<Gcra>,
}

impl Payer {
    pub fn new(budgets: Arc<Budgets>, address: Address) -> Payer {
        Payer { budgets, address, user: OnceLock::new(), heartbeats: Mutex::default() }
    }

    pub fn address(&self) -> Address {
        self.address
    }

    /// A connection has one user in its life.
    pub fn logged_in(&self, user: UserId) {
        let _ = self.user.set(user);
    }

    /// Charges the user afterwards for a request that cost more than its price.
    pub fn owe(&self, units: u64) {
        if let Some(user) = self.user.get().filter(|_| units > 0) {
            self.budgets.owe(*user, units);
        }
    }

    /// Returns the part of a cost that the answer was not worth.
    pub fn settle(&self, paid: Cost, worth: Option<u64>) {
        if let (Cost::Units(paid), Some(worth)) = (paid, worth)
            && worth < paid
        {
            self.budgets.give_back(self.address, self.user.get().copied(), paid - worth);
        }
    }

    /// Pays for one frame. Heartbeats and entries never wait for messages.
    pub fn pay(&self, cost: Cost) -> Verdict {
        let paid = match cost {
            Cost::Heartbeat => {
                let rate = Rate::per_second(limits::HEARTBEATS.0, limits::HEARTBEATS.1);
                // A peer that beats faster is read more slowly, and never refused.
                self.heartbeats.lock().take(self.budgets.now(), rate, 1, Nanos::MAX).or(Ok(0))
            }
            Cost::Entry => self.budgets.entry(self.address),
            Cost::Units(units) => self.budgets.work(self.address, self.user.get().copied(), units),
        };
        match paid {
            Ok(0) => Verdict::Pass,
            Ok(wait) => Verdict::Pace(Duration::from_nanos(wait)),
            Err(wait) => Verdict::Refuse(Duration::from_nanos(wait)),
        }
    }
}
