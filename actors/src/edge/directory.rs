//! Names of users by id, as far as this node has asked for them. A name never changes, so it may be
//! kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;
use troupe_core::{NameKey, Rejection, ShardId, UserId, limits};

use crate::message::{Answer, Refusal, Request, say};
use crate::world::World;

#[derive(Default)]
pub struct Directory {
    names: Mutex<BTreeMap<UserId, String>>,
}

impl Directory {
    pub fn knows(&self, user: UserId) -> bool {
        self.names.lock().contains_key(&user)
    }

    pub fn remember<'a>(&self, users: impl IntoIterator<Item = &'a say::User>) {
        let mut names = self.names.lock();
        for user in users {
            if names.len() >= limits::USERS_REMEMBERED {
                // Begins anew: simpler than counting uses, and it costs one question per user.
                names.clear();
            }
            names.insert(UserId(user.user_id), user.name.clone());
        }
    }

    /// Names of those users that exist.
    pub async fn names(
        &self,
        world: &World,
        asker: UserId,
        users: impl IntoIterator<Item = UserId>,
        patience: Duration,
    ) -> Result<BTreeMap<UserId, String>, Refusal> {
        let mut found = BTreeMap::new();
        let mut asked: BTreeSet<UserId> = BTreeSet::new();
        {
            let names = self.names.lock();
            for user in users {
                match names.get(&user) {
                    Some(name) => drop(found.insert(user, name.clone())),
                    None => drop(asked.insert(user)),
                }
            }
        }
        let users = lookup(world, asker, asked.into_iter().collect(), Vec::new(), patience).await?;
        self.remember(&users);
        found.extend(users.into_iter().map(|user| (UserId(user.user_id), user.name)));
        Ok(found)
    }

    /// Refuses if one of them does not exist.
    pub async fn all_exist(
        &self,
        world: &World,
        asker: UserId,
        users: &[UserId],
        patience: Duration,
    ) -> Result<(), Refusal> {
        let names = self.names(world, asker, users.iter().copied(), patience).await?;
        if users.iter().all(|user| names.contains_key(user)) { Ok(()) } else { Err(Rejection::NoSuchUser.into()) }
    }
}

/// Users by typed name: at most one for each, the one whose key is the most exact.
pub async fn lookup_names(
    world: &World,
    asker: UserId,
    names: &[String],
    patience: Duration,
) -> Result<Vec<say::User>, Refusal> {
    let sought: Vec<Vec<NameKey>> = names.iter().map(|name| NameKey::candidates(name)).collect();
    let found = lookup(world, asker, Vec::new(), sought.iter().flatten().cloned().collect(), patience).await?;
    // An account has the key of its name, or the one of a version before 0.2, which is the more
    // exact.
    let mut by_key: BTreeMap<NameKey, &say::User> = BTreeMap::new();
    by_key.extend(found.iter().map(|user| (NameKey::of(&user.name), user)));
    by_key.extend(found.iter().map(|user| (NameKey::kept(&user.name), user)));
    let mut users: BTreeMap<u64, say::User> = BTreeMap::new();
    for user in sought.iter().filter_map(|keys| keys.iter().find_map(|key| by_key.get(key))) {
        users.insert(user.user_id, (*user).clone());
    }
    Ok(users.into_values().collect())
}

/// Users by id and by key, wherever they live. The reads take their turn among those of `asker`.
pub async fn lookup(
    world: &World,
    asker: UserId,
    ids: Vec<UserId>,
    names: Vec<NameKey>,
    patience: Duration,
) -> Result<Vec<say::User>, Refusal> {
    let mut by_shard: BTreeMap<ShardId, (Vec<UserId>, Vec<NameKey>)> = BTreeMap::new();
    let shard_of = |slot| world.router.shard_of(slot).ok_or(Refusal::OVERLOADED);
    for id in ids {
        by_shard.entry(shard_of(id.slot())?).or_default().0.push(id);
    }
    for name in names {
        by_shard.entry(shard_of(name.slot())?).or_default().1.push(name);
    }
    let answers = by_shard.into_values().filter_map(|(ids, names)| {
        let slot = ids.first().map(|id| id.slot()).or_else(|| names.first().map(|name| name.slot()))?;
        Some(world.router.ask(slot, Request::Users { asker, ids, names }, patience))
    });
    let mut users = Vec::new();
    for answer in futures::future::join_all(answers).await {
        match answer? {
            Answer::Users(found) => users.extend(found.users),
            _ => return Err(Refusal::Unavailable),
        }
    }
    Ok(users)
}
