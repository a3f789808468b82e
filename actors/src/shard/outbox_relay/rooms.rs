//! The room that users take in conversations, for the shards of the users.

use std::collections::BTreeMap;
use std::ops::Range;

use troupe_core::command::{HearRoom, SettleRooms, SettledRoom};
use troupe_core::record::{FileUsage, OwedRoom};
use troupe_core::{Command, ConversationId, Slot, UserId};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::{Heard, Outbox, commit};
use crate::context::NodeContext;

pub(super) struct Rooms;

impl Outbox for Rooms {
    type Source = ConversationId;
    type Key = (ConversationId, UserId);
    /// The present count, which is of the version that is owed.
    type Row = HearRoom;
    type Settled = SettledRoom;

    fn sources(
        view: &View,
        slots: Range<u16>,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, EngineError> {
        view.first_parts::<OwedRoom, ConversationId>(slots, from, limit, |(conversation, _)| *conversation)
    }

    fn rows(
        view: &View,
        source: ConversationId,
        after: Option<&(ConversationId, UserId)>,
        limit: usize,
    ) -> Result<Vec<HearRoom>, EngineError> {
        let rows = view.page::<OwedRoom>(&source, after, limit)?.into_iter();
        rows.map(|((conversation, user), owed)| {
            let bytes = view.get::<FileUsage>(&(conversation, user))?.unwrap_or_default().bytes;
            Ok(HearRoom { user, conversation, version: owed.version, bytes, reserved: owed.reserved })
        })
        .collect()
    }

    fn place(row: &HearRoom) -> (ConversationId, (ConversationId, UserId)) {
        (row.conversation, (row.conversation, row.user))
    }

    async fn send(context: &NodeContext, row: HearRoom) -> Option<SettledRoom> {
        let HearRoom { user, conversation, version, .. } = row;
        match commit(context, user.slot(), Command::from(row)).await {
            Heard::Later => None,
            Heard::Committed | Heard::Rejected(_) => Some(SettledRoom { conversation, user, version }),
        }
    }

    fn settle(rows: Vec<SettledRoom>) -> Vec<Command> {
        let mut by_slot: BTreeMap<Slot, Vec<SettledRoom>> = BTreeMap::new();
        for row in rows {
            by_slot.entry(row.conversation.slot()).or_default().push(row);
        }
        let settle = |(slot, rows)| Command::SettleRooms(SettleRooms { slot, rows });
        by_slot.into_iter().map(settle).collect()
    }
}
