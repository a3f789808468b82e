//! A phone with the SDK: it talks, is switched off in the middle of it and on again, and writes
//! down everything it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use troupe_client::{Client, Error, Events, Incoming, StartAt, State, Store};
use troupe_core::{Body, ClientMessageId, ConversationId, UserId};
use troupe_proto::wire::client::{Fetch, ListConversations, MarkRead};
use troupe_proto::wire::client::{client_frame::Request, server_frame::Message};
use troupe_runtime::Platform;

use super::pocket::Pocket;
use super::stranger::answer;
use super::{AGAIN, PASSWORD, Phase, Square};
use crate::evidence::Evidence;

/// The cluster may still be forming when they come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages without an answer. Who has so many waits before saying more.
const UNANSWERED: usize = 16;
/// One message in so many takes the id that another device's last one had: ids are the sender's
/// own.
const COLLIDE: u64 = 10;
/// One turn in so many is a look at history, or a mark of how far one has read.
const LOOK: u64 = 8;
/// An application looks away after one event in so many, for so long at most: then some wait when
/// it is switched off.
const BUSY: u64 = 16;
const BUSY_MS: u64 = 80;
/// What each still says after everything is whole again.
const LAST_WORDS: usize = 2;
/// Between the last words, at most.
const LAST_PAUSE_MS: u64 = 100;

#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// In the busy group and those whose members change; the others only know single people.
    pub is_busy: bool,
    /// Goes off and on again all the time.
    pub flaps: bool,
    pub pause_ms: u64,
    /// The user's first device.
    pub registers: bool,
}

pub struct Device {
    square: Arc<Square>,
    number: u32,
    user: usize,
    temper: Temper,
    world: Platform,
    pocket: Pocket,
    /// Whose id may be taken.
    used: Mutex<BTreeSet<ClientMessageId>>,
}

enum End {
    /// The application says goodbye.
    Closed,
    /// It is gone from one moment to the next.
    Gone,
    /// The servers want no more of it.
    Kicked,
}

impl Device {
    pub fn new(square: Arc<Square>, number: u32, user: usize, temper: Temper) -> Device {
        square.owners.lock().insert(number, user);
        let world = square.world(number);
        Device { square, number, user, temper, world, pocket: Pocket::default(), used: Mutex::default() }
    }

    fn builder(&self, turn: usize) -> troupe_client::builder::Builder {
        Client::builder()
            .context(self.world.clone())
            .nodes(self.square.nodes(self.number as usize + turn))
            .credentials(Square::name(self.user), PASSWORD)
            .device(format!("device-{}", self.number))
            .start_at(StartAt::Beginning)
            .patience(PATIENCE)
            .store(self.pocket.clone())
    }

    pub async fn live(self) {
        if self.temper.registers {
            let me = loop {
                match self.builder(0).register().await {
                    Ok(me) => break me,
                    Err(error) => self.square.evidence.say(&format!("user {} cannot register: {error}", self.user)),
                }
                sleep(AGAIN).await;
            };
            self.square.users.send_modify(|users| users.extend([(self.user, me)]));
        }
        let users = self.square.everybody().await;
        for turn in 0.. {
            let (client, mut events) = self.builder(turn).start().expect("a store in memory is readable");
            if self.number == 0 && self.square.group.borrow().is_none() {
                tokio::spawn(begin_group(self.square.clone(), client.clone(), users.clone()));
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
                // What the application has not taken is still to be handed out next time.
                End::Gone | End::Kicked => drop(client),
            }
            drop(events);
            self.forget_what_nobody_heard().await;
            sleep(Duration::from_millis(self.world.rng.range(10, 700))).await;
        }
    }

    /// The outcome of a message may have been on its way to the application when that ended. Nobody
    /// will ever tell it again.
    async fn forget_what_nobody_heard(&self) {
        // Those who waited for an outcome have it by now, if there is one.
        sleep(Duration::from_millis(1)).await;
        let kept = self.pocket.clone().load().expect("a store in memory is readable").outbox;
        let kept: BTreeSet<String> = kept.iter().map(|queued| queued.id.to_string()).collect();
        let waits = |name: &String| kept.iter().any(|id| name.ends_with(id));
        self.square.evidence.forget(self.number, waits);
    }

