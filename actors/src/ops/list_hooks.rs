//! `list_hooks`: the hooks of a group, without their secrets, for those that may change its
//! settings.

use troupe_core::feature::{Act, Policy};
use troupe_core::record::Hook;
use troupe_core::{ConversationId, Rejection, UserId, limits};
use troupe_proto::client;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ListHooks {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 2)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_hooks.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListHooks {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Hooks>, Refusal> {
        let conversation = client::conversation("list_hooks.conversation", &self.conversation)?;
        Ok(Plan::read(user, limits::HOOKS_PER_GROUP, move |view| {
            if let Err(why) = permitted(view, user, conversation)? {
                return Ok(Err(why.into()));
            }
            let rows = view.page::<Hook>(&conversation, None, limits::HOOKS_PER_GROUP)?;
            Ok(Ok(wire::Hooks { hooks: rows.into_iter().map(|((_, hook), row)| shown(hook, row)).collect() }))
        }))
    }
}

/// Whether the user may see and change the hooks of this group.
pub fn permitted(
    view: &View,
    user: UserId,
    conversation: ConversationId,
) -> Result<Result<(), Rejection>, EngineError> {
    let (member, row) = (view.member(conversation, user)?, view.conversation(conversation)?);
    let (Some(member), Some(row)) = (member, row) else { return Ok(Err(Rejection::NotMember)) };
    let may = member.role >= Policy(row.policy).least(Act::Settings);
    Ok(if may { Ok(()) } else { Err(Rejection::NotAllowed) })
}

fn shown(hook: u64, row: Hook) -> wire::Hook {
    wire::Hook {
        hook,
        kind: row.kind as i32,
        name: row.name,
        by: row.by.0,
        created_ms: row.created.0,
        url: row.url,
        delivered: row.delivered.0,
        dead: row.dead,
        closed: row.closed,
    }
}
