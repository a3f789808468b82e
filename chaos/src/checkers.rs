//! One checker per promise. Each walks the history once, knows nothing of the server, and describes
//! its findings.

pub mod apart;
pub mod attachments;
pub mod before;
pub mod bots;
pub mod calls;
pub mod contacts;
pub mod cursors;
pub mod device_order;
pub mod durable;
pub mod edits;
pub mod exactly_once;
pub mod hooks;
pub mod joins;
pub mod keys;
pub mod moderation;
pub mod one_order;
pub mod oversight;
pub mod personal;
pub mod phantom;
pub mod pins;
pub mod polls;
pub mod pushes;
pub mod reactions;
pub mod real_time;
pub mod recalls;
pub mod replicas;
pub mod scheduled;
pub mod search;
pub mod signals;
pub mod streams;
pub mod unread;
pub mod vanishing;

use std::fmt;

use serde::Serialize;

use crate::history::History;

/// A broken promise, with the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    pub promise: Promise,
    pub kind: Kind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// Acknowledged messages are never lost.
    Durable,
    /// A client message id has at most one seq, and a device receives each event once.
    ExactlyOnce,
    /// All observers see one gapless sequence.
    OneOrder,
    /// Messages of one device appear in the order in which it sent them.
    DeviceOrder,
    /// An ack before a send means a smaller seq.
    RealTime,
    /// No event is delivered that was never sent. A rejected message never appears.
    HonestErrors,
    /// Cursors move forward only.
    Cursors,
    /// All replicas hold the same events.
    Replicas,
    /// The unread count of a list is the number of messages of others after the read position.
    Unread,
    /// A user has each emoji at most once on a message, and all counts are those of the log.
    Reactions,
    /// A key has one place, and no answer for another body.
    Keys,
    /// No one speaks in a group against its mutes, its slow mode or a ban.
    Moderation,
    /// A scheduled message is sent once, not before its time, unless it was cancelled or refused.
    Scheduled,
    /// Both users of a contact agree, and an acknowledged block is in force.
    Contacts,
    /// One device takes a call, each call ends once, and its record is true.
    Calls,
    /// Only members send and get signals, each at most once.
    Signals,
    /// An acknowledged file is on each replica and in each answer byte for byte.
    Attachments,
    /// Only the sender edits a message, and its present state is its last edit.
    Edits,
    /// The content of a recalled message is on no replica and in no page.
    Recalls,
    /// A change of a user's own state is kept, and a stale device undoes none.
    Personal,
    /// A search finds what its user sees, and nothing else.
    Search,
    /// The content of a message that vanishes is there until its time, and nowhere after it.
    Vanishing,
    /// A user has one vote in a poll, and all counts are those of the log.
    Polls,
    /// No one comes into a group by approval that was not let in, and each request ends once.
    Joins,
    /// The pins of a conversation are those of its log, without those of recalled messages.
    Pins,
    /// The receiver of a hook gets each event of the conversation, in order.
    Hooks,
    /// A stream ends with its acknowledged pieces, each once and in order.
    Streams,
    /// A bot's token does what its scopes allow, and nothing after its end.
    Bots,
    /// Plain members of a group without contact do not get to know each other by it.
    Apart,
    /// Auditors change nothing, a last login is kept, and the list of groups has each group once.
    Oversight,
    /// A push tells a subscriber of a message of another user, and none follows an end or a mute.
    Pushes,
}

impl Promise {
    pub const ALL: [Promise; 31] = [
        Promise::Durable,
        Promise::ExactlyOnce,
        Promise::OneOrder,
        Promise::DeviceOrder,
        Promise::RealTime,
        Promise::HonestErrors,
        Promise::Cursors,
        Promise::Replicas,
        Promise::Unread,
        Promise::Reactions,
        Promise::Keys,
        Promise::Moderation,
        Promise::Scheduled,
        Promise::Contacts,
        Promise::Calls,
        Promise::Signals,
        Promise::Attachments,
        Promise::Edits,
        Promise::Recalls,
        Promise::Personal,
        Promise::Search,
        Promise::Joins,
        Promise::Pins,
        Promise::Vanishing,
        Promise::Polls,
        Promise::Hooks,
        Promise::Streams,
        Promise::Bots,
        Promise::Apart,
        Promise::Oversight,
        Promise::Pushes,
    ];

