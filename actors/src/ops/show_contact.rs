//! `show_contact`: the caller's relation to one user. That there is none is an answer.

use troupe_core::UserId;
use troupe_core::record::{Block, Contact};
use troupe_proto::client;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

/// The contact, and a block.
const ROWS: usize = 2;

impl Operation for wire::ShowContact {
    fn cost(&self) -> Cost {
        Cost::Units(READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        service.ask_leader(user.slot(), user, self).await
    }
}

impl AtLeader for wire::ShowContact {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Contact>, Refusal> {
        let other = client::user("show_contact.user_id", self.user_id)?;
        Ok(Plan::read(user, ROWS, move |view| Ok(Ok(contact(view, user, other)?))))
    }
}

pub fn contact(view: &View, user: UserId, other: UserId) -> Result<wire::Contact, EngineError> {
    let row = view.get::<Contact>(&(user, other))?.unwrap_or_default();
    let blocked = view.get::<Block>(&(user, other))?.is_some();
    Ok(client::contact(other, row, blocked))
}
