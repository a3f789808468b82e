//! A device with the SDK: it sends, is switched off and on, and records everything it receives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use troupe_client::{Client, Events, Incoming, StartAt, State, Store};
use troupe_core::{Body, ClientMessageId, ConversationId, UserId};
use troupe_proto::wire::client::{Fetch, ListConversations, MarkRead};
use troupe_proto::wire::client::{client_frame::Request, server_frame::Message};
use troupe_runtime::Platform;

use super::changes::change;
use super::device_store::DeviceStore;
use super::reactions::react;
use super::stranger::answer;
use super::{AGAIN, PASSWORD, Phase, WorkloadContext, begin_group};
use crate::evidence::Evidence;

/// The cluster may still be forming.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages without an answer. At the limit the device waits before it sends more.
const UNANSWERED: usize = 16;
/// One message in this many reuses the id of another device's last message, because ids belong to
/// their sender.
const COLLIDE: u64 = 10;
/// One turn in this many reads history or marks messages as read.
const LOOK: u64 = 8;
/// The application pauses after one event in this many, for up to this time. Events then wait when
/// the device is switched off.
const BUSY: u64 = 16;
const BUSY_MS: u64 = 80;
/// Final messages of each device after healing.
const LAST_WORDS: usize = 2;
/// Maximum pause between the final messages.
const LAST_PAUSE_MS: u64 = 100;

#[derive(Clone, Copy, Debug)]
pub struct DeviceProfile {
    /// Member of the busy group and of the groups with changing members. Other devices have direct
    /// conversations only.
    pub is_busy: bool,
    /// Reconnects all the time.
    pub flaps: bool,
    pub pause_ms: u64,
    /// The user's first device.
    pub registers: bool,
}

pub struct Device {
    workload: Arc<WorkloadContext>,
    number: u32,
    user: usize,
    profile: DeviceProfile,
    platform: Platform,
    device_store: DeviceStore,
    /// Ids that were used, own or borrowed.
    used: Mutex<BTreeSet<ClientMessageId>>,
}

enum End {
    /// The application closes the client.
    Closed,
    /// The process disappears.
    Gone,
    /// The servers ended the session.
    Kicked,
}

impl Device {
    pub fn new(workload: Arc<WorkloadContext>, number: u32, user: usize, profile: DeviceProfile) -> Device {
        workload.owners.lock().insert(number, user);
        let platform = workload.platform(number);
        Device {
            workload,
            number,
            user,
            profile,
            platform,
            device_store: DeviceStore::default(),
            used: Mutex::default(),
        }
    }

    fn builder(&self, turn: usize) -> troupe_client::builder::Builder {
        Client::builder()
            .context(self.platform.clone())
            .nodes(self.workload.nodes(self.number as usize + turn))
            .credentials(WorkloadContext::name(self.user), PASSWORD)
            .device(format!("device-{}", self.number))
            .start_at(StartAt::Beginning)
            .patience(PATIENCE)
            .store(self.device_store.clone())
    }

    pub async fn live(self) {
        if self.profile.registers {
            let me = loop {
                match self.builder(0).register().await {
                    Ok(me) => break me,
                    Err(error) => self.workload.evidence.note(&format!("user {} cannot register: {error}", self.user)),
                }
                sleep(AGAIN).await;
            };
            self.workload.users.send_modify(|users| users.extend([(self.user, me)]));
        }
        let users = self.workload.everybody().await;
        for turn in 0.. {
            let (client, mut events) = self.builder(turn).start().expect("a store in memory is readable");
            if self.number == 0 && self.workload.group.borrow().is_none() {
                tokio::spawn(begin_group(self.workload.clone(), client.clone(), users.clone()));
            }
            match self.talk(&client, &mut events, &users).await {
                End::Closed => {
                    let listening = async {
                        while let Some(incoming) = events.next().await {
                            self.heard(incoming);
                        }
                    };
                    tokio::join!(client.close(), listening);
                }
                // Events that the application has not taken are delivered next time.
                End::Gone | End::Kicked => drop(client),
            }
            drop(events);
            self.forget_what_nobody_heard().await;
            sleep(Duration::from_millis(self.platform.rng.range(10, 700))).await;
        }
    }

    /// The outcome of a message may have been lost with the application. It will not be reported
    /// again.
    async fn forget_what_nobody_heard(&self) {
        // Waiters have received their outcome by now, if there is one.
        sleep(Duration::from_millis(1)).await;
        let kept = self.device_store.clone().load().expect("a store in memory is readable").outbox;
        let kept: BTreeSet<String> = kept.iter().map(|queued| queued.id.to_string()).collect();
        let waits = |name: &String| kept.iter().any(|id| name.ends_with(id));
        self.workload.evidence.forget(self.number, waits);
    }

