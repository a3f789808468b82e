//! Observations of clients in recorded order: the evidence for the checkers.
//!
//! Times are microseconds on one monotonic clock of the harness, so that "before" is well defined.

mod finals;
mod oversight;
mod pages;
mod people;
mod polls;
mod pushes;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use troupe_core::event::ContentHash;
use troupe_core::{Body, Event, EventKind};

pub use self::finals::{FinalContact, FinalGate, FinalHook, FinalLog, Kept};
pub use self::oversight::{ListedGroup, Oversight, Role, Verdict as OversightVerdict};
pub use self::pages::State;
pub use self::people::{ApartStep, BotAct, BotAnswer, BotStep, ContactAct, Outcome, Personal};
pub use self::polls::{PollStep, PollVotes};
pub use self::pushes::PushStep;
pub use self::steps::{CallStep, Rule};

/// A device of the workload; one user may have several.
pub type DeviceNumber = u32;
/// `<user>/<client message id as hex>`. Ids belong to their sender, so two senders may choose the
/// same.
pub type MessageId = String;
/// 64 hexadecimal digits, computed from the bytes.
pub type FileName = String;
/// `<group>.<number>`.
pub type HookName = String;
/// Canonical text of a conversation id.
pub type Conversation = String;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Record {
    /// A device hands a message to its SDK. The sender uses this id for the first time.
    Invoke { at: u64, device: DeviceNumber, user: u64, conversation: Conversation, id: MessageId },
    /// The device receives the message's seq.
    Ack { at: u64, device: DeviceNumber, conversation: Conversation, id: MessageId, seq: u64 },
    /// The device learns that the message was not and never will be applied.
    Reject { at: u64, device: DeviceNumber, conversation: Conversation, id: MessageId, code: String },
    /// An event is delivered to the application of a device. `message` is false for other events,
    /// such as member changes.
    Deliver {
        at: u64,
        device: DeviceNumber,
        conversation: Conversation,
        seq: u64,
        sender: u64,
        id: MessageId,
        message: bool,
    },
    /// A device sees a member's cursor.
    Cursor { at: u64, device: DeviceNumber, conversation: Conversation, user: u64, delivered: u64, read: u64 },
    /// A device receives a line of its conversation list, requested at `asked`. `first` is the
    /// first event that the user may see.
    Listed {
        at: u64,
        asked: u64,
        device: DeviceNumber,
        conversation: Conversation,
        user: u64,
        head: u64,
        read: u64,
        unread: u64,
        first: u64,
    },
    /// A device learns that its user's read position is stored.
    Marked { at: u64, device: DeviceNumber, conversation: Conversation, user: u64, seq: u64 },
    /// A device receives the seq of its reaction to a message, or of taking one back.
    Reacted { at: u64, device: DeviceNumber, conversation: Conversation, id: MessageId, seq: u64, reaction: Reaction },
    /// A device receives the reactions to the events `first` to `last`, as of the event `head`.
    Counted {
        at: u64,
        device: DeviceNumber,
        conversation: Conversation,
        user: u64,
        head: u64,
        first: u64,
        last: u64,
        counts: Vec<Count>,
    },
    /// A device receives the seq of its edit or recall of a message.
    Changed { at: u64, device: DeviceNumber, conversation: Conversation, id: MessageId, seq: u64, change: Change },
    /// A device receives the seq of its vote in a poll, or of the end that it made of one.
    Voted { at: u64, device: DeviceNumber, conversation: Conversation, id: MessageId, seq: u64, step: PollStep },
    /// A device receives the votes of the polls from `first` to `last`, as of the event `head`.
    Polled {
        at: u64,
        device: DeviceNumber,
        conversation: Conversation,
        user: u64,
        head: u64,
        first: u64,
        last: u64,
        polls: Vec<PollVotes>,
    },
    /// A device receives the events `first` to `last`, as of the event `head`, in a page that it
    /// requested at `asked`.
    Shown {
        at: u64,
        asked: u64,
        device: DeviceNumber,
        conversation: Conversation,
        head: u64,
        first: u64,
        last: u64,
        contents: Contents,
        states: Vec<State>,
    },
    /// A device receives the answer to a request under its idempotency key: a place, or that the
    /// key belongs to another body.
    Keyed {
        at: u64,
        device: DeviceNumber,
        conversation: Conversation,
        id: MessageId,
        body: String,
        seq: Option<u64>,
        /// An earlier request under the key was placed.
        duplicate: bool,
    },
    /// A device is about to append a piece to its stream, or learns that it is durable (`done`).
    /// `text` is unlike that of every other piece, and contains none of them.
    Piece {
        at: u64,
        device: DeviceNumber,
        conversation: Conversation,
        message: u64,
        index: u64,
        text: String,
        done: bool,
    },
    /// A device receives the text of an open stream, in a page that it requested at `asked`.
    Streaming { at: u64, asked: u64, device: DeviceNumber, conversation: Conversation, message: u64, text: String },
    /// A device is about to send a message that vanishes after this time.
    Expires { at: u64, device: DeviceNumber, conversation: Conversation, id: MessageId, after_ms: u64 },
    /// A device hands over a message that is to be sent at a time, before its first attempt.
    Schedule { at: u64, device: DeviceNumber, user: u64, conversation: Conversation, id: MessageId, deliver_at_ms: u64 },
    /// The device learns that the message is kept until its time, or has its place already.
    Scheduled { at: u64, device: DeviceNumber, conversation: Conversation, id: MessageId, seq: Option<u64> },
    /// The device asks to cancel a scheduled message, or learns that it is cancelled (`done`).
    Cancel { at: u64, device: DeviceNumber, conversation: Conversation, id: MessageId, done: bool },
    /// A device asks for an act on its user's relation to another user, or learns its outcome.
    Contact { at: u64, asked: u64, device: DeviceNumber, user: u64, other: u64, act: ContactAct, outcome: Outcome },
    /// A device asks for a change of its user's own state, or learns its outcome. `asked` is the
    /// time of its first attempt.
    Personal {
        at: u64,
        asked: u64,
        device: DeviceNumber,
        user: u64,
        conversation: Conversation,
        personal: Personal,
        outcome: Outcome,
    },
    /// A device receives its user's own state of a conversation, requested at `asked`.
    PersonalState {
        at: u64,
        asked: u64,
        device: DeviceNumber,
        user: u64,
        conversation: Conversation,
        version: u64,
        pin: u64,
        cleared: u64,
    },
    /// A device receives all messages that its user has saved, requested at `asked`.
    Saved { at: u64, asked: u64, device: DeviceNumber, user: u64, conversation: Conversation, seqs: Vec<u64> },
    /// A device receives a page that its user requested at `asked`: the events with a content.
    PersonalPage { at: u64, asked: u64, device: DeviceNumber, user: u64, conversation: Conversation, shown: Vec<u64> },
    /// A step of a call got a place: `accepts` is the call that the device took by it.
    Called { at: u64, device: DeviceNumber, conversation: Conversation, id: MessageId, seq: u64, accepts: Option<u64> },
    /// A device learned that another one had taken the call.
    Taken { at: u64, device: DeviceNumber, conversation: Conversation, call: u64 },
    /// A device of `user` got a signal of `from`, passed on at `seq`. Each has an id of its own.
    Signalled {
        at: u64,
        device: DeviceNumber,
        user: u64,
        conversation: Conversation,
        from: u64,
        id: MessageId,
        seq: u64,
    },
    /// A device begins an upload of a file whose name it knows, or learns that it is whole
    /// (`done`).
    Upload { at: u64, device: DeviceNumber, conversation: Conversation, file: FileName, done: bool },
    /// A device asks for a file: the name of the bytes that it receives, or there is no such file.
    Download { at: u64, device: DeviceNumber, conversation: Conversation, file: FileName, received: Option<FileName> },
    /// A device received the seqs that a search for the words of a message, or of an edit, found in
    /// its conversation. `whole`: no part of the conversation is missing.
    Searched {
        at: u64,
        asked: u64,
        device: DeviceNumber,
        user: u64,
        conversation: Conversation,
        id: MessageId,
        found: Vec<u64>,
        whole: bool,
    },
    /// A hook was made. Its cursor was at `since` then, or before.
    HookMade { at: u64, hook: HookName, since: u64 },
    /// The receiver of a hook has an event.
    HookTaken { at: u64, hook: HookName, seq: u64 },
    /// The group has a hook that is asked before each message, and refuses without an answer.
    HookGuards { at: u64, conversation: Conversation },
    /// Such a hook was asked about a message.
    HookAsked { at: u64, conversation: Conversation, id: MessageId, allowed: bool },
    /// A bot's token, by a number of the harness, or a use of it.
    Bot { at: u64, bot: u64, token: u64, step: BotStep },
    /// A group whose members do not get to know each other, and the attempts of its users.
    Apart { at: u64, conversation: Conversation, step: ApartStep },
    /// An act or an answer of oversight. `asked`: its first attempt, or that of its first page.
    Overseen { at: u64, asked: u64, step: Oversight },
    /// A step of a user's push subscriptions, or a push to one of them.
    Push { at: u64, user: u64, step: PushStep },
    /// A fault was injected or healed.
    Fault { at: u64, text: String },
}

