//! Users by id, as far as this node has asked for them. A name never changes, so it may be kept;
//! that a user is there is believed for a while only, because an administrator may delete it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use troupe_core::{ConversationId, NameKey, Rejection, ShardId, UserId, limits};

use crate::context::NodeContext;
use crate::message::{Answer, Refusal, Request, wire};

/// For asking once more after a user that was there.
const AGAIN_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Directory {
    users: Mutex<BTreeMap<UserId, Known>>,
    /// Direct conversations with a message: they stay begun.
    begun: Mutex<BTreeSet<ConversationId>>,
}

#[derive(Clone)]
struct Known {
    name: String,
    deleted: bool,
    asked: Instant,
}

impl Known {
    /// Whether it is there; `None` where that has to be asked again.
    fn exists(&self) -> Option<bool> {
        let believed = self.deleted || self.asked.elapsed() < Duration::from_secs(limits::USER_BELIEVED_SECONDS);
        believed.then_some(!self.deleted)
    }
}

impl Directory {
    /// Whether this user was there a moment ago.
    pub fn knows(&self, user: UserId) -> bool {
        self.users.lock().get(&user).and_then(Known::exists) == Some(true)
    }

    /// Whether this node has seen a message of the direct conversation.
    pub fn has_begun(&self, conversation: ConversationId) -> bool {
        self.begun.lock().contains(&conversation)
    }

    pub fn begun(&self, conversation: ConversationId) {
        let mut begun = self.begun.lock();
        if begun.len() >= limits::BEGUN_REMEMBERED {
            // Starts empty again: simpler than counting uses, at one lookup per conversation.
            begun.clear();
        }
        begun.insert(conversation);
    }

    pub fn remember<'a>(&self, users: impl IntoIterator<Item = &'a wire::User>) {
        let asked = Instant::now();
        let mut known = self.users.lock();
        for user in users {
            if known.len() >= limits::USERS_REMEMBERED {
                // Starts empty again: simpler than counting uses, at one lookup per user.
                known.clear();
            }
            known.insert(UserId(user.user_id), Known { name: user.name.clone(), deleted: user.deleted, asked });
        }
    }

    /// An administrator has deleted the user at this node: the next lookup asks again.
    pub fn forget(&self, user: UserId) {
        self.users.lock().remove(&user);
    }

    /// Names of those users that exist, or have existed.
    pub async fn names(
        &self,
        context: &NodeContext,
        asker: UserId,
        users: impl IntoIterator<Item = UserId>,
        patience: Duration,
    ) -> Result<BTreeMap<UserId, String>, Refusal> {
        let mut found = BTreeMap::new();
        let mut asked: BTreeSet<UserId> = BTreeSet::new();
        {
            let known = self.users.lock();
            for user in users {
                match known.get(&user) {
                    Some(known) => drop(found.insert(user, known.name.clone())),
                    None => drop(asked.insert(user)),
                }
            }
        }
        let users = lookup(context, asker, asked.into_iter().collect(), Vec::new(), patience).await?;
        self.remember(&users);
        found.extend(users.into_iter().map(|user| (UserId(user.user_id), user.name)));
        Ok(found)
    }

    /// Refuses if one of them does not exist, or was deleted.
    pub async fn all_exist(
        &self,
        context: &NodeContext,
        asker: UserId,
        users: &[UserId],
        patience: Duration,
    ) -> Result<(), Refusal> {
        let (mut unknown, mut stale) = (Vec::new(), Vec::new());
        {
            let known = self.users.lock();
            for user in users {
                match known.get(user).map(Known::exists) {
                    Some(Some(true)) => {}
                    Some(Some(false)) => return Err(Rejection::NoSuchUser.into()),
                    Some(None) => stale.push(*user),
                    None => unknown.push(*user),
                }
            }
        }
        let count = unknown.len();
        let there = |user: &wire::User| !user.deleted;
        let again = async {
            let Ok(found) = lookup(context, asker, stale, Vec::new(), AGAIN_PATIENCE).await else {
                // The user existed a moment ago, and its shard does not answer: a message does not
                // wait for that failover.
                return true;
            };
            self.remember(&found);
            found.iter().all(there)
        };
        let first = lookup(context, asker, unknown, Vec::new(), patience);
        let (still, first) = tokio::join!(again, first);
        let first = first?;
        self.remember(&first);
        let all = still && first.len() == count && first.iter().all(there);
        if all { Ok(()) } else { Err(Rejection::NoSuchUser.into()) }
    }
}

/// Users by typed name: at most one for each, the one whose key is the most exact.
pub async fn lookup_names(
    context: &NodeContext,
    asker: UserId,
    names: &[String],
    patience: Duration,
) -> Result<Vec<wire::User>, Refusal> {
    let sought: Vec<Vec<NameKey>> = names.iter().map(|name| NameKey::candidates(name)).collect();
    let found = lookup(context, asker, Vec::new(), sought.iter().flatten().cloned().collect(), patience).await?;
    // An account has the key of its name, or the one of a version before 0.2, which is the more
    // exact.
    let mut by_key: BTreeMap<NameKey, &wire::User> = BTreeMap::new();
    by_key.extend(found.iter().map(|user| (NameKey::of(&user.name), user)));
    by_key.extend(found.iter().map(|user| (NameKey::kept(&user.name), user)));
    let mut users: BTreeMap<u64, wire::User> = BTreeMap::new();
    for user in sought.iter().filter_map(|keys| keys.iter().find_map(|key| by_key.get(key))) {
        users.insert(user.user_id, (*user).clone());
    }
    Ok(users.into_values().collect())
}

/// Users by id and by key, wherever they live. The reads take their turn among those of `asker`.
pub async fn lookup(
    context: &NodeContext,
    asker: UserId,
    ids: Vec<UserId>,
    names: Vec<NameKey>,
    patience: Duration,
) -> Result<Vec<wire::User>, Refusal> {
    let mut by_shard: BTreeMap<ShardId, (Vec<UserId>, Vec<NameKey>)> = BTreeMap::new();
    let shard_of = |slot| context.router.shard_of(slot).ok_or(Refusal::OVERLOADED);
    for id in ids {
        by_shard.entry(shard_of(id.slot())?).or_default().0.push(id);
    }
    for name in names {
        by_shard.entry(shard_of(name.slot())?).or_default().1.push(name);
    }
    let answers = by_shard.into_values().filter_map(|(ids, names)| {
        let slot = ids.first().map(|id| id.slot()).or_else(|| names.first().map(|name| name.slot()))?;
        Some(context.router.ask(slot, Request::Users { asker, ids, names }, patience))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn that_a_user_is_there_is_believed_for_a_while() {
        let directory = Directory::default();
        let user = |deleted| wire::User { user_id: 7, name: "ann".into(), deleted, ..Default::default() };
        directory.remember([&user(false)]);
        assert!(directory.knows(UserId(7)));
        tokio::time::advance(Duration::from_secs(limits::USER_BELIEVED_SECONDS)).await;
        assert!(!directory.knows(UserId(7)));
        directory.remember([&user(true)]);
        assert!(!directory.knows(UserId(7)));
        directory.remember([&user(false)]);
        directory.forget(UserId(7));
        assert!(!directory.knows(UserId(7)));
    }
}