    /// One run of the client, from start to end.
    async fn talk(&self, client: &Client, events: &mut Events, users: &BTreeMap<usize, UserId>) -> End {
        let me = users[&self.user];
        let within = |pause_ms| Instant::now() + Duration::from_millis(self.platform.rng.range(0, pause_ms));
        let off_at = Instant::now() + Duration::from_millis(self.platform.rng.range(200, 4_000));
        let mut phase = self.workload.phase.subscribe();
        let mut last_words = LAST_WORDS;
        let mut busy_until = Instant::now();
        let mut speak_at = within(self.profile.pause_ms);
        loop {
            let now = *phase.borrow();
            let speaks = match now {
                Phase::Talking => true,
                Phase::LastWords => last_words > 0,
                Phase::Silent => false,
            };
            let is_busy = Instant::now() < busy_until;
            tokio::select! {
                biased;
                incoming = events.next(), if !is_busy => match incoming {
                    Some(incoming) => {
                        self.react(&incoming, client, me);
                        self.heard(incoming);
                        if self.platform.rng.range(0, BUSY) == 0 {
                            busy_until = within(BUSY_MS);
                        }
                    }
                    None => return End::Kicked,
                },
                () = sleep_until(busy_until), if is_busy => {}
                () = sleep_until(off_at), if self.profile.flaps && now == Phase::Talking => {
                    return if self.platform.rng.range(0, 2) == 0 { End::Closed } else { End::Gone };
                }
                () = sleep_until(speak_at), if speaks => {
                    let turn = self.platform.rng.range(0, LOOK);
                    if turn == 0 && now == Phase::Talking {
                        self.look(client, me, users);
                    } else if turn == 1 && now == Phase::Talking && self.workload.plan.society.reactions {
                        self.act(client, me, self.somewhere(me, users), false);
                    } else if turn == 2 && now == Phase::Talking && self.workload.plan.society.changes {
                        self.act(client, me, self.somewhere(me, users), true);
                    } else if self.unanswered() < UNANSWERED {
                        self.say(client, me, self.somewhere(me, users));
                        last_words -= usize::from(now == Phase::LastWords);
                    }
                    let pause = if now == Phase::Talking { self.profile.pause_ms } else { LAST_PAUSE_MS };
                    speak_at = within(pause);
                }
                _ = phase.changed() => speak_at = within(LAST_PAUSE_MS),
            }
        }
    }

    fn unanswered(&self) -> usize {
        self.workload.evidence.look(|seen| seen.unanswered.get(&self.number).map_or(0, BTreeSet::len))
    }

    fn somewhere(&self, me: UserId, users: &BTreeMap<usize, UserId>) -> ConversationId {
        if let Some(group) = self.entered(me) {
            return group;
        }
        let rng = &self.platform.rng;
        let dice = rng.range(0, 10);
        let (group, open) = (*self.workload.group.borrow(), self.workload.churn_groups.borrow().clone());
        if self.profile.is_busy {
            match group {
                Some(group) if dice < 5 => return group,
                _ if dice < 7 && !open.is_empty() => return open[rng.range(0, open.len() as u64) as usize],
                _ => {}
            }
        }
        let other = rng.range(0, users.len() as u64) as usize;
        match ConversationId::direct(me, users[&other]) {
            Some(direct) if dice < 9 => direct,
            _ => ConversationId::Everyone,
        }
    }

    fn say(&self, client: &Client, me: UserId, conversation: ConversationId) {
        let rng = &self.platform.rng;
        let mut id = ClientMessageId(rng.bytes());
        if rng.range(0, COLLIDE) == 0
            && let Some(theirs) = self.workload.lend_id(self.number, conversation, id)
            && self.used.lock().insert(theirs)
        {
            id = theirs;
        }
        self.used.lock().insert(id);
        let padding = rng.range(0, self.workload.plan.people.padding) as usize;
        let sent = client.send_as(conversation, id, Body::text(&format!("{id}{}", "x".repeat(padding))));
        let Ok(sent) = sent else { return };
        let name = format!("{me}/{id}");
        self.workload.evidence.invoked(self.number, me, conversation, &name);
        let (number, workload) = (self.number, self.workload.clone());
        tokio::spawn(async move {
            let outcome = sent.await;
            settled(&workload, number, conversation, name, outcome);
        });
    }

    /// Reads the head of a conversation. It covers everything that was acknowledged before.
    fn look(&self, client: &Client, me: UserId, users: &BTreeMap<usize, UserId>) {
        let conversation = self.somewhere(me, users);
        let Some(connection) = client.connection() else { return };
        let evidence = self.workload.evidence.clone();
        let lists = self.workload.plan.society.lists;
        if lists && self.platform.rng.range(0, 3) == 0 {
            tokio::spawn(listed(evidence, self.number, connection, me));
            return;
        }
        let place = conversation.to_string();
        let position = evidence.look(|seen| seen.positions.get(&self.number)?.get(&place).copied());
        if self.workload.plan.society.strangers > 0 && self.platform.rng.range(0, 3) == 0 {
            tokio::spawn(answer(self.workload.clone(), connection, me, self.platform.rng.clone()));
            return;
        }
        if let Some(seq) = position.filter(|_| self.platform.rng.range(0, 2) == 0) {
            // The mark of a removed member is not stored.
            let counts = lists && !self.workload.changes(conversation);
            let number = self.number;
            tokio::spawn(async move {
                let mark = MarkRead { conversation: place.clone(), seq };
                // A mark that fails during faults proves nothing.
                let answer = connection.request(Request::MarkRead(mark)).await;
                if counts && matches!(answer, Ok(Message::Done(_))) {
                    evidence.marked(number, me, &place, seq);
                }
            });
            return;
        }
        let fetch = Fetch { conversation: place.clone(), seq: 0, backward: true, limit: 20 };
        tokio::spawn(looked(evidence, self.number, connection, me, conversation, fetch));
    }

