//! Rows for other slots: written in the same commit as their cause, kept until the other side has
//! committed them. The leader relays them.

use std::collections::BTreeSet;

use super::{Outcome, Step};
use crate::command::SettleOutbox;
use crate::effect::Effect;
use crate::id::{ConversationId, Seq, UserId};
use crate::level::Level;
use crate::record::{OutboxKey, OutboxRow};
use crate::reply::Reply;
use crate::state::Rows;

impl Step<'_> {
    /// Every user's shard must learn whether the user is in the conversation since `version`, and
    /// by whose act, if it is another user's. Members of an imported group were asked
    /// elsewhere.
    pub(crate) fn enqueue(
        &mut self,
        conversation: ConversationId,
        version: Seq,
        present: bool,
        by: UserId,
        users: &[UserId],
    ) {
        let slot = conversation.slot();
        for &user in users {
            let key = OutboxKey { slot, conversation, version, user };
            let unasked = !self.imports || !conversation.is_group();
            let by = Some(by).filter(|by| *by != user && self.level >= Level::SECOND && unasked);
            self.state.put(&key.clone(), &OutboxRow { key, present, by });
        }
        let filled = Effect::OutboxFilled { slot };
        if !self.effects.contains(&filled) {
            self.effects.push(filled);
        }
    }

    /// A row is settled once: no later event has its version again.
    pub(super) fn settle_outbox(&mut self, c: &SettleOutbox) -> Outcome {
        // A row of another slot is another shard's; a command touches one slot only.
        for key in c.rows.iter().filter(|key| key.slot == c.slot) {
            self.state.delete::<OutboxRow>(key);
        }
        let groups: BTreeSet<ConversationId> = c.rows.iter().map(|key| key.conversation).collect();
        groups.into_iter().filter(|id| id.is_group() && id.slot() == c.slot).for_each(|group| self.dismiss_on(group));
        Ok(Reply::Done)
    }
}
