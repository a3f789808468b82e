//! People of the scenario `mixed`: users of what a conversation holds beside plain messages.
//!
//! *Speakers* reply, edit, recall, ask and vote in polls, schedule messages, and send some that
//! vanish. A *keeper* has two devices that change its own state of a group, often from an old
//! version. *Acquaintances* ask each other for contacts, block each other, and write all the while.
//! They record what they learn, and the checkers of the simulation judge it.

mod acquaintance;
mod keeper;
mod speaker;
mod steps;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use troupe_client::{Client, Error, SendHandle};
use troupe_core::command::Intent;
use troupe_core::{Body, ClientMessageId, ConversationId, Event, UserId};
use troupe_proto::wire::client::{self as wire, client_frame::Request, server_frame::Message};
use troupe_runtime::{Platform, Rng};

use self::keeper::Seen;
use super::Workload;
use super::participants::{Namespace, PASSWORD, PATIENCE as LOGIN, connect_at};
use super::reactors::Wrong;
use crate::checkers::{Kind, Promise, Violation};
use crate::history::{Count, DeviceNumber, PollVotes, Record, State, content};
use crate::recorder::Recorder;

/// The first device of these.
const FIRST: DeviceNumber = 100;
const SPEAKERS: usize = 2;
const ACQUAINTANCES: usize = 2;
/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(6);
/// Maximum pause between two acts.
const PAUSE_MS: u64 = 400;
/// Attempts of one act under one id.
const ATTEMPTS: u64 = 3;
/// Events of a page.
const RECENT: u32 = 40;

/// The parts of a workload that its people share.
#[derive(Clone)]
struct Common {
    recorder: Arc<Recorder>,
    rng: Arc<Rng>,
    wrong: Wrong,
    /// Sends without an outcome.
    pending: Arc<Mutex<u64>>,
    /// The last time at which something is due, in milliseconds since 1970.
    due: Arc<AtomicU64>,
    platform: Platform,
}

pub(super) struct Person {
    common: Common,
    device: DeviceNumber,
    user: UserId,
    client: Client,
    role: Role,
}

enum Role {
    Speaker(Vec<ConversationId>),
    Keeper(ConversationId),
    /// With the others.
    Acquaintance(Vec<UserId>),
}

impl Workload {
    /// Registers the people, and lets them into the groups.
    pub async fn add_people(&mut self, nodes: &[String]) -> Result<()> {
        let common = Common {
            recorder: self.recorder.clone(),
            rng: self.rng.clone(),
            wrong: self.wrong.clone(),
            pending: self.pending.clone(),
            due: self.due.clone(),
            platform: Platform::production(),
        };
        let register = async |name: &str| -> Result<UserId> {
            let builder = Client::builder().nodes(nodes.to_vec()).credentials(name, PASSWORD).patience(LOGIN);
            builder.register().await.with_context(|| format!("register {name}"))
        };
        let name = |role: &str, index: usize| Namespace::default().name(&format!("{role}-{index}"));
        let mut people: Vec<(String, &str, UserId, Role)> = Vec::new();
        let mut members = Vec::new();
        for index in 0..SPEAKERS {
            let name = name("speaker", index);
            let user = register(&name).await?;
            members.push(user);
            people.push((name, "speaker", user, Role::Speaker(self.groups.clone())));
        }
        let keeper = name("keeper", 0);
        let user = register(&keeper).await?;
        members.push(user);
        let place = *self.groups.last().context("a workload has groups")?;
        for device in ["phone", "tablet"] {
            people.push((keeper.clone(), device, user, Role::Keeper(place)));
        }
        let mut all = Vec::new();
        for index in 0..ACQUAINTANCES {
            let name = name("acquaintance", index);
            let user = register(&name).await?;
            all.push((name, user));
        }
        for (name, user) in &all {
            let others = all.iter().map(|(_, other)| *other).filter(|other| other != user).collect();
            people.push((name.clone(), "acquaintance", *user, Role::Acquaintance(others)));
        }
        for group in &self.groups {
            let add = Intent::Add { users: members.clone() };
            self.devices[0].client.change_group(*group, add).await.context("let the people in")?;
        }
        for (device, (name, of, user, role)) in (FIRST..).zip(people) {
            let (client, mut events) = connect_at(nodes, &name, of).await?;
            self.tasks.push(tokio::spawn(async move { while events.next().await.is_some() {} }));
            self.people.lock().push(Person { common: common.clone(), device, user, client, role });
        }
        self.guests = self.people.lock().iter().map(|person| person.client.clone()).collect();
        Ok(())
    }
}

