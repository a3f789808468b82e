//! `change_group`: one change of a group, placed in its log, once per request id.

use troupe_core::command::Intent;
use troupe_core::{Command, Rejection, limits, machine};
use troupe_proto::client;

use super::cost::{CHANGE, Cost, NAMED};
use super::create_group::{exist, title};
use super::send::placed;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::ChangeGroup {
    fn cost(&self) -> Cost {
        Cost::Units(match &self.change {
            Some(wire::change_group::Change::Add(add)) => CHANGE + NAMED * add.users.len() as u64,
            _ => CHANGE,
        })
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        let change = client::change_group(user, self)?;
        let (conversation, id) = (change.conversation, change.client_message_id);
        let named = match &change.intent {
            Intent::Add { users } if users.len() > limits::MEMBERS_PER_REQUEST => {
                return Err(Rejection::TooMany.into());
            }
            Intent::Add { users } => users.clone(),
            Intent::Rename { name } => {
                title(name)?;
                Vec::new()
            }
            _ => Vec::new(),
        };
        let command = Command::Append(change);
        machine::check(&command)?;
        service.budgets.members(user, named.len())?;
        exist(&service, user, &named).await?;
        placed(service.commit(command).await?, conversation, id)
    }
}
