//! The workload: devices that send in bursts and record everything they receive.
//!
//! Six users send to `everyone`, to two groups and in pairs, from SDK clients spread over the
//! nodes. One user has two devices. Three more devices are *observers* without the SDK, which take
//! the server's pushes literally, so that a push across a gap is detected. Where all [`edges`] are
//! wanted, four users come in by WebSocket and HTTP, and two devices react to messages. In the
//! scenario `mixed`, [`people`] use what else a conversation holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use troupe_client::{Client, State};
use troupe_core::command::Intent;
use troupe_core::{Body, ClientMessageId, ConversationId, UserId};
use troupe_runtime::{Platform, Rng};

use self::edges::Edge;
use self::people::Person;
use self::reactors::{Reactor, Wrong};
use crate::checkers::Violation;
use crate::history::{Conversation, DeviceNumber, Record};
use crate::recorder::Recorder;

mod by_events;
mod by_http;
mod by_json;
pub mod edges;
mod participants;
mod people;
mod reactors;
mod set_up;

pub use participants::{DeviceLog, Namespace, connect_at, non_reader};

const USERS: usize = 6;
const OBSERVERS: usize = 3;
/// Longest burst of one device without waiting for acks.
const BURST: u64 = 4;
/// One send in this many reuses the id of another user's message in the same conversation, because
/// ids belong to their sender.
const COLLIDE: u64 = 10;
/// A leader does what is due by then.
const LATE_MS: u64 = 3_000;

/// The highest seq delivered to each device, per conversation.
pub type Positions = Arc<Mutex<BTreeMap<DeviceNumber, BTreeMap<Conversation, u64>>>>;

pub struct Workload {
    devices: Vec<Device>,
    pub positions: Positions,
    recorder: Arc<Recorder>,
    rng: Arc<Rng>,
    /// Sends without an outcome.
    pending: Arc<Mutex<u64>>,
    /// Conversations of each device.
    member_of: BTreeMap<DeviceNumber, Vec<ConversationId>>,
    tasks: Vec<JoinHandle<()>>,
    stop_all: CancellationToken,
    /// A user without a device, to be added and removed.
    guest: UserId,
    groups: Vec<ConversationId>,
    /// Membership changes of the guest.
    turns: AtomicU64,
    /// The edge of each device.
    edges: BTreeMap<DeviceNumber, Edge>,
    /// Devices without the SDK send while it is true.
    sending: watch::Sender<bool>,
    reactors: Mutex<Vec<Reactor>>,
    people: Mutex<Vec<Person>>,
    /// The clients of the people, which send what waits.
    guests: Vec<Client>,
    /// The last time at which something is due, in milliseconds since 1970.
    due: Arc<AtomicU64>,
    wrong: Wrong,
}

struct Device {
    number: DeviceNumber,
    user: UserId,
    client: Client,
}

impl Workload {
    /// All devices send until `end`, together about `rate` messages a second.
    pub async fn run(&self, rate: u64, end: &CancellationToken) {
        let used: Arc<Mutex<BTreeMap<ConversationId, (UserId, ClientMessageId)>>> = Arc::default();
        let each = rate.max(1) as f64 / self.devices.len() as f64;
        let senders = self.devices.iter().map(|device| {
            let used = used.clone();
            async move {
                let conversations = &self.member_of[&device.number];
                let mut due = Instant::now();
                while !end.is_cancelled() {
                    tokio::select! {
                        () = tokio::time::sleep_until(due) => {}
                        () = end.cancelled() => break,
                    }
                    let conversation = conversations[self.rng.range(0, conversations.len() as u64) as usize];
                    let burst = 1 + self.rng.range(0, BURST);
                    for _ in 0..burst {
                        self.send(device, conversation, &used);
                    }
                    due += Duration::from_secs_f64(burst as f64 / each);
                }
            }
        });
        self.sending.send_replace(true);
        let reactors = std::mem::take(&mut *self.reactors.lock());
        let reactors = futures::future::join_all(reactors.into_iter().map(|reactor| reactor.run(end.clone())));
        let people = std::mem::take(&mut *self.people.lock());
        let people = futures::future::join_all(people.into_iter().map(|person| person.run(end.clone())));
        tokio::join!(futures::future::join_all(senders), reactors, people);
        self.sending.send_replace(false);
    }

    /// The edge of each device.
    pub fn edges(&self) -> &BTreeMap<DeviceNumber, Edge> {
        &self.edges
    }

    /// Answers that broke a promise by themselves.
    pub fn wrong(&self) -> Vec<Violation> {
        self.wrong.lock().clone()
    }

