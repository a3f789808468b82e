//! `find_users`: a page of the users whose name begins with a prefix, in order of the keys of their
//! names.

use std::collections::BTreeMap;
use std::ops::Range;

use futures::StreamExt;
use troupe_core::{NameKey, Slot, UserId, fold, limits};
use troupe_store::rows::View;

use super::cost::{Cost, SEARCH};
use super::get_users::{row, show_online};
use super::{Answered, AtLeader, Found, Framed, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

impl Operation for wire::FindUsers {
    /// A question to each shard of the cluster.
    fn cost(&self) -> Cost {
        Cost::Units(SEARCH)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let limit = page_limit(self.limit, limits::PAGE_USERS);
        // No name is that long, so no name matches or follows.
        if self.prefix.len().max(self.after.len()) > limits::USERNAME_MAX_BYTES {
            return Ok(wire::Users::default());
        }
        of_all_shards(&service, caller.user(), limit, || self.clone()).await
    }
}

impl AtLeader for wire::FindUsers {
    fn plan(self, user: UserId, leader: &Leader<'_>) -> Result<Plan<wire::Users>, Refusal> {
        let (slots, limit) = (leader.slots.clone(), page_limit(self.limit, limits::PAGE_USERS));
        // A name may be under two keys in each slot.
        let rows = 2 * slots.len() + limit;
        let read =
            Plan::read(user, rows, move |view| search(view, user, slots, (&self.prefix, after(&self.after)), limit));
        Ok(read.completed(show_online))
    }
}

/// The name that a page begins behind.
pub fn after(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

/// Asks every shard for its page, a few at once, and merges them by name.
pub(super) async fn of_all_shards<O: AtLeader + Framed<Answer = wire::Users>>(
    service: &Service,
    asker: UserId,
    limit: usize,
    operation: impl Fn() -> O,
) -> Result<wire::Users, Refusal> {
    let map = service.context.router.routing().shards.ok_or(Refusal::OVERLOADED)?;
    let slots: Vec<Slot> = map.shards().map(|shard| Slot(map.slots(shard).0)).collect();
    let asked = slots.into_iter().map(|slot| {
        let (service, operation) = (service.clone(), operation());
        async move { service.ask_leader(slot, asker, operation).await }
    });
    let mut answers = futures::stream::iter(asked).buffered(limits::SEARCHED_AT_ONCE);
    let (mut users, mut more) = (Vec::new(), false);
    while let Some(page) = answers.next().await {
        let page = page?;
        more |= page.more;
        users.extend(page.users);
    }
    users.sort_by_cached_key(|user: &wire::User| NameKey::of(&user.name));
    more |= users.len() > limit;
    users.truncate(limit);
    service.directory.remember(&users);
    Ok(wire::Users { users, more })
}

fn search(
    view: &View,
    asker: UserId,
    slots: Range<u16>,
    (prefix, after): (&str, Option<&str>),
    limit: usize,
) -> Found<wire::Users> {
    if prefix.len() > limits::USERNAME_MAX_BYTES {
        return Ok(Ok(wire::Users::default()));
    }
    let (prefix, folded) = (NameKey::of(prefix), fold(prefix));
    let after = after.map(NameKey::of);
    let from = after.as_ref().map_or("", NameKey::as_str);
    let mut found = view.names_with_prefix(slots.clone(), prefix.as_str(), from, limit + 1)?;
    let mut more = found.len() > limit;
    found.truncate(limit);
    if folded != prefix.as_str() {
        // Accounts of versions before 0.2 have other keys. One page of them takes part in each
        // answer.
        found.extend(view.names_with_prefix(slots, &folded, "", limit)?);
    }
    let mut users = BTreeMap::new();
    for (_, id) in found {
        if let Some(user) = row(view, asker, id)? {
            users.insert((NameKey::of(&user.name), id), user);
        }
    }
    let behind = |key: &NameKey| after.as_ref().is_none_or(|after| key > after);
    let mut users: Vec<wire::User> =
        users.into_iter().filter(|((key, _), _)| behind(key)).map(|(_, user)| user).collect();
    more |= users.len() > limit;
    users.truncate(limit);
    Ok(Ok(wire::Users { users, more }))
}