/// The digests of the bodies of messages and edits, by seq. An erased event has none.
pub type Contents = BTreeMap<u64, String>;

/// A change of the message at seq `to` by the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    Edited {
        to: u64,
        digest: String,
    },
    Recalled {
        to: u64,
    },
    Pinned {
        to: u64,
        removed: bool,
    },
    /// Its time was over.
    Vanished {
        to: u64,
    },
    /// A stream has this text at its end.
    Streamed {
        to: u64,
        text: String,
    },
}

impl Change {
    /// An edit that was erased is none.
    pub fn of(event: &Event) -> Option<Change> {
        match &event.kind {
            EventKind::Edited { to, body } => Some(Change::Edited { to: to.0, digest: digest(body) }),
            EventKind::Recalled { to } => Some(Change::Recalled { to: to.0 }),
            EventKind::Pinned { to, removed } => Some(Change::Pinned { to: to.0, removed: *removed }),
            EventKind::Vanished { to } => Some(Change::Vanished { to: to.0 }),
            EventKind::StreamEnded { to, body, .. } => {
                Some(Change::Streamed { to: to.0, text: body.as_text().unwrap_or_default().to_owned() })
            }
            _ => None,
        }
    }
}

/// Tells bodies apart, so that a history does not hold them. When a body vanishes does not count:
/// an edit takes that from its message.
pub fn digest(body: &Body) -> String {
    let mut body = body.clone();
    body.context.iter_mut().for_each(|context| context.expires_in_ms = 0);
    body.context.take_if(|context| **context == Default::default());
    let hash = ContentHash::of(&EventKind::Message(body).content());
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The body of a message or of an edit, unless it was erased.
pub fn content(event: &Event) -> Option<(u64, String)> {
    match &event.kind {
        EventKind::Message(body) | EventKind::Edited { body, .. } | EventKind::StreamEnded { body, .. } => {
            Some((event.seq.0, digest(body)))
        }
        _ => None,
    }
}

/// A reaction of the sender to the message at seq `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    pub to: u64,
    pub emoji: String,
    pub removed: bool,
}

