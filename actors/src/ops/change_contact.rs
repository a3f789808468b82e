//! `change_contact`: asks for a contact, answers, ends, names or blocks it, once per request id.

use troupe_core::command::{ContactAct, SetGate};
use troupe_core::planted::Bug;
use troupe_core::{Command, ConversationId, UserId, machine};
use troupe_proto::client;

use super::cost::{CHANGE, Cost, NAMED, SEARCH};
use super::create_group::exist;
use super::meeting::may_ask;
use super::{Answered, Operation};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ChangeContact {
    /// A commit in the user's shard, and one in another. A request is preceded by questions to the
    /// shards of the user's groups.
    fn cost(&self) -> Cost {
        let asks = matches!(self.change, Some(wire::change_contact::Change::Ask(_)));
        Cost::Units(CHANGE + NAMED + if asks { SEARCH / 2 } else { 0 })
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let change = client::change_contact(caller.user(), self)?;
        let (user, other) = (change.user, change.other);
        let names = matches!(change.act, ContactAct::Ask { .. } | ContactAct::Block);
        let asks = matches!(change.act, ContactAct::Ask { .. });
        let blocks = matches!(change.act, ContactAct::Block | ContactAct::Unblock);
        let command = Command::from(change);
        machine::check(&command)?;
        if asks {
            service.budgets.members(user, 1)?;
        }
        if names {
            exist(&service, user, &[other]).await?;
        }
        if asks {
            may_ask(&service, user, other).await?;
        }
        let done = service.commit_done(command).await?;
        if blocks && !service.planted().is(Bug::BlockNotSent) {
            // The outbox does it too, but later: an acknowledged block is in force.
            set_gate(&service, user, other).await.map_err(|_| Refusal::Unavailable)?;
        }
        Ok(done)
    }
}

/// Commits the present state of a block in the shard of the direct conversation.
pub(super) async fn set_gate(service: &Service, user: UserId, other: UserId) -> Result<(), Refusal> {
    let Some(conversation) = ConversationId::direct(user, other) else { return Ok(()) };
    let contact = service.ask_leader(user.slot(), user, wire::ShowContact { user_id: other.0 }).await?;
    let gate = SetGate { conversation, user, version: contact.version, closed: contact.blocked };
    service.commit_done(Command::SetGate(gate)).await.map(drop)
}
