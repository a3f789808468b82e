//! Rows of conversations for the lists of their users.

use std::collections::BTreeMap;
use std::ops::Range;

use troupe_core::command::{Append, Intent, SettleOutbox, UpdateInbox};
use troupe_core::machine::contact::NOT_TAKEN;
use troupe_core::planted::Bug;
use troupe_core::record::{OutboxKey, OutboxRow};
use troupe_core::{Command, ConversationId, Rejection, Slot};
use troupe_raft::api::Strangers;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::{Heard, Outbox, commit};
use crate::context::NodeContext;

pub(super) struct Inboxes;

impl Outbox for Inboxes {
    type Source = ConversationId;
    type Key = OutboxKey;
    type Row = OutboxRow;
    type Settled = OutboxKey;

    fn sources(
        view: &View,
        slots: Range<u16>,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, EngineError> {
        view.outbox_sources(slots, from, limit)
    }

    fn rows(
        view: &View,
        source: ConversationId,
        after: Option<&OutboxKey>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, EngineError> {
        view.outbox_of(source, after, limit)
    }

    fn place(row: &OutboxRow) -> (ConversationId, OutboxKey) {
        (row.key.conversation, row.key.clone())
    }

    async fn send(context: &NodeContext, row: OutboxRow) -> Option<OutboxKey> {
        let update = UpdateInbox {
            user: row.key.user,
            conversation: row.key.conversation,
            present: row.present,
            version: row.key.version,
            by: row.by,
            unasked: row.by.is_some() && context.router.routing().settings.strangers == Strangers::Add,
        };
        let command = Command::UpdateInbox(update);
        if context.platform.planted(Bug::OutboxSettledUnheard) {
            let (context, slot) = (context.clone(), row.key.user.slot());
            drop(tokio::spawn(async move { commit(&context, slot, command).await }));
            return Some(row.key);
        }
        match commit(context, row.key.user.slot(), command).await {
            Heard::Rejected(code) if code == Rejection::TooManyInvitations.code() || code == NOT_TAKEN.code => {
                leave(context, row.key).await
            }
            Heard::Committed | Heard::Rejected(_) => Some(row.key),
            Heard::Later => None,
        }
    }

    fn settle(keys: Vec<OutboxKey>) -> Vec<Command> {
        let mut by_slot: BTreeMap<Slot, Vec<OutboxKey>> = BTreeMap::new();
        for key in keys {
            by_slot.entry(key.slot).or_default().push(key);
        }
        let settle = |(slot, rows)| Command::SettleOutbox(SettleOutbox { slot, rows });
        by_slot.into_iter().map(settle).collect()
    }
}

/// Makes the user leave the group, as by its own request, because its shard accepts no invitation
/// of this kind or because this one has expired.
pub(in crate::shard) async fn leave(context: &NodeContext, key: OutboxKey) -> Option<OutboxKey> {
    let leave = Append {
        conversation: key.conversation,
        actor: key.user,
        client_message_id: key.refusal(),
        after: None,
        intent: Intent::Leave,
    };
    match commit(context, key.conversation.slot(), Command::Append(leave)).await {
        Heard::Committed | Heard::Rejected(_) => Some(key),
        Heard::Later => None,
    }
}
