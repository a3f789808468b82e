//! What a device keeps over restarts: its session, what it has not sent yet, how far it has read,
//! and what it has seen.
//!
//! A store is told of changes one record at a time, in the order they happened, and gives the sum
//! of them back when it is loaded. [`FileStore`] survives the process, [`MemoryStore`] does not.
//!
//! Writes go straight to `std::fs` from the caller's task: each is one small append to the page
//! cache, some ten microseconds, cheaper than a trip to another thread. Nothing waits for the disk,
//! so the file outlives the process at any moment, but not always the loss of power.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use troupe_core::{Body, ClientMessageId, ConversationId, Event, Seq, UserId};

mod file;
mod memory;
mod record;
#[cfg(test)]
mod tests;

pub use file::FileStore;
pub use memory::MemoryStore;

/// Events kept for the local search; the oldest go first.
pub const HISTORY_EVENTS: usize = 10_000;

#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    pub user: UserId,
    pub name: String,
    pub device: String,
    /// Secret: whoever has it is this device.
    pub token: Bytes,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("user", &self.user).field("device", &self.device).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    pub conversation: ConversationId,
    pub id: ClientMessageId,
    pub body: Body,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The cluster that this store belongs to. Nothing of the store is ever sent to another one.
    Cluster(Bytes),
    LoggedIn(Session),
    /// The session is over; the rest stays, for the same user to log in again as the same device.
    LoggedOut,
    /// A message came into the outbox ...
    Queued(Queued),
    /// ... and left it, acked or refused for good.
    Settled(ClientMessageId),
    /// An event was handed to the application, and everything before it.
    HandedOut {
        conversation: ConversationId,
        event: Event,
    },
    /// The device follows this conversation from behind `seq`.
    Cursor {
        conversation: ConversationId,
        seq: Seq,
    },
    /// What the device holds of this conversation is of this history of the cluster.
    History {
        conversation: ConversationId,
        history: u64,
    },
}

/// The sum of all records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// `None` before the first login, and in a store of a version before 0.2.
    pub cluster: Option<Bytes>,
    /// Its token is empty once the session is over.
    pub session: Option<Session>,
    /// In the order they were queued.
    pub outbox: Vec<Queued>,
    pub cursors: BTreeMap<ConversationId, Seq>,
    /// Only of clusters that were restored or recovered.
    pub histories: BTreeMap<ConversationId, u64>,
}

impl Saved {
    fn apply(&mut self, record: &Record) {
        match record {
            Record::Cluster(id) => self.cluster = Some(id.clone()),
            Record::LoggedIn(session) => self.session = Some(session.clone()),
            Record::LoggedOut => {
                if let Some(session) = &mut self.session {
                    session.token = Bytes::new();
                }
            }
            Record::Queued(queued) => self.outbox.push(queued.clone()),
            Record::Settled(id) => self.outbox.retain(|queued| queued.id != *id),
            Record::HandedOut { conversation, event } => {
                self.cursors.insert(*conversation, event.seq);
            }
            Record::Cursor { conversation, seq } => {
                self.cursors.insert(*conversation, *seq);
            }
            Record::History { conversation, history } => {
                self.histories.insert(*conversation, *history);
            }
        }
    }
}

pub trait Store: Send + Sync + 'static {
    fn load(&mut self) -> io::Result<Saved>;
    /// On an error the record does not count.
    fn append(&mut self, record: &Record) -> io::Result<()>;
    /// Messages this device has seen whose text contains `word`, whatever the case; the newest
    /// `limit`, oldest first.
    fn search(&mut self, word: &str, limit: usize) -> io::Result<Vec<(ConversationId, Event)>>;
}

/// A store that is opened once and used by one client after another.
impl<S: Store> Store for Arc<Mutex<S>> {
    fn load(&mut self) -> io::Result<Saved> {
        self.lock().load()
    }

    fn append(&mut self, record: &Record) -> io::Result<()> {
        self.lock().append(record)
    }

    fn search(&mut self, word: &str, limit: usize) -> io::Result<Vec<(ConversationId, Event)>> {
        self.lock().search(word, limit)
    }
}

/// One store, used by the client's task and by whoever takes its events.
pub type SharedStore = Arc<Mutex<Box<dyn Store>>>;

fn matches(event: &Event, folded_word: &str) -> bool {
    match &event.kind {
        troupe_core::EventKind::Message(body) => {
            body.as_text().is_some_and(|text| troupe_core::fold(text).contains(folded_word))
        }
        _ => false,
    }
}
