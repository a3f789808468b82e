//! A store in memory: for tests, load, and clients that leave nothing on disk.

use std::collections::VecDeque;
use std::io;

use troupe_core::{ConversationId, Event, fold};

use super::{Record, Saved, Store, matches};

/// Fewer than in a file: a test may hold thousands of these stores.
const HISTORY: usize = 256;

#[derive(Debug, Default)]
pub struct MemoryStore {
    saved: Saved,
    history: VecDeque<(ConversationId, Event)>,
}

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> io::Result<Saved> {
        Ok(self.saved.clone())
    }

    fn append(&mut self, record: &Record) -> io::Result<()> {
        self.saved.apply(record);
        if let Record::HandedOut { conversation, event } = record {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back((*conversation, event.clone()));
        }
        Ok(())
    }

    fn search(&mut self, word: &str, limit: usize) -> io::Result<Vec<(ConversationId, Event)>> {
        let word = fold(word);
        let mut found: Vec<_> =
            self.history.iter().rev().filter(|(_, event)| matches(event, &word)).take(limit).cloned().collect();
        found.reverse();
        Ok(found)
    }
}
