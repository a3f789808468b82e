//! `list_scheduled`: the caller's own messages that wait in a conversation, and those that were
//! refused at their time.

use bytes::Bytes;
use troupe_core::feature::Scheduled;
use troupe_core::{ClientMessageId, ConversationId, UserId, limits};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{BYTES_PER_UNIT, Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

/// Rows read at once: a page is bounded by bytes, too.
const ROWS: usize = 8;

impl Operation for wire::ListScheduled {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 10 + limits::PAGE_BYTES as u64 / BYTES_PER_UNIT / 4)
    }

    /// Bodies cost a quarter of what they cost as messages.
    fn worth(answered: &Answered<Self>) -> Option<u64> {
        let messages = answered.iter().flat_map(|page| &page.messages);
        let bodies = messages.filter_map(|message| message.body.as_ref());
        let bytes: u64 = bodies.map(|body| body.content.len() as u64).sum();
        Some(READ * 10 + bytes / BYTES_PER_UNIT / 4)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_scheduled.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListScheduled {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::ScheduledList>, Refusal> {
        let conversation = client::conversation("list_scheduled.conversation", &self.conversation)?;
        let after = client::optional_client_message_id("list_scheduled.after", &self.after)?;
        let limit = page_limit(self.limit, limits::PAGE_SCHEDULED);
        Ok(Plan::read(user, limit, move |view| page(view, user, conversation, after, limit)))
    }
}

/// Only its sender sees a scheduled message, so the page needs no membership: a former member sees
/// why its message was refused, and an outsider has none.
// Invariant: private.
fn page(
    view: &View,
    user: UserId,
    conversation: ConversationId,
    mut after: Option<ClientMessageId>,
    limit: usize,
) -> Found<wire::ScheduledList> {
    let mut list = wire::ScheduledList::default();
    let mut bytes = 0;
    loop {
        let last = after.map(|id| (conversation, user, id));
        let rows = view.page::<Scheduled>(&(conversation, user), last.as_ref(), ROWS)?;
        let complete = rows.len() < ROWS;
        for ((_, _, id), row) in rows {
            after = Some(id);
            // A cancelled one is only kept against late repeats.
            let Some(body) = row.body else { continue };
            bytes += body.content.len();
            let is_full = list.messages.len() == limit || bytes > limits::PAGE_BYTES;
            if is_full && !list.messages.is_empty() {
                list.more = true;
                return Ok(Ok(list));
            }
            list.messages.push(wire::ScheduledMessage {
                client_message_id: Bytes::copy_from_slice(&id.0),
                body: Some((&body).into()),
                deliver_at_ms: row.at,
                refused: row.refused,
            });
        }
        if complete {
            return Ok(Ok(list));
        }
    }
}
