//! `list_blocks`: the users that the caller blocks, in order of their ids.

use troupe_core::record::Block;
use troupe_core::{UserId, limits};
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ListBlocks {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 5)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        service.ask_leader(user.slot(), user, self).await
    }
}

impl AtLeader for wire::ListBlocks {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Blocks>, Refusal> {
        let limit = page_limit(self.limit, limits::PAGE_CONTACTS);
        Ok(Plan::read(user, limit, move |view| page(view, user, UserId(self.after), limit)))
    }
}

fn page(view: &View, user: UserId, after: UserId, limit: usize) -> Found<wire::Blocks> {
    let mut rows = view.page::<Block>(&user, Some(&(user, after)), limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let block =
        |((_, other), block): ((UserId, UserId), Block)| wire::Block { user_id: other.0, since_ms: block.since.0 };
    Ok(Ok(wire::Blocks { blocks: rows.into_iter().map(block).collect(), more }))
}
