//! Planted bugs of a replica's start.

use std::sync::Arc;

use bytes::Bytes;
use troupe_core::planted::Bug;
use troupe_core::record::{Placed, Table};
use troupe_core::{Command, Intent};
use troupe_store::Durability::Buffered;
use troupe_store::engine::{Batch, Engine, EngineError, Family};

use super::{Applier, ShardApplier, decode};

impl ShardApplier {
    pub(super) fn betray(&self, engine: &Arc<dyn Engine>, newest: &[Bytes]) -> Result<(), EngineError> {
        if self.machine.planted.is(Bug::ForgetDedupOnRestart) {
            self.forget_dedup(engine)?;
        }
        if self.machine.planted.is(Bug::ReapplyOnReplay) {
            self.reapply(engine, newest)?;
        }
        Ok(())
    }

    fn forget_dedup(&self, engine: &Arc<dyn Engine>) -> Result<(), EngineError> {
        let (first, end) = self.map.slots(self.shard);
        let sample = placed_key(troupe_core::ConversationId::Everyone, Default::default(), [0; 16]);
        let tag = sample[2];
        let mut batch = Batch::default();
        for slot in first..end {
            let [high, low] = slot.to_be_bytes();
            batch.delete_range(Family::Conversations, [high, low, tag], [high, low, tag + 1]);
        }
        engine.write(batch, Buffered)
    }

    /// Without their dedup rows, or the machine would rightly refuse to apply them twice.
    fn reapply(&self, engine: &Arc<dyn Engine>, newest: &[Bytes]) -> Result<(), EngineError> {
        let mut forget = Batch::default();
        for proposal in newest {
            for command in decode(proposal)?.commands {
                if let Command::Append(append) = command
                    && matches!(append.intent, Intent::Message(_))
                {
                    let key = placed_key(append.conversation, append.actor, append.client_message_id.0);
                    forget.delete(Family::Conversations, key);
                }
            }
        }
        engine.write(forget, Buffered)?;
        let (batch, _) = self.apply(engine, newest)?;
        engine.write(batch, Buffered)
    }
}

fn placed_key(conversation: troupe_core::ConversationId, sender: troupe_core::UserId, id: [u8; 16]) -> Vec<u8> {
    Placed::key(&(conversation, sender, troupe_core::ClientMessageId(id)))
}
