//! `list_links`: the invite links of a group, without their codes, for those that may make one.

use troupe_core::feature::{Act, GroupLink, Policy};
use troupe_core::{ConversationId, Rejection, UserId, limits};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ListLinks {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 5)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_links.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListLinks {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Links>, Refusal> {
        let conversation = client::conversation("list_links.conversation", &self.conversation)?;
        Ok(Plan::read(user, limits::GROUP_LINKS, move |view| links(view, user, conversation)))
    }
}

fn links(view: &View, user: UserId, conversation: ConversationId) -> Found<wire::Links> {
    let (member, row) = (view.member(conversation, user)?, view.conversation(conversation)?);
    let (Some(member), Some(row)) = (member, row) else { return Ok(Err(Rejection::NotMember.into())) };
    if member.role < Policy(row.policy).least(Act::Invite) {
        return Ok(Err(Rejection::NotAllowed.into()));
    }
    let link = |((_, link), row): ((ConversationId, u64), GroupLink)| wire::Link {
        link,
        by: row.by.0,
        created_ms: row.created.0,
        expires_ms: row.expires.0,
        uses: row.uses,
        used: row.used,
    };
    let rows = view.page::<GroupLink>(&conversation, None, limits::GROUP_LINKS)?;
    Ok(Ok(wire::Links { links: rows.into_iter().map(link).collect() }))
}
