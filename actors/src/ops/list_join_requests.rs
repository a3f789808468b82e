//! `list_join_requests`: the open requests to join a group, in order of their users, for members
//! that decide about them. A user that is no member sees its own.

use troupe_core::feature::{Act, JoinRequest, Policy};
use troupe_core::{ConversationId, Rejection, UserId, limits};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ListJoinRequests {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 10)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_join_requests.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListJoinRequests {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::JoinRequests>, Refusal> {
        let conversation = client::conversation("list_join_requests.conversation", &self.conversation)?;
        let after = Some(UserId(self.after)).filter(|after| after.0 != 0);
        let limit = page_limit(self.limit, limits::PAGE_JOIN_REQUESTS);
        Ok(Plan::read(user, limit, move |view| page(view, user, conversation, after, limit)))
    }
}

fn page(
    view: &View,
    user: UserId,
    conversation: ConversationId,
    after: Option<UserId>,
    limit: usize,
) -> Found<wire::JoinRequests> {
    let request = |((_, user), row): ((ConversationId, UserId), JoinRequest)| wire::JoinRequest {
        user_id: user.0,
        text: row.text,
        time_ms: row.at.0,
    };
    let (member, row) = (view.member(conversation, user)?, view.conversation(conversation)?);
    let (Some(member), Some(row)) = (member, row) else {
        let key = (conversation, user);
        let own = view.get::<JoinRequest>(&key)?.filter(|_| after.is_none());
        let answer = |own| wire::JoinRequests { requests: vec![request((key, own))], more: false };
        return Ok(own.map(answer).ok_or(Rejection::NotMember.into()));
    };
    if member.role < Policy(row.policy).least(Act::Invite) {
        return Ok(Err(Rejection::NotAllowed.into()));
    }
    let after = after.map(|user| (conversation, user));
    let mut rows = view.page::<JoinRequest>(&conversation, after.as_ref(), limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Ok(wire::JoinRequests { requests: rows.into_iter().map(request).collect(), more }))
}