/// The users of an emoji on the message at `seq`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Count {
    pub seq: u64,
    pub emoji: String,
    pub users: u64,
    /// The user that asked is one of them. False in the counts of a replica.
    #[serde(default)]
    pub mine: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub seq: u64,
    pub time_ms: u64,
    pub sender: u64,
    pub id: MessageId,
    /// Recalled or not. False for other events, such as member changes of the set-up.
    pub message: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<Reaction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollStep>,
    /// A change of the rules of a group; absent in histories of real processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// A step of a call; absent in histories of real processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallStep>,
}

/// The complete result of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct History {
    pub records: Vec<Record>,
    /// By replica (node), then conversation. A conversation is on every node that holds its shard.
    pub finals: BTreeMap<u64, BTreeMap<Conversation, FinalLog>>,
    /// By replica, then conversation: the rows of scheduled messages. Absent where no replica was
    /// asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<u64, BTreeMap<Conversation, Vec<Kept>>>,
    /// By replica, then conversation: the names of files, and of the bytes that are kept for each.
    /// Absent where no replica was asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<u64, BTreeMap<Conversation, BTreeMap<FileName, FileName>>>,
    /// By replica, then conversation: the files that its events refer to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<u64, BTreeMap<Conversation, BTreeSet<FileName>>>,
    /// By replica: how far each hook is. Absent where no replica was asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hooks: BTreeMap<u64, BTreeMap<HookName, FinalHook>>,
    /// The position of each device's SDK at the end of the run.
    pub cursors: BTreeMap<DeviceNumber, BTreeMap<Conversation, u64>>,
    /// By replica; absent if it was not asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contacts: BTreeMap<u64, Vec<FinalContact>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<u64, Vec<FinalGate>>,
    /// When the replicas were read, in milliseconds since 1970. Absent: after everything that was
    /// due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_ms: Option<u64>,
}

impl History {
    /// The longest log of a conversation. The `replicas` checker compares the others with it.
    pub fn reference(&self) -> BTreeMap<&Conversation, &FinalLog> {
        let mut reference: BTreeMap<&Conversation, &FinalLog> = BTreeMap::new();
        for (conversation, log) in self.finals.values().flatten() {
            let held = reference.entry(conversation).or_insert(log);
            if log.head > held.head {
                *held = log;
            }
        }
        reference
    }
}
