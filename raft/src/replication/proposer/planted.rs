//! The planted bug of a shard's proposer.

use std::collections::BTreeMap;
use std::sync::Arc;

use troupe_core::{Append, Command, Intent, Reply};
use troupe_proto::record::{Record, StampedBatch};
use troupe_store::engine::Engine;
use troupe_store::rows::View;

use super::Entry;
use crate::api::Outcome;

impl Entry {
    /// Acknowledges sends before the commit, with the seq that they will probably get.
    pub(super) fn answer_too_early(self, engine: &Arc<dyn Engine>) -> Entry {
        let Ok(batch) = StampedBatch::decode(&self.bytes) else { return self };
        let view = View::new(engine.clone());
        let mut heads = BTreeMap::new();
        let mut guesses = Vec::new();
        for command in &batch.commands {
            let Command::Append(Append { conversation, intent: Intent::Message(_), .. }) = command else { return self };
            let head = heads.entry(*conversation).or_insert_with(|| {
                view.conversation(*conversation).ok().flatten().map(|row| row.head).unwrap_or_default()
            });
            *head = head.next();
            let reply = Reply::Placed { seq: *head, time: batch.now, duplicate: false };
            guesses.push(Outcome { reply, effects: Vec::new() });
        }
        let bytes = self.bytes.clone();
        self.answer(Ok(guesses));
        Entry { bytes, callers: Vec::new() }
    }
}
