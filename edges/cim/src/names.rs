//! Names of senders. A name never changes, so it is asked for once.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use troupe_actors::message::{Refusal, wire};
use troupe_actors::service::{Caller, Service};
use troupe_core::{UserId, limits};

#[derive(Default)]
pub struct Names(Mutex<BTreeMap<UserId, String>>);

impl Names {
    /// Without asking. `None`: a name is unknown.
    pub fn known(&self, users: impl IntoIterator<Item = UserId>) -> Option<BTreeMap<UserId, String>> {
        let known = self.0.lock();
        users.into_iter().map(|user| Some((user, known.get(&user)?.clone()))).collect()
    }

    /// A user that does not exist has its id for a name.
    pub async fn of(
        &self,
        service: &Service,
        caller: &Caller,
        users: impl IntoIterator<Item = UserId>,
    ) -> Result<BTreeMap<UserId, String>, Refusal> {
        let (mut found, mut asked) = (BTreeMap::new(), BTreeSet::new());
        {
            let known = self.0.lock();
            for user in users {
                match known.get(&user) {
                    Some(name) => drop(found.insert(user, name.clone())),
                    None => drop(asked.insert(user)),
                }
            }
        }
        let asked: Vec<UserId> = asked.into_iter().collect();
        for part in asked.chunks(limits::PAGE_USERS) {
            let request = wire::GetUsers { ids: part.iter().map(|user| user.0).collect(), names: Vec::new() };
            let users = service.perform(caller, request).await?.users;
            let mut known = self.0.lock();
            if known.len() + users.len() > limits::USERS_REMEMBERED {
                // Starts empty again: simpler than counting uses, at one lookup per user.
                known.clear();
            }
            for user in users {
                known.insert(UserId(user.user_id), user.name.clone());
                found.insert(UserId(user.user_id), user.name);
            }
            for user in part {
                found.entry(*user).or_insert_with(|| user.to_string());
            }
        }
        Ok(found)
    }
}
