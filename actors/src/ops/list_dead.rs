//! `list_dead`: a page of the events that the receiver of a hook did not take.

use troupe_core::feature::NO_SUCH_HOOK;
use troupe_core::record::{DeadEvent, Hook};
use troupe_core::{ConversationId, Rejection, Seq, UserId, limits};
use troupe_proto::client;

use super::cost::{Cost, READ};
use super::list_hooks::permitted;
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ListDead {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 5)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_dead.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListDead {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::DeadEvents>, Refusal> {
        let conversation = client::conversation("list_dead.conversation", &self.conversation)?;
        let (hook, limit) = (self.hook, page_limit(self.limit, limits::PAGE_DEAD));
        let after = (conversation, hook, Seq(self.after));
        Ok(Plan::read(user, limit, move |view| {
            if let Err(why) = permitted(view, user, conversation)? {
                return Ok(Err(why.into()));
            }
            if view.get::<Hook>(&(conversation, hook))?.is_none() {
                return Ok(Err(Rejection::from(NO_SUCH_HOOK).into()));
            }
            let mut rows = view.page::<DeadEvent>(&(conversation, hook), Some(&after), limit + 1)?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            Ok(Ok(wire::DeadEvents { events: rows.into_iter().map(shown).collect(), more }))
        }))
    }
}

fn shown(((_, _, seq), dead): ((ConversationId, u64, Seq), DeadEvent)) -> wire::DeadEvent {
    let DeadEvent { attempts, status, why, at, again } = dead;
    wire::DeadEvent { seq: seq.0, attempts, status, why, at_ms: at.0, again }
}
