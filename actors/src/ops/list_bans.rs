//! `list_bans`: the users that are banned from a group, in order of their ids, for its admins.

use troupe_core::event::Role;
use troupe_core::feature::Ban;
use troupe_core::{ConversationId, Rejection, UserId, limits};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ListBans {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 10)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_bans.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListBans {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Bans>, Refusal> {
        let conversation = client::conversation("list_bans.conversation", &self.conversation)?;
        let after = Some(UserId(self.after)).filter(|after| after.0 != 0);
        let limit = page_limit(self.limit, limits::PAGE_BANS);
        Ok(Plan::read(user, limit, move |view| page(view, user, conversation, after, limit)))
    }
}

fn page(
    view: &View,
    user: UserId,
    conversation: ConversationId,
    after: Option<UserId>,
    limit: usize,
) -> Found<wire::Bans> {
    let Some(member) = view.member(conversation, user)? else { return Ok(Err(Rejection::NotMember.into())) };
    if member.role < Role::Admin {
        return Ok(Err(Rejection::NotAllowed.into()));
    }
    let mut rows = view.page::<Ban>(&conversation, after.map(|user| (conversation, user)).as_ref(), limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let ban = |((_, user), ban): ((ConversationId, UserId), Ban)| wire::Ban {
        user_id: user.0,
        by: ban.by.0,
        time_ms: ban.at.0,
    };
    Ok(Ok(wire::Bans { bans: rows.into_iter().map(ban).collect(), more }))
}
