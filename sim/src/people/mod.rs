//! The people: who they are, what they know of each other, and where they live.
//!
//! [`device`] is a phone with the SDK, [`mad`] somebody without it who repeats everything,
//! [`owner`] looks after groups whose members come and go, a [`stranger`] adds people who do not
//! know it, and the [`ruler`] administers the cluster. They talk until the simulation says that
//! it is over, say their last words, and are silent.

mod device;
mod mad;
mod owner;
mod pocket;
mod ruler;
mod stranger;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use troupe_core::plant::Plant;
use troupe_core::{ClientMessageId, ConversationId, UserId};
use troupe_runtime::clock::SimClock;
use troupe_runtime::{Platform, Rng};

use crate::evidence::Evidence;
use crate::lanes::{Disk, Lanes};
use crate::machines::client_address;
use crate::plan::Plan;
use crate::wire::{Meter, Wire};

use device::{Device, Temper};

pub const PASSWORD: &str = "correct horse";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Talking,
    /// Everything is whole: everybody says something more, so that it shows whether that works.
    LastWords,
    /// Nobody begins anything more; what was said is waited for.
    Silent,
}

/// What people know of each other. Everybody's number is their place in `users`.
pub struct Square {
    pub plan: Arc<Plan>,
    pub evidence: Arc<Evidence>,
    pub plant: Option<Plant>,
    pub phase: watch::Sender<Phase>,
    pub users: watch::Sender<BTreeMap<usize, UserId>>,
    /// The busy group.
    pub group: watch::Sender<Option<ConversationId>>,
    /// Groups whose members come and go.
    pub open: watch::Sender<Vec<ConversationId>>,
    /// Those whom nobody knows. Their numbers come behind everybody's.
    pub strangers: watch::Sender<BTreeMap<usize, UserId>>,
    /// Their groups, and whose each is.
    pub strange: watch::Sender<BTreeMap<ConversationId, UserId>>,
    /// The administrator has come, where there is one.
    pub ruled: watch::Sender<bool>,
    /// Whose each device is.
    pub owners: parking_lot::Mutex<BTreeMap<u32, usize>>,
    /// Devices that only talk.
    pub deaf: parking_lot::Mutex<BTreeSet<u32>>,
    /// The last id that was used in each conversation, and by which device.
    ids: parking_lot::Mutex<BTreeMap<ConversationId, (u32, ClientMessageId)>>,
}

impl Square {
    pub fn new(plan: Arc<Plan>, evidence: Arc<Evidence>, plant: Option<Plant>) -> Square {
        Square {
            plan,
            evidence,
            plant,
            phase: watch::Sender::new(Phase::Talking),
            users: watch::Sender::default(),
            group: watch::Sender::default(),
            open: watch::Sender::default(),
            strangers: watch::Sender::default(),
            strange: watch::Sender::default(),
            ruled: watch::Sender::default(),
            owners: parking_lot::Mutex::default(),
            deaf: parking_lot::Mutex::default(),
            ids: parking_lot::Mutex::default(),
        }
    }

    /// The last id that another user's device has used there; or the place for the next one to take
    /// `mine`.
    fn lend_id(&self, number: u32, conversation: ConversationId, mine: ClientMessageId) -> Option<ClientMessageId> {
        let owner = |number| self.owners.lock().get(&number).copied();
        let mut ids = self.ids.lock();
        match ids.remove(&conversation) {
            Some((other, theirs)) if owner(other) != owner(number) => Some(theirs),
            _ => {
                ids.insert(conversation, (number, mine));
                None
            }
        }
    }

    /// Whether members of that group come and go.
    fn changes(&self, group: ConversationId) -> bool {
        self.open.borrow().contains(&group) || self.strange.borrow().contains_key(&group)
    }

    pub fn user(&self, number: usize) -> Option<UserId> {
        let known = self.users.borrow().get(&number).copied();
        known.or_else(|| self.strangers.borrow().get(&number).copied())
    }

    /// Everybody who is expected has come.
    pub fn is_full(&self) -> bool {
        let is_ruled = *self.ruled.borrow() || !self.plan.society.ruled;
        is_ruled && self.users.borrow().len() >= self.population()
    }

    pub fn population(&self) -> usize {
        let people = &self.plan.people;
        people.busy + people.quiet + people.mad + usize::from(people.churn > 0)
    }

    /// The world of one device.
    fn world(&self, number: u32) -> Platform {
        let rng = Arc::new(Rng::from_seed(self.plan.seed ^ (u64::from(number) + 1_000) << 32));
        Platform {
            clock: Arc::new(SimClock::new(0)),
            rng: rng.clone(),
            net: Arc::new(Wire(Arc::<Meter>::default())),
            executor: Arc::new(Lanes::new(Arc::<Disk>::default(), rng)),
            plant: self.plant,
        }
    }

    pub fn name(user: usize) -> String {
        format!("user-{user}")
    }

    /// Node addresses, another one first for each device.
    fn nodes(&self, first: usize) -> Vec<String> {
        let machines = self.plan.machines();
        (0..machines).map(|node| client_address((first + node) % machines)).collect()
    }

    /// Everybody has registered.
    async fn everybody(&self) -> BTreeMap<usize, UserId> {
        let population = self.population();
        let mut users = self.users.subscribe();
        users.wait_for(|users| users.len() >= population).await.expect("the square outlives the people").clone()
    }

    async fn until(&self, phase: Phase) {
        let mut now = self.phase.subscribe();
        now.wait_for(|now| *now >= phase).await.expect("the square outlives the people");
    }
}

/// Everybody who lives in one of the homes.
pub async fn live(square: Arc<Square>, home: usize, homes: usize) -> turmoil::Result {
    let people = &square.plan.people;
    let mut number = 0;
    let mut next = || {
        number += 1;
        number - 1
    };
    let here = |number: u32| number as usize % homes == home;
    for user in 0..people.busy + people.quiet {
        let is_busy = user < people.busy;
        // The first has two devices.
        for second in [false, true].into_iter().take(1 + usize::from(user == 0)) {
            let number = next();
            let flaps = people.flapping > 0 && (u64::from(number) + square.plan.seed).is_multiple_of(people.flapping);
            let pause_ms = if is_busy { people.pause_ms } else { people.quiet_pause_ms };
            let temper = Temper { is_busy, flaps, pause_ms: pause_ms.max(1), registers: !second };
            if here(number) {
                tokio::spawn(Device::new(square.clone(), number, user, temper).live());
            }
        }
    }
    for user in people.busy + people.quiet..people.busy + people.quiet + people.mad {
        let (ear, mouth) = (next(), next());
        square.owners.lock().extend([(ear, user), (mouth, user)]);
        square.deaf.lock().insert(mouth);
        if here(ear) {
            tokio::spawn(mad::live(square.clone(), ear, mouth, user));
        }
    }
    if people.churn > 0 {
        let number = next();
        if here(number) {
            tokio::spawn(owner::live(square.clone(), number, square.population() - 1));
        }
    }
    for stranger in 0..square.plan.society.strangers {
        let number = next();
        if here(number) {
            tokio::spawn(stranger::live(square.clone(), number, square.population() + stranger));
        }
    }
    let number = next();
    if square.plan.society.ruled && here(number) {
        tokio::spawn(ruler::live(square.clone(), number));
    }
    std::future::pending::<()>().await;
    Ok(())
}

/// Between two tries of what did not work.
const AGAIN: Duration = Duration::from_millis(200);