    fn send(
        &self,
        device: &Device,
        conversation: ConversationId,
        used: &Mutex<BTreeMap<ConversationId, (UserId, ClientMessageId)>>,
    ) {
        let mut id = ClientMessageId(self.rng.bytes());
        if self.rng.range(0, COLLIDE) == 0 {
            let mut used = used.lock();
            match used.remove(&conversation) {
                Some((user, theirs)) if user != device.user => id = theirs,
                _ => drop(used.insert(conversation, (device.user, id))),
            }
        }
        let (number, user) = (device.number, device.user);
        let name = format!("{user}/{id}");
        let place = conversation.to_string();
        self.recorder.record(|at| Record::Invoke {
            at,
            device: number,
            user: user.0,
            conversation: place.clone(),
            id: name.clone(),
        });
        *self.pending.lock() += 1;
        let sent = device.client.send_as(conversation, id, Body::text(&format!("from device {number}")));
        let (recorder, pending) = (self.recorder.clone(), self.pending.clone());
        tokio::spawn(async move {
            let outcome = match sent {
                Ok(handle) => handle.await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(acked) => recorder.record(|at| Record::Ack {
                    at,
                    device: number,
                    conversation: place,
                    id: name,
                    seq: acked.seq.0,
                }),
                Err(error) if error.is_definite() => recorder.record(|at| Record::Reject {
                    at,
                    device: number,
                    conversation: place,
                    id: name,
                    code: error.code().unwrap_or("outbox_full").to_owned(),
                }),
                // The outcome stays unknown: the checkers allow both, and the report counts it.
                Err(error) => tracing::warn!(%error, "a send ended without an outcome"),
            }
            *pending.lock() -= 1;
        });
    }

    /// Waits until every send has an outcome, and everything is over that was due at a time.
    /// Returns the number of sends without an outcome.
    pub async fn settle(&self, within: Duration) -> u64 {
        let deadline = Instant::now() + within;
        let clock = Platform::production().clock;
        loop {
            let pending = *self.pending.lock();
            let due = self.due.load(Ordering::Relaxed);
            let is_over = due == 0 || clock.now().0 > due + LATE_MS;
            if (pending == 0 && is_over) || Instant::now() >= deadline {
                return pending;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Devices whose session the servers ended, with the reason. No action of the workload ends a
    /// session.
    pub fn turned_away(&self) -> Vec<String> {
        let told = |device: &Device| match device.client.state() {
            State::Kicked { code, text } => {
                Some(format!("the session of device {} ended: {code}: {text}", device.number))
            }
            _ => None,
        };
        self.devices.iter().filter_map(told).collect()
    }

    /// Waits until every device has received everything up to these heads. Returns the missing
    /// deliveries.
    pub async fn drain(&self, heads: &BTreeMap<Conversation, u64>, within: Duration) -> Vec<String> {
        let deadline = Instant::now() + within;
        loop {
            let behind = self.behind(heads);
            if behind.is_empty() || Instant::now() >= deadline {
                return behind;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn behind(&self, heads: &BTreeMap<Conversation, u64>) -> Vec<String> {
        let positions = self.positions.lock();
        let mut behind = Vec::new();
        for (device, conversations) in &self.member_of {
            for conversation in conversations {
                let conversation = conversation.to_string();
                let head = heads.get(&conversation).copied().unwrap_or(0);
                let at = positions.get(device).and_then(|of| of.get(&conversation)).copied().unwrap_or(0);
                if at < head {
                    behind.push(format!("device {device} is at {at} of {head} in {conversation}"));
                }
            }
        }
        behind
    }

    /// Final positions, with zero for a device without deliveries.
    pub fn final_positions(&self) -> BTreeMap<DeviceNumber, BTreeMap<Conversation, u64>> {
        let positions = self.positions.lock();
        let mut all = BTreeMap::new();
        for (device, conversations) in &self.member_of {
            let of = positions.get(device);
            let row = conversations
                .iter()
                .map(|conversation| conversation.to_string())
                .map(|name| (name.clone(), of.and_then(|of| of.get(&name)).copied().unwrap_or(0)))
                .collect();
            all.insert(*device, row);
        }
        all
    }

    /// The guest joins or leaves one of the groups. Returns the number of acknowledged changes.
    pub async fn churn(&self) -> u64 {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let group = self.groups[(turn / 2) as usize % self.groups.len()];
        let change = match turn % 2 {
            0 => Intent::Add { users: vec![self.guest] },
            _ => Intent::Remove { user: self.guest },
        };
        // The first device owns the groups. A change that fails during faults proves nothing.
        match self.devices[0].client.change_group(group, change).await {
            Ok(_) => 1,
            Err(_) => {
                sleep(Duration::from_millis(100)).await;
                0
            }
        }
    }

    /// Every checked conversation, with its first member device. The first device owns the groups,
    /// and later members do not see earlier events.
    pub fn conversations(&self) -> BTreeMap<ConversationId, DeviceNumber> {
        let mut all = BTreeMap::new();
        for (device, conversations) in self.member_of.iter().filter(|(device, _)| (**device as usize) < USERS) {
            for conversation in conversations {
                all.entry(*conversation).or_insert(*device);
            }
        }
        all
    }

    pub async fn stop(self) {
        self.stop_all.cancel();
        for client in self.devices.into_iter().map(|device| device.client).chain(self.guests) {
            client.close().await;
        }
        for task in self.tasks {
            task.abort();
        }
    }
}
