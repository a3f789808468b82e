//! A device's store, which survives the device being off.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use troupe_client::store::{Record, Saved};
use troupe_client::{MemoryStore, Store};
use troupe_core::{ConversationId, Event};

#[derive(Clone, Default)]
pub struct DeviceStore(Arc<Mutex<MemoryStore>>);

impl Store for DeviceStore {
    fn load(&mut self) -> io::Result<Saved> {
        self.0.lock().load()
    }

    fn append(&mut self, record: &Record) -> io::Result<()> {
        self.0.lock().append(record)
    }

    fn search(&mut self, word: &str, limit: usize) -> io::Result<Vec<(ConversationId, Event)>> {
        self.0.lock().search(word, limit)
    }
}
