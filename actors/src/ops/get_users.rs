//! `get_users`: users by id and by name, without those that do not exist.

use troupe_core::record::{Block, BotOwner, Contact, Profile, Relation, Seen, Status, Viewers};
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
pub fn users(view: &View, asker: UserId, ids: &[UserId], names: &[NameKey]) -> Found<wire::Users> {
    let mut users = Vec::new();
    for id in ids.iter().take(limits::PAGE_USERS * 2) {
        users.extend(row(view, asker, *id)?);
    }
    for name in names.iter().take(limits::PAGE_USERS * 2 * NameKey::CANDIDATES) {
        if let Some(id) = view.user_of_name(name.as_str())? {
            users.extend(row(view, asker, id)?);
        }
    }
    Ok(Ok(wire::Users { users, more: false }))
}

/// The presence of a user, and who sees it: of one that is gone, no one.
pub fn seen(view: &View, id: UserId) -> Result<Seen, EngineError> {
    let is_there = view.user(id)?.is_some_and(|user| user.standing.status != Status::Deleted);
    let nothing = Seen { shown_to: Viewers::NoOne, ..Seen::default() };
    Ok(if is_there { view.get::<Seen>(&id)?.unwrap_or_default() } else { nothing })
}

/// Whether the asker may see the presence of this user, with this setting.
pub fn shows(view: &View, asker: UserId, user: UserId, seen: &Seen) -> Result<bool, EngineError> {
    is_shown(view, asker, user, seen.shown_to)
}

/// `online` says whether the asker may see it, until presence is added.
pub fn row(view: &View, asker: UserId, id: UserId) -> Result<Option<wire::User>, EngineError> {
    let Some(user) = view.user(id)? else { return Ok(None) };
    let deleted = user.standing.status == Status::Deleted;
    let profile = if deleted { None } else { view.get::<Profile>(&id)? };
    let seen = view.get::<Seen>(&id)?.unwrap_or_default();
    let shown = !deleted && is_shown(view, asker, id, seen.shown_to)?;
    let bot_of = view.get::<BotOwner>(&id)?.map_or(0, |BotOwner(owner)| owner.0);
    let own = if asker == id { seen.shown_to } else { Viewers::Everyone };
    Ok(Some(wire::User {
        user_id: user.id.0,
        name: user.name,
        online: shown,
        last_seen_ms: if shown { seen.at.0 } else { 0 },
        presence_shown_to: own.number().into(),
        deleted,
        profile: profile.map(wire::Profile::from),
        bot_of,
    }))
}

/// Whether the asker may see the presence of this user. A blocked one may not.
// Invariant: private.
fn is_shown(view: &View, asker: UserId, user: UserId, to: Viewers) -> Result<bool, EngineError> {
    if asker == user {
        return Ok(true);
    }
    if view.get::<Block>(&(user, asker))?.is_some() {
        return Ok(false);
    }
    let is_contact = || {
        let contact = view.get::<Contact>(&(user, asker))?;
        Ok(contact.is_some_and(|contact| contact.relation() == Relation::Mutual))
    };
    match to {
        Viewers::Everyone => Ok(true),
        Viewers::Contacts => is_contact(),
        Viewers::NoOne => Ok(false),
    }
}

/// Adds presence, which is in no row.
pub fn show_online(users: &mut wire::Users, presence: &Presence) {
    for user in &mut users.users {
        user.online &= presence.is_online(UserId(user.user_id));
    }
}
