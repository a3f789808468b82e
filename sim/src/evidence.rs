//! Observations of all participants: the records for the checkers, and the trace.
//!
//! Machines have their own clocks. This clock is the simulation's and stands still within a step.

mod apart;
pub mod bots;
mod changes;
mod files;
mod hooks;
mod oversight;
mod personal;
mod pushes;
mod scheduled;
mod searches;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use troupe_chaos::history::{ContactAct, Conversation, Count, DeviceNumber, MessageId, Outcome, Reaction, Record};
use troupe_core::{ClientMessageId, ConversationId, Event, EventKind, UserId};
use troupe_proto::wire::client as wire;
use xxhash_rust::xxh3::Xxh3;

#[derive(Default)]
pub struct Evidence {
    micros: AtomicU64,
    seen: Mutex<Seen>,
    trace: Mutex<Trace>,
}

/// All observations.
#[derive(Default)]
pub struct Seen {
    pub records: Vec<Record>,
    /// By device: messages without an outcome.
    pub unanswered: BTreeMap<DeviceNumber, BTreeSet<MessageId>>,
    /// The highest acknowledged seq in each conversation.
    pub acked: BTreeMap<Conversation, u64>,
    /// By device: the position in each conversation.
    pub positions: BTreeMap<DeviceNumber, BTreeMap<Conversation, u64>>,
    /// Messages of imports.
    pub imports: BTreeSet<MessageId>,
    /// Conversations with at least one message.
    pub conversations: BTreeSet<ConversationId>,
    /// Events of groups that a user has fetched.
    pub looked: BTreeSet<(UserId, ConversationId, u64)>,
    /// When each user first accepted an invitation of each stranger, in microseconds.
    pub accepting: BTreeMap<(UserId, UserId), u64>,
    /// Invitations whose acceptance was acknowledged, with their events.
    pub accepted: BTreeSet<(UserId, ConversationId, u64)>,
    /// When a device learned that a conversation had been added to the list.
    pub added: Vec<(u64, UserId, Conversation)>,
    /// Name and one-time password of the first administrator.
    pub born: Option<(String, String)>,
    /// Requests of the administrator, and whether each was acknowledged.
    pub acts: BTreeMap<(ClientMessageId, String), bool>,
    /// The greatest time of an event that a device received.
    pub newest_ms: u64,
    /// Conversations with scheduled messages.
    pub scheduled: BTreeSet<ConversationId>,
    /// Conversations with messages that vanish.
    pub vanishing: BTreeSet<ConversationId>,
    /// Conversations with uploads.
    pub files: BTreeSet<ConversationId>,
    /// Hooks that were made.
    pub hooks: BTreeSet<troupe_core::record::HookKey>,
    /// Users that were let in by each invite link for one user.
    pub joined: BTreeMap<String, BTreeSet<UserId>>,
    /// Ids of the invitation codes that a guest was refused with.
    pub refused_guests: BTreeSet<String>,
    /// Violations found immediately.
    pub wrong: Vec<String>,
    pub sends: u64,
    pub acks: u64,
    pub deliveries: u64,
}

#[derive(Default)]
struct Trace {
    hash: Xxh3,
    lines: u64,
    /// Whether the trace is printed.
    printed: bool,
}

impl Evidence {
    pub fn new(printed: bool) -> Evidence {
        Evidence { trace: Mutex::new(Trace { printed, ..Trace::default() }), ..Evidence::default() }
    }

    pub fn at(&self, now: Duration) {
        self.micros.store(now.as_micros() as u64, Ordering::Relaxed);
    }

