//! People who chat: devices that send in bursts and write down everything they are told.
//!
//! Six users talk in `everyone`, in two groups and in pairs, from SDK clients spread over the nodes; one user has two devices. Three more
//! devices are *observers* without the SDK: they take the server's pushes at their word, so that a push handed out over a gap shows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use troupe_client::{Client, Events, Incoming, MemoryStore, StartAt};
use troupe_core::{Body, ClientMessageId, ConversationId, EventKind, UserId};
use troupe_runtime::Rng;

use crate::history::{Conversation, DeviceNumber, Record};
use crate::observer;
use crate::recorder::Recorder;

const USERS: usize = 6;
const OBSERVERS: usize = 3;
const PASSWORD: &str = "a workload's password";
/// Longest burst of sends that one device makes without waiting for acks.
const BURST: u64 = 4;
/// One send in so many takes the id of another user's message in the same conversation: ids are the sender's own.
const COLLIDE: u64 = 10;

/// The highest seq each device was handed, per conversation.
pub type Positions = Arc<Mutex<BTreeMap<DeviceNumber, BTreeMap<Conversation, u64>>>>;

pub struct Workload {
    devices: Vec<Device>,
    pub positions: Positions,
    recorder: Arc<Recorder>,
    rng: Arc<Rng>,
    /// Sends without an outcome yet.
    pending: Arc<Mutex<u64>>,
    /// Conversations of each device.
    member_of: BTreeMap<DeviceNumber, Vec<ConversationId>>,
    tasks: Vec<JoinHandle<()>>,
    stop_all: CancellationToken,
}

struct Device {
    number: DeviceNumber,
    user: UserId,
    client: Client,
}

impl Workload {
    /// Registers everybody, makes the groups, and begins to listen. Sends nothing yet.
    pub async fn set_up(nodes: &[String], recorder: Arc<Recorder>, rng: Arc<Rng>) -> Result<Workload> {
        let positions = Positions::default();
        let stop_all = CancellationToken::new();
        let mut tasks = Vec::new();
        let mut devices = Vec::new();
        let connects = (0..=USERS).map(|number| {
            // The last device is the first user's second one.
            let user = number % USERS;
            connect(nodes, number, user, number < USERS)
        });
        for (number, (client, events)) in try_join_all(connects).await?.into_iter().enumerate() {
            let number = number as DeviceNumber;
            let user = client.user().context("a logged-in client knows its user")?;
            tasks.push(tokio::spawn(listen(number, client.clone(), events, recorder.clone(), positions.clone())));
            devices.push(Device { number, user, client });
        }

        let users: Vec<UserId> = devices[..USERS].iter().map(|device| device.user).collect();
        let mut shared = vec![ConversationId::Everyone];
        for name in ["busy", "quiet"] {
            let group = devices[0].client.create_group(name, false, &users).await.context("create a group")?;
            shared.push(group);
        }
        let mut member_of: BTreeMap<DeviceNumber, Vec<ConversationId>> = BTreeMap::new();
        for device in &devices {
            let place = users.iter().position(|user| *user == device.user).unwrap_or_default();
            let peer = users[place ^ 1];
            let direct = ConversationId::direct(device.user, peer).context("two users")?;
            member_of.insert(device.number, shared.iter().copied().chain([direct]).collect());
        }
        for index in 0..OBSERVERS {
            let number = (devices.len() + index) as DeviceNumber;
            let rotated: Vec<String> = (0..nodes.len()).map(|i| nodes[(index + i) % nodes.len()].clone()).collect();
            let name = user_name(index);
            tasks.push(tokio::spawn(observer::run(
                number,
                rotated,
                (name, PASSWORD.to_owned()),
                recorder.clone(),
                positions.clone(),
                stop_all.clone(),
            )));
            member_of.insert(number, member_of[&(index as DeviceNumber)].clone());
        }
        Ok(Workload { devices, positions, recorder, rng, pending: Arc::default(), member_of, tasks, stop_all })
    }

