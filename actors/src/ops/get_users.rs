//! `get_users`: users by id and by name, without those that do not exist.

use troupe_core::record::{Profile, Status};
use troupe_core::{NameKey, Rejection, UserId, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, Found, Operation};
use crate::directory::{lookup, lookup_names};
use crate::message::wire;
use crate::presence::Presence;
use crate::router::PATIENCE;
use crate::service::{Caller, Service};

/// Users looked up that cost a unit.
const USERS_PER_UNIT: u64 = 8;

impl Operation for wire::GetUsers {
    fn cost(&self) -> Cost {
        Cost::Units(READ + (self.ids.len() + self.names.len()) as u64 / USERS_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        if self.ids.len() + self.names.len() > limits::PAGE_USERS * 2 {
            return Err(Rejection::TooMany.into());
        }
        let ids = self.ids.into_iter().map(UserId).collect();
        let mut users = lookup(&service.context, caller.user(), ids, Vec::new(), PATIENCE).await?;
        users.extend(lookup_names(&service.context, caller.user(), &self.names, PATIENCE).await?);
        service.directory.remember(&users);
        Ok(wire::Users { users, more: false })
    }
}

/// At the leader: users of one shard.
pub fn users(view: &View, ids: &[UserId], names: &[NameKey]) -> Found<wire::Users> {
    let mut users = Vec::new();
    for id in ids.iter().take(limits::PAGE_USERS * 2) {
        users.extend(row(view, *id)?);
    }
    for name in names.iter().take(limits::PAGE_USERS * 2 * NameKey::CANDIDATES) {
        if let Some(id) = view.user_of_name(name.as_str())? {
            users.extend(row(view, id)?);
        }
    }
    Ok(Ok(wire::Users { users, more: false }))
}

pub fn row(view: &View, id: UserId) -> Result<Option<wire::User>, EngineError> {
    let Some(user) = view.user(id)? else { return Ok(None) };
    let deleted = user.standing.status == Status::Deleted;
    let profile = if deleted { None } else { view.get::<Profile>(&id)? };
    Ok(Some(wire::User {
        user_id: user.id.0,
        name: user.name,
        online: false,
        deleted,
        profile: profile.map(wire::Profile::from),
    }))
}

/// Adds presence, which is in no row.
pub fn show_online(users: &mut wire::Users, presence: &Presence) {
    for user in &mut users.users {
        user.online = presence.is_online(UserId(user.user_id));
    }
}
