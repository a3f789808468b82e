//! One checker per promise. Each walks the history once, knows nothing of the server, and names
//! what it found.

pub mod cursors;
pub mod device_order;
pub mod durable;
pub mod exactly_once;
pub mod one_order;
pub mod phantom;
pub mod real_time;
pub mod replicas;
pub mod unread;

use std::fmt;

use serde::Serialize;

use crate::history::History;

/// A broken promise, with the evidence in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    pub promise: Promise,
    pub kind: Kind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// Acknowledged is never lost.
    Durable,
    /// A client message id takes at most one place; a device is handed each event once.
    ExactlyOnce,
    /// All observers see one gapless sequence.
    OneOrder,
    /// What one device sent in an order appears in that order.
    DeviceOrder,
    /// An ack before a send means a smaller seq.
    RealTime,
    /// Nothing is delivered that nobody sent; a rejected message never appears.
    HonestErrors,
    /// Cursors move forward only.
    Cursors,
    /// All replicas hold the same.
    Replicas,
    /// What a list shows as unread are the messages of others behind the read position.
    Unread,
}

impl Promise {
    pub const ALL: [Promise; 9] = [
        Promise::Durable,
        Promise::ExactlyOnce,
        Promise::OneOrder,
        Promise::DeviceOrder,
        Promise::RealTime,
        Promise::HonestErrors,
        Promise::Cursors,
        Promise::Replicas,
        Promise::Unread,
    ];

    /// For people.
    pub fn about(self) -> &'static str {
        match self {
            Promise::Durable => "acknowledged is never lost",
            Promise::ExactlyOnce => "a message takes one place and is handed out once",
            Promise::OneOrder => "all see one gapless sequence",
            Promise::DeviceOrder => "what one device sent in an order appears in it",
            Promise::RealTime => "acknowledged before sent means earlier in the sequence",
            Promise::HonestErrors => "nothing appears that nobody sent, or that was rejected",
            Promise::Cursors => "cursors move forward only",
            Promise::Replicas => "all replicas hold the same",
            Promise::Unread => "unread are the messages of others behind the read position",
        }
    }
}

/// Which figure of the report a violation counts in.
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

/// A checker's name and its pass over the history.
pub type Checker = (&'static str, fn(&History) -> Vec<Violation>);

pub const ALL: [Checker; 9] = [
    ("durable", durable::check),
    ("exactly-once", exactly_once::check),
    ("one-order", one_order::check),
    ("device-order", device_order::check),
    ("real-time", real_time::check),
    ("phantom", phantom::check),
    ("cursors", cursors::check),
    ("replicas", replicas::check),
    ("unread", unread::check),
];

/// Runs every checker.
pub fn check(history: &History) -> Vec<Violation> {
    ALL.iter().flat_map(|(_, check)| check(history)).collect()
}

#[cfg(test)]
mod tests;