    pub fn now(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    pub fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&self.seen.lock())
    }

    /// A line of the trace that is not a record.
    pub fn note(&self, text: &str) {
        let line = format!("{:>10.3} {text}", self.now().as_secs_f64());
        self.line(&line);
    }

    /// A log line of a node. It is printed, and not part of the digest.
    pub fn logged(&self, text: &str) {
        if self.trace.lock().printed {
            print(text);
        }
    }

    pub fn fault(&self, text: &str) {
        self.record(|at| Record::Fault { at, text: text.to_owned() });
    }

    pub fn wrong(&self, text: String) {
        self.note(&format!("WRONG {text}"));
        self.seen.lock().wrong.push(text);
    }

    pub fn looked_at(&self, user: UserId, conversation: ConversationId, seqs: impl IntoIterator<Item = u64>) {
        let looks = seqs.into_iter().map(|seq| (user, conversation, seq));
        self.seen.lock().looked.extend(looks);
    }

    pub fn invoked(&self, device: DeviceNumber, user: UserId, conversation: ConversationId, id: &MessageId) {
        let (place, name) = (conversation.to_string(), id.clone());
        self.record(|at| Record::Invoke { at, device, user: user.0, conversation: place, id: name });
        let mut seen = self.seen.lock();
        seen.sends += 1;
        seen.conversations.insert(conversation);
        seen.unanswered.entry(device).or_default().insert(id.clone());
    }

    /// An event that an operator imports, before its first attempt. Its outcome may stay unknown,
    /// because an attempt may end with its node.
    pub fn importing(&self, device: DeviceNumber, user: UserId, conversation: ConversationId, id: &MessageId) {
        if self.seen.lock().imports.insert(id.clone()) {
            self.invoked(device, user, conversation, id);
            self.forget(device, |_| false);
        }
    }

    pub fn acked(&self, device: DeviceNumber, conversation: ConversationId, id: &MessageId, seq: u64) {
        let (place, name) = (conversation.to_string(), id.clone());
        self.record(|at| Record::Ack { at, device, conversation: place.clone(), id: name, seq });
        let mut seen = self.seen.lock();
        // A repeated send is acknowledged again.
        seen.acks += u64::from(seen.unanswered.entry(device).or_default().remove(id));
        let head = seen.acked.entry(place).or_default();
        *head = seq.max(*head);
    }

    pub fn rejected(&self, device: DeviceNumber, conversation: ConversationId, id: &MessageId, code: &str) {
        let (place, name, code) = (conversation.to_string(), id.clone(), code.to_owned());
        self.record(|at| Record::Reject { at, device, conversation: place, id: name, code });
        self.seen.lock().unanswered.entry(device).or_default().remove(id);
    }

    /// Drops messages whose outcome will never arrive: all but those that still wait.
    pub fn forget(&self, device: DeviceNumber, waits: impl Fn(&MessageId) -> bool) {
        self.seen.lock().unanswered.entry(device).or_default().retain(waits);
    }

    pub fn handed(&self, device: DeviceNumber, conversation: ConversationId, event: &Event) {
        let place = conversation.to_string();
        self.record(|at| Record::Deliver {
            at,
            device,
            conversation: place.clone(),
            seq: event.seq.0,
            sender: event.sender.0,
            id: format!("{}/{}", event.sender, event.client_message_id),
            message: event.kind.number() == EventKind::MESSAGE,
        });
        let mut seen = self.seen.lock();
        seen.deliveries += 1;
        seen.newest_ms = seen.newest_ms.max(event.time.0);
        seen.conversations.insert(conversation);
        seen.positions.entry(device).or_default().insert(place, event.seq.0);
    }

    pub fn cursor(&self, device: DeviceNumber, conversation: ConversationId, user: UserId, delivered: u64, read: u64) {
        let place = conversation.to_string();
        self.record(|at| Record::Cursor { at, device, conversation: place, user: user.0, delivered, read });
        self.seen.lock().conversations.insert(conversation);
    }

    /// Lines of a conversation list, requested at `asked`. The oracle adds from where on the user
    /// sees a group.
    pub fn listed(&self, device: DeviceNumber, user: UserId, asked: Duration, lines: &[wire::Conversation]) {
        for line in lines {
            let Ok(conversation) = line.conversation.parse() else {
                return self.wrong(format!("device {device} received {line:?}"));
            };
            self.record(|at| Record::Listed {
                at,
                asked: asked.as_micros() as u64,
                device,
                conversation: line.conversation.clone(),
                user: user.0,
                head: line.head,
                read: line.read,
                unread: line.unread,
                first: 1,
            });
            self.seen.lock().conversations.insert(conversation);
        }
    }

    /// An acknowledged reaction.
    pub fn reacted(
        &self,
        device: DeviceNumber,
        conversation: ConversationId,
        id: &MessageId,
        seq: u64,
        reaction: Reaction,
    ) {
        let (place, id) = (conversation.to_string(), id.clone());
        self.record(|at| Record::Reacted { at, device, conversation: place, id, seq, reaction });
    }

    /// An act of a user on its relation to another one, asked at that time, or its outcome.
    pub fn contact(
        &self,
        device: DeviceNumber,
        asked: u64,
        (user, other): (UserId, UserId),
        act: ContactAct,
        outcome: Outcome,
    ) {
        let (user, other) = (user.0, other.0);
        self.record(|at| Record::Contact { at, asked, device, user, other, act, outcome });
    }

    /// The answer to a request under an idempotency key. `seq`: none, if the key belongs to another
    /// body.
    pub fn keyed(
        &self,
        device: DeviceNumber,
        conversation: ConversationId,
        id: &MessageId,
        body: &str,
        seq: Option<u64>,
        duplicate: bool,
    ) {
        let (conversation, id, body) = (conversation.to_string(), id.clone(), body.to_owned());
        self.record(|at| Record::Keyed { at, device, conversation, id, body, seq, duplicate });
    }

    /// A step of a call has a place.
    pub fn called(
        &self,
        device: DeviceNumber,
        conversation: ConversationId,
        id: &MessageId,
        seq: u64,
        accepts: Option<u64>,
    ) {
        let (place, id) = (conversation.to_string(), id.clone());
        self.record(|at| Record::Called { at, device, conversation: place, id, seq, accepts });
        self.seen.lock().conversations.insert(conversation);
    }

    /// Another device has taken the call.
    pub fn taken(&self, device: DeviceNumber, conversation: ConversationId, call: u64) {
        let conversation = conversation.to_string();
        self.record(|at| Record::Taken { at, device, conversation, call });
    }

    pub fn signalled(
        &self,
        device: DeviceNumber,
        (user, from): (UserId, UserId),
        conversation: ConversationId,
        id: &MessageId,
        seq: u64,
    ) {
        let (conversation, id, user, from) = (conversation.to_string(), id.clone(), user.0, from.0);
        self.record(|at| Record::Signalled { at, device, user, conversation, from, id, seq });
    }

    /// The reactions of a page of history.
    pub fn counted(&self, device: DeviceNumber, user: UserId, page: &wire::Page) {
        let (Some(first), Some(last)) = (page.events.first(), page.events.last()) else { return };
        let count =
            |seq: u64, of: &wire::Reaction| Count { seq, emoji: of.emoji.clone(), users: of.users, mine: of.mine };
        let counts = page.reactions.iter().flat_map(|of| of.counts.iter().map(|reaction| count(of.seq, reaction)));
        let (first, last, counts) = (first.seq, last.seq, counts.collect());
        let (conversation, head) = (page.conversation.clone(), page.head);
        self.record(|at| Record::Counted { at, device, conversation, user: user.0, head, first, last, counts });
    }

    pub fn marked(&self, device: DeviceNumber, user: UserId, conversation: &Conversation, seq: u64) {
        let place = conversation.clone();
        self.record(|at| Record::Marked { at, device, conversation: place, user: user.0, seq });
    }

    pub fn accepting(&self, user: UserId, by: UserId) {
        self.note(&format!("user {user} accepts an invitation of {by}"));
        let at = self.micros.load(Ordering::Relaxed);
        self.seen.lock().accepting.entry((user, by)).or_insert(at);
    }

    pub fn accepted(&self, user: UserId, group: ConversationId, seq: u64) {
        self.note(&format!("user {user} has entered {group}, into which it was invited at {seq}"));
        self.seen.lock().accepted.insert((user, group, seq));
    }

    pub fn added(&self, user: UserId, conversation: ConversationId) {
        let at = self.micros.load(Ordering::Relaxed);
        self.seen.lock().added.push((at, user, conversation.to_string()));
    }

    pub fn born(&self, name: &str, password: &str) {
        self.note(&format!("the cluster has made {name}"));
        self.seen.lock().born = Some((name.to_owned(), password.to_owned()));
    }

    pub fn asked(&self, request: ClientMessageId, action: &str) {
        self.note(&format!("the administrator asks for {action} as {request}"));
        self.seen.lock().acts.entry((request, action.to_owned())).or_default();
    }

    pub fn done(&self, request: ClientMessageId, action: &str) {
        self.note(&format!("{action} is done ({request})"));
        self.seen.lock().acts.insert((request, action.to_owned()), true);
    }

    /// A link for one user lets in one.
    pub fn joined(&self, code: &str, user: UserId) {
        self.note(&format!("user {user} has come in by {code}"));
        let users = {
            let mut seen = self.seen.lock();
            let users = seen.joined.entry(code.to_owned()).or_default();
            users.insert(user);
            users.clone()
        };
        if users.len() > 1 {
            self.wrong(format!("the invite link {code} for one user has let in {users:?}"));
        }
    }

    pub fn refused_guest(&self, invite: &str) {
        self.seen.lock().refused_guests.insert(invite.to_owned());
    }

    fn record(&self, make: impl FnOnce(u64) -> Record) {
        let record = make(self.micros.load(Ordering::Relaxed));
        self.line(&serde_json::to_string(&record).expect("a record is JSON"));
        self.seen.lock().records.push(record);
    }

    /// The digest that identifies this run.
    pub fn digest(&self) -> String {
        let trace = self.trace.lock();
        format!("{:016x}-{}", trace.hash.digest(), trace.lines)
    }

    fn line(&self, line: &str) {
        let mut trace = self.trace.lock();
        trace.hash.update(line.as_bytes());
        trace.lines += 1;
        if trace.printed {
            print(line);
        }
    }
}

fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    // The reader of the output may have closed it.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n"));
}
