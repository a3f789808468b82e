//! The persistent state of a device: session, outbox, cursors, and delivered events.
//!
//! The client appends changes one record at a time, in order. Loading returns their sum.
//! [`FileStore`] survives the process, [`MemoryStore`] does not.
//!
//! Writes call `std::fs` from the caller's task. Each is one small append to the page cache, about
//! ten microseconds, cheaper than a switch to another thread. No write waits for the disk: the file
//! survives the process at any moment, but not always a power loss.

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

/// Events kept for local search. The oldest are dropped first.
pub const HISTORY_EVENTS: usize = 10_000;

#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    pub user: UserId,
    pub name: String,
    pub device: String,
    /// Secret: it authenticates this device.
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
    /// The cluster of this store. Nothing of the store is ever sent to another one.
    Cluster(Bytes),
    LoggedIn(Session),
    /// The session has ended. The rest stays for a new login of the same user and device.
    LoggedOut,
    /// A message entered the outbox ...
    Queued(Queued),
    /// ... and left it, acked or definitely refused.
    Settled(ClientMessageId),
    /// An event, and everything before it, was delivered to the application.
    HandedOut {
        conversation: ConversationId,
        event: Event,
    },
    /// The device follows this conversation from after `seq`.
    Cursor {
        conversation: ConversationId,
        seq: Seq,
    },
    /// The held events of this conversation belong to this history of the cluster.
    History {
        conversation: ConversationId,
        history: u64,
    },
}

/// The sum of all records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// `None` before the first login, and in stores of versions before 0.2.
    pub cluster: Option<Bytes>,
    /// Its token is empty after the session has ended.
    pub session: Option<Session>,
    /// In the order they were queued.
    pub outbox: Vec<Queued>,
    pub cursors: BTreeMap<ConversationId, Seq>,
    /// Only in clusters that were restored or recovered.
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
    /// After an error the record does not count.
    fn append(&mut self, record: &Record) -> io::Result<()>;
    /// Stored messages whose text contains `word`, ignoring case: the newest `limit`, oldest first.
    fn search(&mut self, word: &str, limit: usize) -> io::Result<Vec<(ConversationId, Event)>>;
}

/// A store that is opened once and used by several clients in turn.
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

/// One store, shared by the client's task and the reader of its events.
pub type SharedStore = Arc<Mutex<Box<dyn Store>>>;

fn matches(event: &Event, folded_word: &str) -> bool {
    match &event.kind {
        troupe_core::EventKind::Message(body) => {
            body.as_text().is_some_and(|text| troupe_core::fold(text).contains(folded_word))
        }
        _ => false,
    }
}
