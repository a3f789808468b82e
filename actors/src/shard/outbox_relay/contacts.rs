//! Rows of users for the shards of their contacts, and of their direct conversations.

use std::collections::BTreeMap;
use std::ops::Range;

use troupe_core::command::{HearContact, SetGate, SettleContacts, SettledContact};
use troupe_core::record::{Block, Contact, OwedContact};
use troupe_core::{Command, ConversationId, Slot, UserId};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::{Heard, Outbox, commit};
use crate::context::NodeContext;

pub(super) struct Contacts;

/// The present state of a contact of which something is owed.
pub(super) struct Owed {
    user: UserId,
    other: UserId,
    contact: Contact,
    blocked: bool,
    owed: OwedContact,
}

impl Outbox for Contacts {
    type Source = UserId;
    type Key = (UserId, UserId);
    type Row = Owed;
    type Settled = SettledContact;

    fn sources(view: &View, slots: Range<u16>, from: Option<UserId>, limit: usize) -> Result<Vec<UserId>, EngineError> {
        view.first_parts::<OwedContact, UserId>(slots, from, limit, |(user, _)| *user)
    }

    fn rows(
        view: &View,
        source: UserId,
        after: Option<&(UserId, UserId)>,
        limit: usize,
    ) -> Result<Vec<Owed>, EngineError> {
        let rows = view.page::<OwedContact>(&source, after, limit)?.into_iter();
        rows.map(|(key, owed)| {
            let contact = view.get::<Contact>(&key)?.unwrap_or_default();
            let blocked = view.get::<Block>(&key)?.is_some();
            Ok(Owed { user: key.0, other: key.1, contact, blocked, owed })
        })
        .collect()
    }

    fn place(row: &Owed) -> (UserId, (UserId, UserId)) {
        (row.user, (row.user, row.other))
    }

    async fn send(context: &NodeContext, row: Owed) -> Option<SettledContact> {
        let Owed { user, other, contact, blocked, owed } = row;
        let mut settled = SettledContact { user, other, contact: 0, gate: 0 };
        if owed.gate > 0
            && let Some(gate) = gate(user, other, contact.version, blocked)
            && !matches!(commit(context, gate.conversation.slot(), Command::SetGate(gate)).await, Heard::Later)
        {
            settled.gate = contact.version;
        }
        if owed.contact > 0 {
            let (wants, ended) = (contact.wants, contact.ended);
            let text = if wants { contact.text } else { String::new() };
            let hear = HearContact { user: other, by: user, said: contact.said, wants, ended, text };
            if !matches!(commit(context, other.slot(), Command::from(hear)).await, Heard::Later) {
                settled.contact = contact.said;
            }
        }
        (settled.contact > 0 || settled.gate > 0).then_some(settled)
    }

    fn settle(rows: Vec<SettledContact>) -> Vec<Command> {
        let mut by_slot: BTreeMap<Slot, Vec<SettledContact>> = BTreeMap::new();
        for row in rows {
            by_slot.entry(row.user.slot()).or_default().push(row);
        }
        let settle = |(slot, rows)| Command::SettleContacts(SettleContacts { slot, rows });
        by_slot.into_iter().map(settle).collect()
    }
}

/// For the shard of the direct conversation. A later version of the same state is as good.
fn gate(user: UserId, other: UserId, version: u64, closed: bool) -> Option<SetGate> {
    Some(SetGate { conversation: ConversationId::direct(user, other)?, user, version, closed })
}