    /// From being switched on to being switched off.
    async fn talk(&self, client: &Client, events: &mut Events, users: &BTreeMap<usize, UserId>) -> End {
        let me = users[&self.user];
        let within = |pause_ms| Instant::now() + Duration::from_millis(self.world.rng.range(0, pause_ms));
        let off_at = Instant::now() + Duration::from_millis(self.world.rng.range(200, 4_000));
        let mut phase = self.square.phase.subscribe();
        let mut last_words = LAST_WORDS;
        let mut busy_until = Instant::now();
        let mut speak_at = within(self.temper.pause_ms);
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
                        if self.world.rng.range(0, BUSY) == 0 {
                            busy_until = within(BUSY_MS);
                        }
                    }
                    None => return End::Kicked,
                },
                () = sleep_until(busy_until), if is_busy => {}
                () = sleep_until(off_at), if self.temper.flaps && now == Phase::Talking => {
                    return if self.world.rng.range(0, 2) == 0 { End::Closed } else { End::Gone };
                }
                () = sleep_until(speak_at), if speaks => {
                    let turn = self.world.rng.range(0, LOOK);
                    if turn == 0 && now == Phase::Talking {
                        self.look(client, me, users);
                    } else if self.unanswered() < UNANSWERED {
                        self.say(client, me, self.somewhere(me, users));
                        last_words -= usize::from(now == Phase::LastWords);
                    }
                    let pause = if now == Phase::Talking { self.temper.pause_ms } else { LAST_PAUSE_MS };
                    speak_at = within(pause);
                }
                _ = phase.changed() => speak_at = within(LAST_PAUSE_MS),
            }
        }
    }

    fn unanswered(&self) -> usize {
        self.square.evidence.look(|seen| seen.unanswered.get(&self.number).map_or(0, BTreeSet::len))
    }

    fn somewhere(&self, me: UserId, users: &BTreeMap<usize, UserId>) -> ConversationId {
        if let Some(group) = self.entered(me) {
            return group;
        }
        let rng = &self.world.rng;
        let dice = rng.range(0, 10);
        let (group, open) = (*self.square.group.borrow(), self.square.open.borrow().clone());
        if self.temper.is_busy {
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
        let rng = &self.world.rng;
        let mut id = ClientMessageId(rng.bytes());
        if rng.range(0, COLLIDE) == 0
            && let Some(theirs) = self.square.lend_id(self.number, conversation, id)
            && self.used.lock().insert(theirs)
        {
            id = theirs;
        }
        self.used.lock().insert(id);
        let padding = rng.range(0, self.square.plan.people.padding) as usize;
        let sent = client.send_as(conversation, id, Body::text(&format!("{id}{}", "x".repeat(padding))));
        let Ok(sent) = sent else { return };
        let name = format!("{me}/{id}");
        self.square.evidence.invoked(self.number, me, conversation, &name);
        let (number, square) = (self.number, self.square.clone());
        tokio::spawn(async move {
            let outcome = sent.await;
            settled(&square, number, conversation, name, outcome);
        });
    }

    /// Asks where a conversation stands. Whatever was acknowledged before is in the answer.
    fn look(&self, client: &Client, me: UserId, users: &BTreeMap<usize, UserId>) {
        let conversation = self.somewhere(me, users);
        let Some(connection) = client.connection() else { return };
        let evidence = self.square.evidence.clone();
        let lists = self.square.plan.society.lists;
        if lists && self.world.rng.range(0, 3) == 0 {
            tokio::spawn(listed(evidence, self.number, connection, me));
            return;
        }
        let place = conversation.to_string();
        let position = evidence.look(|seen| seen.positions.get(&self.number)?.get(&place).copied());
        if self.square.plan.society.strangers > 0 && self.world.rng.range(0, 3) == 0 {
            tokio::spawn(answer(self.square.clone(), connection, me, self.world.rng.clone()));
            return;
        }
        if let Some(seq) = position.filter(|_| self.world.rng.range(0, 2) == 0) {
            // A mark of somebody who was removed meanwhile is kept by nobody.
            let counts = lists && !self.square.changes(conversation);
            let number = self.number;
            tokio::spawn(async move {
                let mark = MarkRead { conversation: place.clone(), seq };
                // A mark that fails while nodes die is no evidence of anything.
                let answer = connection.request(Request::MarkRead(mark)).await;
                if counts && matches!(answer, Ok(Message::Done(_))) {
                    evidence.marked(number, me, &place, seq);
                }
            });
            return;
        }
        let fetch = Fetch { conversation: place.clone(), seq: 0, backward: true, limit: 20 };
        tokio::spawn(looked(evidence, connection, me, conversation, fetch));
    }

    /// What an application shows first after a login, and what it asks its user.
    fn react(&self, incoming: &Incoming, client: &Client, me: UserId) {
        if let Incoming::ConversationAdded { conversation, .. } = incoming {
            self.square.evidence.added(me, *conversation);
        }
        let is_online = matches!(incoming, Incoming::State(State::Online { .. }));
        let Some(connection) = client.connection() else { return };
        let society = &self.square.plan.society;
        if is_online && society.lists {
            tokio::spawn(listed(self.square.evidence.clone(), self.number, connection.clone(), me));
        }
        if society.strangers > 0 && (is_online || matches!(incoming, Incoming::Invitation { .. })) {
            tokio::spawn(answer(self.square.clone(), connection, me, self.world.rng.clone()));
        }
    }

    /// A group of a stranger that the user has entered.
    fn entered(&self, me: UserId) -> Option<ConversationId> {
        if self.square.plan.society.strangers == 0 || self.world.rng.range(0, 4) > 0 {
            return None;
        }
        self.square.evidence.look(|seen| {
            let strange = self.square.strange.borrow();
            let mine = seen.accepted.iter().filter(|(user, group, _)| *user == me && strange.contains_key(group));
            let groups: Vec<ConversationId> = mine.map(|(_, group, _)| *group).collect();
            let count = groups.len() as u64;
            (count > 0).then(|| groups[self.world.rng.range(0, count) as usize])
        })
    }

    fn heard(&self, incoming: Incoming) {
        let evidence = &self.square.evidence;
        match incoming {
            Incoming::Event { conversation, event } => evidence.handed(self.number, conversation, &event),
            Incoming::Settled { conversation, id, outcome } => {
                // Said before the device was switched off; the name of a message is its sender and
                // its id.
                let id = id.to_string();
                let said = |seen: &crate::evidence::Seen| {
                    seen.unanswered.get(&self.number)?.iter().find(|name| name.ends_with(&id)).cloned()
                };
                if let Some(name) = evidence.look(said) {
                    settled(&self.square, self.number, conversation, name, outcome);
                }
            }
            Incoming::Cursor { conversation, user, delivered, read } => {
                evidence.cursor(self.number, conversation, user, delivered.0, read.0)
            }
            _ => {}
        }
    }
}

