//! `change_group`: one change of a group, placed in its log, once per request id.

use troupe_core::command::{Append, Intent};
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
            Some(wire::change_group::Change::Set(_)) => CHANGE + 4,
            // Each member learns it by a commit of its own, which the daily budget of its owner's
            // additions has paid for.
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
            Intent::Set(settings) => {
                settings.name.as_deref().map(title).transpose()?;
                Vec::new()
            }
            _ => Vec::new(),
        };
        let command = Command::Append(change);
        machine::check(&command)?;
        service.budgets.members(user, named.len())?;
        if let Command::Append(Append { intent: Intent::AskToJoin { .. }, .. }) = &command {
            service.budgets.ask(user)?;
        }
        let banned = match &command {
            Command::Append(Append { intent: Intent::Ban { user, lift: false }, .. }) => vec![*user],
            _ => Vec::new(),
        };
        exist(&service, user, &[named, banned].concat()).await?;
        placed(service.commit(command).await?, conversation, id)
    }
}
