//! The workload: users, their shared state, and their hosts.
//!
//! [`device`] is a client with the SDK and [`adversarial_client`] one without it that repeats
//! everything. The [`group_owner`] changes the members of groups, sometimes as a [`moderator`]; a
//! [`guest`] comes by its invite links. An [`acquaintance`] asks others for contacts. A
//! [`stranger`] adds users who do not know it, and the [`administrator`] manages the cluster. A
//! [`key_repeater`] uses HTTP, and a [`planner`] schedules messages. In [`calls`] users call each
//! other and type. A [`sharer`] uploads files, and a [`keeper`] changes its own state of a
//! conversation. A [`searcher`] searches, an [`applicant`] asks to join a group, messages of a
//! [`burner`] vanish, in [`polls`] two users vote, a [`hook_maker`] makes a hook, [`guarded`] one
//! that is asked before, a [`robot`] makes bots, a [`forwarder`] forwards, messages of a
//! [`streamer`] grow, members that are kept [`apart`] try to meet, an [`overseer`] gives roles and
//! looks at logins and groups, and a [`subscriber`] gets pushes. They act until the simulation ends
//! the workload, send their final messages, and fall silent. The participants of a host are in
//! [`hosts`].

mod account;
mod acquaintance;
mod administrator;
mod adversarial_client;
mod apart;
mod applicant;
mod burner;
mod calls;
mod changes;
mod device;
mod device_store;
mod forwarder;
mod group_owner;
mod guarded;
mod guest;
mod hook_maker;
mod hosts;
mod keeper;
mod key_repeater;
mod moderator;
mod overseer;
mod planner;
mod polls;
mod reactions;
mod robot;
mod searcher;
mod sharer;
mod stranger;
mod streamer;
mod subscriber;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use troupe_client::{Client, Error};
use troupe_core::planted::Bug;
use troupe_core::{ClientMessageId, ConversationId, UserId};
use troupe_runtime::clock::SimClock;
use troupe_runtime::{Platform, Rng};

use crate::evidence::Evidence;
use crate::lanes::{Disk, Lanes};
use crate::machines::client_address;
use crate::plan::Plan;
use crate::wire::{Meter, Wire};

pub use hosts::live;

pub const PASSWORD: &str = "correct horse";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Talking,
    /// All faults are healed. Every client sends a final message, which shows whether sends work.
    LastWords,
    /// No new operation starts. Pending ones complete.
    Silent,
}

/// State shared by all users. A user's number is its key in `users`.
pub struct WorkloadContext {
    pub plan: Arc<Plan>,
    pub evidence: Arc<Evidence>,
    pub bug: Option<Bug>,
    pub phase: watch::Sender<Phase>,
    pub users: watch::Sender<BTreeMap<usize, UserId>>,
    /// The busy group.
    pub group: watch::Sender<Option<ConversationId>>,
    /// Groups with changing members.
    pub churn_groups: watch::Sender<Vec<ConversationId>>,
    /// Strangers. Their numbers follow those of the users.
    pub strangers: watch::Sender<BTreeMap<usize, UserId>>,
    /// Groups of strangers, with their owners.
    pub stranger_groups: watch::Sender<BTreeMap<ConversationId, UserId>>,
    /// Users that ask each other for contacts.
    pub acquaintances: watch::Sender<BTreeMap<usize, UserId>>,
    /// Invite links for one user each: the group and the code.
    pub links: parking_lot::Mutex<Vec<(ConversationId, String)>>,
    /// The group that lets users in by approval.
    pub by_approval: watch::Sender<Option<ConversationId>>,
    /// Users that only share a group without contact, and those that have it in their lists.
    pub apart: watch::Sender<BTreeMap<usize, UserId>>,
    pub apart_group: watch::Sender<Option<ConversationId>>,
    pub apart_listed: watch::Sender<BTreeSet<UserId>>,
    /// Users with push subscriptions.
    pub subscribers: watch::Sender<BTreeMap<usize, UserId>>,
    /// The administrator has logged in, if there is one.
    pub administered: watch::Sender<bool>,
    /// The first user has hidden its presence.
    pub hidden: std::sync::atomic::AtomicBool,
    /// The user of each device.
    pub owners: parking_lot::Mutex<BTreeMap<u32, usize>>,
    /// Devices that only send.
    pub send_only: parking_lot::Mutex<BTreeSet<u32>>,
    /// The last id used in each conversation, and its device.
    ids: parking_lot::Mutex<BTreeMap<ConversationId, (u32, ClientMessageId)>>,
}