    /// Everybody sends until `until`, together about `rate` messages a second.
    pub async fn run(&self, rate: u64, until: Instant) {
        let used: Arc<Mutex<BTreeMap<ConversationId, (UserId, ClientMessageId)>>> = Arc::default();
        let each = rate.max(1) as f64 / self.devices.len() as f64;
        let senders = self.devices.iter().map(|device| {
            let used = used.clone();
            async move {
                let conversations = &self.member_of[&device.number];
                let mut due = Instant::now();
                while due < until {
                    tokio::time::sleep_until(due).await;
                    let conversation = conversations[self.rng.range(0, conversations.len() as u64) as usize];
                    let burst = 1 + self.rng.range(0, BURST);
                    for _ in 0..burst {
                        self.send(device, conversation, &used);
                    }
                    due += Duration::from_secs_f64(burst as f64 / each);
                }
            }
        });
        futures::future::join_all(senders).await;
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
                // Unknown stays unknown: the checkers allow it either way, the report counts it.
                Err(error) => tracing::warn!(%error, "a send ended without an outcome"),
            }
            *pending.lock() -= 1;
        });
    }

    /// Waits until every send has its outcome. Answers how many have none when the time is over.
    pub async fn settle(&self, within: Duration) -> u64 {
        let deadline = Instant::now() + within;
        loop {
            let pending = *self.pending.lock();
            if pending == 0 || Instant::now() >= deadline {
                return pending;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every device was handed everything up to these heads. Answers who lacks what when the time is over.
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

    /// Final positions, with a zero where a device was handed nothing.
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

    pub async fn stop(self) {
        self.stop_all.cancel();
        for device in self.devices {
            device.client.close().await;
        }
        for task in self.tasks {
            task.abort();
        }
    }
}

fn user_name(user: usize) -> String {
    format!("user-{user}")
}

async fn connect(nodes: &[String], number: usize, user: usize, register: bool) -> Result<(Client, Events)> {
    let rotated = (0..nodes.len()).map(|i| nodes[(number + i) % nodes.len()].clone());
    let builder = Client::builder()
        .nodes(rotated)
        .credentials(user_name(user), PASSWORD)
        .device(format!("device-{number}"))
        .start_at(StartAt::Beginning)
        .patience(Duration::from_secs(30))
        .store(MemoryStore::default());
    if register {
        builder.register().await.context("register")?;
        return builder.connect().await.context("log in");
    }
    // Its user registers at the same time: the login is refused until that is done.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let builder = Client::builder()
            .nodes(nodes.to_vec())
            .credentials(user_name(user), PASSWORD)
            .device(format!("device-{number}"))
            .start_at(StartAt::Beginning)
            .store(MemoryStore::default());
        match builder.connect().await {
            Ok(connected) => return Ok(connected),
            Err(error) if Instant::now() >= deadline => return Err(error).context("log in"),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Writes down what an SDK client hands out, and reads along.
async fn listen(
    device: DeviceNumber,
    client: Client,
    mut events: Events,
    recorder: Arc<Recorder>,
    positions: Positions,
) {
    let mut taken = 0u64;
    while let Some(incoming) = events.next().await {
        match incoming {
            Incoming::Event { conversation, event } => {
                let place = conversation.to_string();
                recorder.record(|at| Record::Deliver {
                    at,
                    device,
                    conversation: place.clone(),
                    seq: event.seq.0,
                    sender: event.sender.0,
                    id: format!("{}/{}", event.sender, event.client_message_id),
                    message: matches!(event.kind, EventKind::Message(_)),
                });
                let mut positions = positions.lock();
                let position = positions.entry(device).or_default().entry(place).or_default();
                *position = (*position).max(event.seq.0);
                taken += 1;
                if taken.is_multiple_of(50) {
                    let client = client.clone();
                    tokio::spawn(async move {
                        // A read mark that fails while nodes die is no evidence of anything.
                        drop(client.mark_read(conversation, event.seq).await);
                    });
                }
            }
            Incoming::Cursor { conversation, user, delivered, read } => recorder.record(|at| Record::Cursor {
                at,
                device,
                conversation: conversation.to_string(),
                user: user.0,
                delivered: delivered.0,
                read: read.0,
            }),
            _ => {}
        }
    }
}
