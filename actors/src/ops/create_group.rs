//! `create_group`: makes a group with the caller as its owner, once per request id.

use troupe_core::{Command, ConversationId, Rejection, UserId, limits, machine, text};
use troupe_proto::client;

use super::cost::{CHANGE, Cost, NAMED};
use super::{Answered, Operation};
use crate::message::{Answer, Refusal, wire};
use crate::router::PATIENCE;
use crate::service::{Caller, Service};

impl Operation for wire::CreateGroup {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE + NAMED * self.members.len() as u64)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        let create = client::create_group(user, self)?;
        title(&create.name)?;
        if create.members.len() > limits::MEMBERS_PER_REQUEST {
            return Err(Rejection::TooMany.into());
        }
        let members = create.members.clone();
        let command = Command::CreateGroup(create);
        machine::check(&command)?;
        service.budgets.group(user)?;
        service.budgets.members(user, members.len())?;
        exist(&service, user, &members).await?;
        let Answer::GroupCreated(group) = service.commit(command).await? else { return Err(Refusal::Unavailable) };
        Ok(wire::GroupCreated { conversation: ConversationId::Group(group).to_string() })
    }
}

/// Stricter than the check of the machine, because logs hold titles of earlier versions.
pub fn title(title: &str) -> Result<(), Refusal> {
    const WHY: &str = "a group's name shows something and has no control or invisible characters: choose another";
    if text::is_title(title) { Ok(()) } else { Err(Refusal::rejected(Rejection::BadName.code(), WHY)) }
}

/// Refuses users that do not exist. Core cannot know users of other slots.
pub async fn exist(service: &Service, asker: UserId, users: &[UserId]) -> Result<(), Refusal> {
    let found = service.directory.all_exist(&service.context, asker, users, PATIENCE).await;
    found.map_err(Refusal::of_lookup)
}