async fn begin_group(square: Arc<Square>, client: Client, users: BTreeMap<usize, UserId>) {
    let people = &square.plan.people;
    let mad = people.busy + people.quiet..people.busy + people.quiet + people.mad;
    let members: Vec<UserId> = (0..people.busy).chain(mad).map(|user| users[&user]).collect();
    let request = ClientMessageId([7; 16]);
    loop {
        match client.create_group_as(request, "busy", false, &members).await {
            Ok(group) => return square.group.send_modify(|known| *known = Some(group)),
            Err(Error::Stopped(_)) => return,
            Err(error) => square.evidence.say(&format!("no busy group yet: {error}")),
        }
        sleep(AGAIN).await;
    }
}

pub fn settled(
    square: &Square,
    device: u32,
    conversation: ConversationId,
    id: String,
    outcome: troupe_client::Result<troupe_client::Acked>,
) {
    let evidence = &square.evidence;
    match outcome {
        Ok(acked) => evidence.acked(device, conversation, &id, acked.seq.0),
        Err(error) if error.is_definite() => {
            let code = error.code().unwrap_or("none").to_owned();
            evidence.rejected(device, conversation, &id, &code);
            if !square.changes(conversation) {
                evidence.wrong(format!("{id} was refused in {conversation}, where nobody is ever removed: {error}"));
            }
        }
        // Without an outcome it is still in the outbox: the device was switched off, and says it
        // later.
        Err(_) => {}
    }
}

/// The first page: what a shard that does not answer has is left out.
async fn listed(evidence: Arc<Evidence>, number: u32, connection: Arc<troupe_client::Connection>, me: UserId) {
    let asked = evidence.now();
    let list = ListConversations { after: String::new(), limit: 0 };
    if let Ok(Message::Conversations(page)) = connection.request(Request::ListConversations(list)).await {
        evidence.listed(number, me, asked, &page.conversations);
    }
}

async fn looked(
    evidence: Arc<Evidence>,
    connection: Arc<troupe_client::Connection>,
    me: UserId,
    conversation: ConversationId,
    fetch: Fetch,
) {
    let floor = evidence.look(|seen| seen.acked.get(&fetch.conversation).copied().unwrap_or(0));
    if let Ok(Message::Page(page)) = connection.request(Request::Fetch(fetch)).await {
        evidence.looked_at(me, conversation, page.events.iter().map(|event| event.seq));
        if page.head < floor {
            let head = page.head;
            evidence.wrong(format!("a stale read: {conversation} is said to end at {head}, {floor} was acknowledged"));
        }
    }
}