impl Person {
    pub async fn run(self, end: CancellationToken) {
        let mut seen = Seen::default();
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                () = sleep(Duration::from_millis(self.draw(PAUSE_MS))) => {}
            }
            match &self.role {
                Role::Speaker(conversations) => {
                    let conversation = conversations[self.draw(conversations.len() as u64) as usize];
                    self.speak(conversation).await;
                }
                Role::Keeper(place) => self.keep(*place, &mut seen).await,
                Role::Acquaintance(others) => {
                    if let Some(other) = others.get(self.draw(others.len() as u64) as usize) {
                        self.meet(*other).await;
                    }
                }
            }
        }
    }

    fn draw(&self, below: u64) -> u64 {
        self.common.rng.range(0, below.max(1))
    }

    fn id(&self) -> ClientMessageId {
        ClientMessageId(self.common.rng.bytes())
    }

    /// As histories name a message.
    fn named(&self, id: ClientMessageId) -> String {
        format!("{}/{id}", self.user)
    }

    fn record(&self, make: impl FnOnce(u64) -> Record) {
        self.common.recorder.record(make);
    }

    fn wrong(&self, promise: Promise, kind: Kind, text: String) {
        self.common.wrong.lock().push(Violation { promise, kind, text });
    }

    /// By the wall clock.
    fn now_ms(&self) -> u64 {
        self.common.platform.clock.now().0
    }

    /// The run ends behind this time.
    fn is_due(&self, at_ms: u64) {
        self.common.due.fetch_max(at_ms, Ordering::Relaxed);
    }

    async fn call(&self, request: Request) -> Option<Result<Message, Error>> {
        timeout(PATIENCE, self.client.call(request)).await.ok()
    }

    /// Hands a message over. Its outcome is recorded when it comes. `expires_ms`: it vanishes so
    /// long after it is placed.
    fn send(&self, conversation: ConversationId, id: ClientMessageId, body: Body, expires_ms: Option<u64>) {
        let (device, user, name, place) = (self.device, self.user.0, self.named(id), conversation.to_string());
        if let Some(after_ms) = expires_ms {
            let (conversation, id) = (place.clone(), name.clone());
            self.record(|at| Record::Expires { at, device, conversation, id, after_ms });
        }
        let (conversation_text, named) = (place.clone(), name.clone());
        self.record(|at| Record::Invoke { at, device, user, conversation: conversation_text, id: named });
        *self.common.pending.lock() += 1;
        let sent = self.client.send_as(conversation, id, body);
        let common = self.common.clone();
        tokio::spawn(async move {
            common.answered(sent, device, place, name, expires_ms).await;
            *common.pending.lock() -= 1;
        });
    }

    /// Records the latest events with their states, counts and polls.
    async fn look(&self, conversation: ConversationId) -> Option<wire::Page> {
        let asked = self.common.recorder.now();
        let fetch = wire::Fetch { conversation: conversation.to_string(), seq: 0, backward: true, limit: RECENT };
        let Ok(Message::Page(page)) = self.call(Request::Fetch(fetch)).await? else { return None };
        let (first, last) = (page.events.first()?.seq, page.events.last()?.seq);
        let (device, user, head) = (self.device, self.user.0, page.head);
        let events = page.events.iter().filter_map(|event| Event::try_from(event.clone()).ok());
        let contents = events.filter_map(|event| content(&event)).collect();
        let states = page.states.iter().map(State::from).collect();
        let conversation = page.conversation.clone();
        self.record(|at| Record::Shown { at, asked, device, conversation, head, first, last, contents, states });
        let (conversation, polls) = (page.conversation.clone(), page.polls.iter().map(PollVotes::from).collect());
        self.record(|at| Record::Polled { at, device, conversation, user, head, first, last, polls });
        let (conversation, counts) = (page.conversation.clone(), page.reactions.iter().flat_map(Count::of).collect());
        self.record(|at| Record::Counted { at, device, conversation, user, head, first, last, counts });
        Some(page)
    }
}

impl Common {
    async fn answered(
        &self,
        sent: Result<SendHandle, Error>,
        device: DeviceNumber,
        conversation: String,
        id: String,
        expires_ms: Option<u64>,
    ) {
        let outcome = match sent {
            Ok(handle) => handle.await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(acked) => {
                if let Some(after) = expires_ms {
                    self.due.fetch_max(self.platform.clock.now().0 + after, Ordering::Relaxed);
                }
                let seq = acked.seq.0;
                self.recorder.record(|at| Record::Ack { at, device, conversation, id, seq });
            }
            Err(error) if error.is_definite() => {
                let code = error.code().unwrap_or("outbox_full").to_owned();
                self.recorder.record(|at| Record::Reject { at, device, conversation, id, code });
            }
            // The outcome stays unknown: the checkers allow both, and the report counts it.
            Err(error) => tracing::warn!(%error, "a send ended without an outcome"),
        }
    }
}