    /// The promise in words.
    pub fn about(self) -> &'static str {
        match self {
            Promise::Durable => "acknowledged messages are never lost",
            Promise::ExactlyOnce => "a message has one seq and is delivered once",
            Promise::OneOrder => "all see one gapless sequence",
            Promise::DeviceOrder => "messages of one device keep their order",
            Promise::RealTime => "acknowledged before sent means earlier in the sequence",
            Promise::HonestErrors => "only sent messages appear, and no rejected ones",
            Promise::Cursors => "cursors move forward only",
            Promise::Replicas => "all replicas hold the same events",
            Promise::Unread => "unread counts the messages of others after the read position",
            Promise::Reactions => "a user has each reaction once, and all counts are those of the log",
            Promise::Keys => "a repeated key has one place, and none for another body",
            Promise::Moderation => "mutes, slow mode and bans hold in every place of the log",
            Promise::Scheduled => "scheduled messages are sent once, at their time, or cancelled or refused",
            Promise::Contacts => "both users of a contact agree, and an acknowledged block is in force",
            Promise::Calls => "one device takes a call, and each call ends once, with a true record",
            Promise::Signals => "signals pass between members only, each at most once",
            Promise::Attachments => "acknowledged files are on every replica, byte for byte",
            Promise::Edits => "only its sender edits a message, whose present state is the last edit",
            Promise::Recalls => "the content of a recalled message is on no replica and in no page",
            Promise::Personal => "a user's own state is kept, and no stale device undoes a change",
            Promise::Search => "a search finds each message that its user sees, and nothing else",
            Promise::Joins => "users come into a group by approval when they are let in, and requests end once",
            Promise::Pins => "pins are those of the log, and a recall takes the pin of its message away",
            Promise::Vanishing => "a message that vanishes is there until its time, and nowhere after it",
            Promise::Polls => "a user has one vote in a poll, and all counts are those of the log",
            Promise::Hooks => "receivers of hooks get each event at least once, in order, and are asked before",
            Promise::Streams => "a stream ends with its acknowledged pieces, each once and in order",
            Promise::Bots => "a bot's token does what its scopes allow, and nothing after its end",
            Promise::Apart => "plain members of a group without contact do not get to know each other by it",
            Promise::Oversight => "auditors change nothing, last logins are kept, and each group is listed once",
            Promise::Pushes => "pushes tell subscribers of messages of others, and none follows an end or a mute",
        }
    }
}

/// The figure of the report that counts this violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Lost,
    Duplicated,
    Reordered,
    Gap,
    Phantom,
    Diverged,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({:?}): {}", self.promise, self.kind, self.text)
    }
}

/// A checker's name and function.
pub type Checker = (&'static str, fn(&History) -> Vec<Violation>);

pub const ALL: [Checker; 32] = [
    ("durable", durable::check),
    ("exactly-once", exactly_once::check),
    ("one-order", one_order::check),
    ("device-order", device_order::check),
    ("real-time", real_time::check),
    ("phantom", phantom::check),
    ("cursors", cursors::check),
    ("replicas", replicas::check),
    ("unread", unread::check),
    ("reactions", reactions::check),
    ("keys", keys::check),
    ("moderation", moderation::check),
    ("joins", joins::check),
    ("pins", pins::check),
    ("scheduled", scheduled::check),
    ("contacts", contacts::check),
    ("calls", calls::check),
    ("signals", signals::check),
    ("attachments", attachments::check),
    ("edits", edits::check),
    ("recalls", recalls::check),
    ("personal", personal::check),
    ("search", search::check),
    ("vanishing", vanishing::check),
    ("polls", polls::check),
    ("hooks", hooks::check),
    ("before hooks", before::check),
    ("streams", streams::check),
    ("bots", bots::check),
    ("apart", apart::check),
    ("oversight", oversight::check),
    ("pushes", pushes::check),
];

/// Runs every checker.
pub fn check(history: &History) -> Vec<Violation> {
    ALL.iter().flat_map(|(_, check)| check(history)).collect()
}

#[cfg(test)]
mod tests;