impl WorkloadContext {
    pub fn new(plan: Arc<Plan>, evidence: Arc<Evidence>, bug: Option<Bug>) -> WorkloadContext {
        WorkloadContext {
            plan,
            evidence,
            bug,
            phase: watch::Sender::new(Phase::Talking),
            users: watch::Sender::default(),
            group: watch::Sender::default(),
            churn_groups: watch::Sender::default(),
            strangers: watch::Sender::default(),
            stranger_groups: watch::Sender::default(),
            acquaintances: watch::Sender::default(),
            links: parking_lot::Mutex::default(),
            by_approval: watch::Sender::default(),
            apart: watch::Sender::default(),
            apart_group: watch::Sender::default(),
            apart_listed: watch::Sender::default(),
            subscribers: watch::Sender::default(),
            administered: watch::Sender::default(),
            hidden: Default::default(),
            owners: parking_lot::Mutex::default(),
            send_only: parking_lot::Mutex::default(),
            ids: parking_lot::Mutex::default(),
        }
    }

    /// The last id that another user's device used there. If there is none, offers `mine` to the
    /// next device.
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

    /// Whether the members of that group change.
    fn changes(&self, group: ConversationId) -> bool {
        self.churn_groups.borrow().contains(&group) || self.stranger_groups.borrow().contains_key(&group)
    }

    pub fn user(&self, number: usize) -> Option<UserId> {
        let known = self.users.borrow().get(&number).copied();
        let known = known.or_else(|| self.strangers.borrow().get(&number).copied());
        known.or_else(|| self.apart.borrow().get(&number).copied())
    }

    /// All expected users have registered.
    pub fn is_full(&self) -> bool {
        let is_ruled = *self.administered.borrow() || !self.plan.society.administered;
        is_ruled && self.users.borrow().len() >= self.population()
    }

    pub fn population(&self) -> usize {
        let people = &self.plan.people;
        people.busy + people.quiet + people.adversarial + usize::from(people.churn > 0)
    }

    /// The platform of one device.
    fn platform(&self, number: u32) -> Platform {
        let rng = Arc::new(Rng::from_seed(self.plan.seed ^ (u64::from(number) + 1_000) << 32));
        Platform {
            clock: Arc::new(SimClock::new(0)),
            rng: rng.clone(),
            beat: Default::default(),
            net: Arc::new(Wire(Arc::<Meter>::default())),
            executor: Arc::new(Lanes::new(Arc::<Disk>::default(), rng)),
            metrics: Default::default(),
            trace: Default::default(),
            planted: self.bug.into(),
        }
    }

    pub fn name(user: usize) -> String {
        format!("user-{user}")
    }

    /// Node addresses, with a different first one for each device.
    fn nodes(&self, first: usize) -> Vec<String> {
        let machines = self.plan.machines();
        (0..machines).map(|node| client_address((first + node) % machines)).collect()
    }

    /// Waits until all users have registered.
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

/// The first device makes the group that all busy users are in.
async fn begin_group(workload: Arc<WorkloadContext>, client: Client, users: BTreeMap<usize, UserId>) {
    let people = &workload.plan.people;
    let adversarial = people.busy + people.quiet..people.busy + people.quiet + people.adversarial;
    let members: Vec<UserId> = (0..people.busy).chain(adversarial).map(|user| users[&user]).collect();
    let request = ClientMessageId([7; 16]);
    loop {
        match client.create_group_as(request, "busy", false, &members).await {
            Ok(group) => return workload.group.send_modify(|known| *known = Some(group)),
            Err(Error::Stopped(_)) => return,
            Err(error) => workload.evidence.note(&format!("no busy group yet: {error}")),
        }
        sleep(AGAIN).await;
    }
}

/// Delay between two attempts.
const AGAIN: Duration = Duration::from_millis(200);
