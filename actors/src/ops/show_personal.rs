//! `show_personal`: the caller's own state of a conversation, with the version that its devices
//! compare.

use troupe_core::record::Personal;
use troupe_core::{ConversationId, Rejection, Seq, UserId};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};
use crate::visible::is_in;

impl Operation for wire::ShowPersonal {
    fn cost(&self) -> Cost {
        Cost::Units(READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("show_personal.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ShowPersonal {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Personal>, Refusal> {
        let conversation = client::conversation("show_personal.conversation", &self.conversation)?;
        Ok(Plan::read(user, 1, move |view| shown(view, conversation, user)))
    }
}

fn shown(view: &View, conversation: ConversationId, user: UserId) -> Found<wire::Personal> {
    if !is_in(view, conversation, user)? {
        return Ok(Err(Rejection::NotMember.into()));
    }
    let row = view.get::<Personal>(&(conversation, user))?.unwrap_or_default();
    let head = view.conversation(conversation)?.map_or(Seq::ZERO, |row| row.head);
    Ok(Ok(client::personal(conversation, row, head, view.cursor(conversation, user)?.read)))
}