    /// A reaction, or a change of a message.
    fn act(&self, client: &Client, me: UserId, conversation: ConversationId, changes: bool) {
        let Some(connection) = client.connection() else { return };
        let (workload, rng) = (self.workload.clone(), self.platform.rng.clone());
        match changes {
            true => tokio::spawn(change(workload, connection, self.number, me, conversation, rng)),
            false => tokio::spawn(react(workload, connection, self.number, me, conversation, rng)),
        };
    }

    /// The requests of an application after a login, and the answers to invitations.
    fn react(&self, incoming: &Incoming, client: &Client, me: UserId) {
        if let Incoming::ConversationAdded { conversation, .. } = incoming {
            self.workload.evidence.added(me, *conversation);
        }
        let is_online = matches!(incoming, Incoming::State(State::Online { .. }));
        let Some(connection) = client.connection() else { return };
        let society = &self.workload.plan.society;
        if is_online && society.lists {
            tokio::spawn(listed(self.workload.evidence.clone(), self.number, connection.clone(), me));
        }
        if society.strangers > 0 && (is_online || matches!(incoming, Incoming::Invitation { .. })) {
            tokio::spawn(answer(self.workload.clone(), connection, me, self.platform.rng.clone()));
        }
    }

    /// A stranger's group that the user has joined.
    fn entered(&self, me: UserId) -> Option<ConversationId> {
        if self.workload.plan.society.strangers == 0 || self.platform.rng.range(0, 4) > 0 {
            return None;
        }
        self.workload.evidence.look(|seen| {
            let stranger_groups = self.workload.stranger_groups.borrow();
            let mine =
                seen.accepted.iter().filter(|(user, group, _)| *user == me && stranger_groups.contains_key(group));
            let groups: Vec<ConversationId> = mine.map(|(_, group, _)| *group).collect();
            let count = groups.len() as u64;
            (count > 0).then(|| groups[self.platform.rng.range(0, count) as usize])
        })
    }

    fn heard(&self, incoming: Incoming) {
        let evidence = &self.workload.evidence;
        match incoming {
            Incoming::Event { conversation, event } => evidence.handed(self.number, conversation, &event),
            Incoming::Settled { conversation, id, outcome } => {
                // Sent before the device was switched off. A message is named by its sender and its
                // id.
                let id = id.to_string();
                let said = |seen: &crate::evidence::Seen| {
                    seen.unanswered.get(&self.number)?.iter().find(|name| name.ends_with(&id)).cloned()
                };
                if let Some(name) = evidence.look(said) {
                    settled(&self.workload, self.number, conversation, name, outcome);
                }
            }
            Incoming::Cursor { conversation, user, delivered, read } => {
                evidence.cursor(self.number, conversation, user, delivered.0, read.0)
            }
            _ => {}
        }
    }
}

pub fn settled(
    workload: &WorkloadContext,
    device: u32,
    conversation: ConversationId,
    id: String,
    outcome: troupe_client::Result<troupe_client::Acked>,
) {
    let evidence = &workload.evidence;
    match outcome {
        Ok(acked) => evidence.acked(device, conversation, &id, acked.seq.0),
        Err(error) if error.is_definite() => {
            let code = error.code().unwrap_or("none").to_owned();
            evidence.rejected(device, conversation, &id, &code);
            if !workload.changes(conversation) {
                evidence.wrong(format!("{id} was refused in {conversation}, whose members do not change: {error}"));
            }
        }
        // Without an outcome the message is still in the outbox, and is sent later.
        Err(_) => {}
    }
}

/// The first page, without the conversations of unavailable shards.
async fn listed(evidence: Arc<Evidence>, number: u32, connection: Arc<troupe_client::Connection>, me: UserId) {
    let asked = evidence.now();
    let list = ListConversations { after: String::new(), limit: 0 };
    if let Ok(Message::Conversations(page)) = connection.request(Request::ListConversations(list)).await {
        evidence.listed(number, me, asked, &page.conversations);
    }
}

async fn looked(
    evidence: Arc<Evidence>,
    number: u32,
    connection: Arc<troupe_client::Connection>,
    me: UserId,
    conversation: ConversationId,
    fetch: Fetch,
) {
    let floor = evidence.look(|seen| seen.acked.get(&fetch.conversation).copied().unwrap_or(0));
    if let Ok(Message::Page(page)) = connection.request(Request::Fetch(fetch)).await {
        evidence.looked_at(me, conversation, page.events.iter().map(|event| event.seq));
        evidence.counted(number, me, &page);
        if page.head < floor {
            let head = page.head;
            evidence
                .wrong(format!("a stale read: {conversation} read with head {head} after {floor} was acknowledged"));
        }
    }
}
