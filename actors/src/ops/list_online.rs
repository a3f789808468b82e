//! `list_online`: a page of the users who are online, in order of the keys of their names.
//!
//! Names are in rows and presence is not, so each shard's leader keeps the names of those who are
//! online: each row is read once, and one request reads a bounded number of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use troupe_core::{NameKey, UserId, limits};
use troupe_store::engine::EngineError;

use super::cost::{Cost, ONLINE};
use super::find_users::{after, of_all_shards};
use super::get_users::{row, show_online};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ListOnline {
    /// A question to each shard of the cluster, over all users who are online.
    fn cost(&self) -> Cost {
        Cost::Units(ONLINE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        // No name is that long, so none follows.
        if self.after.len() > limits::USERNAME_MAX_BYTES {
            return Ok(wire::Users::default());
        }
        of_all_shards(&service, caller.user(), page_limit(self.limit, limits::PAGE_USERS), || self.clone()).await
    }
}

impl AtLeader for wire::ListOnline {
    fn plan(self, user: UserId, leader: &Leader<'_>) -> Result<Plan<wire::Users>, Refusal> {
        let (online, names, limit) =
            (leader.presence.online(), leader.names.clone(), page_limit(self.limit, limits::PAGE_USERS));
        let rows = names.cost(online.len(), limit);
        let read = Plan::read(user, rows, move |view| {
            let page = names.page(&online, after(&self.after), limit, |of| row(view, user, of))?;
            // The row says whether the asker may see it.
            Ok(page.map(|mut page| {
                page.users.retain(|user| user.online);
                page
            }))
        });
        Ok(read.completed(show_online))
    }
}

/// Shared, cheap to clone.
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<BTreeMap<UserId, NameKey>>>);

impl Names {
    /// How many rows a page costs at most.
    pub fn cost(&self, online: usize, limit: usize) -> usize {
        online.saturating_sub(self.0.lock().len()).min(limits::ONLINE_READ) + limit
    }

    /// A page of these users, who are sorted, in order of their keys. `row` reads one of them.
    pub fn page(
        &self,
        online: &[UserId],
        after: Option<&str>,
        limit: usize,
        mut row: impl FnMut(UserId) -> Result<Option<wire::User>, EngineError>,
    ) -> Found<wire::Users> {
        let after = after.map(NameKey::of);
        let mut names = self.0.lock();
        names.retain(|user, _| online.binary_search(user).is_ok());
        let unknown: Vec<UserId> = online.iter().copied().filter(|user| !names.contains_key(user)).collect();
        for user in unknown.iter().take(limits::ONLINE_READ) {
            if let Some(read) = row(*user)? {
                names.insert(*user, NameKey::of(&read.name));
            }
        }
        if unknown.len() > limits::ONLINE_READ {
            return Ok(Err(Refusal::OVERLOADED));
        }
        let behind = |key: &NameKey| after.as_ref().is_none_or(|after| key > after);
        let mut wanted: Vec<(NameKey, UserId)> =
            names.iter().filter(|(_, key)| behind(key)).map(|(user, key)| (key.clone(), *user)).collect();
        drop(names);
        wanted.sort();
        let more = wanted.len() > limit;
        wanted.truncate(limit);
        let mut users = Vec::with_capacity(wanted.len());
        for (_, user) in wanted {
            users.extend(row(user)?);
        }
        Ok(Ok(wire::Users { users, more }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_read_once_and_a_bounded_number_at_once() {
        let names = Names::default();
        let online: Vec<UserId> = (1..=limits::ONLINE_READ as u64 + 50).map(UserId).collect();
        let mut read = 0;
        let mut page = |online: &[UserId], after: Option<&str>| {
            read = 0;
            let row = |user: UserId| {
                read += 1;
                // The higher the id, the earlier the name.
                Ok(Some(wire::User { user_id: user.0, name: format!("user{}", 99_999 - user.0), ..Default::default() }))
            };
            let answer = names.page(online, after, 10, row).expect("rows can be read");
            (answer.map(|page| (page.users.iter().map(|user| user.user_id).collect::<Vec<_>>(), page.more)), read)
        };
        assert_eq!(page(&online, None), (Err(Refusal::OVERLOADED), limits::ONLINE_READ));
        let last = online.len() as u64;
        let expected: Vec<u64> = (last - 9..=last).rev().collect();
        assert_eq!(page(&online, None), (Ok((expected, true)), 50 + 10));
        let after = format!("user{}", 99_999 - (last - 9));
        let expected: Vec<u64> = (last - 19..=last - 10).rev().collect();
        assert_eq!(page(&online, Some(&after)), (Ok((expected, true)), 10));
        assert_eq!(page(&online[..2], None), (Ok((vec![2, 1], false)), 2), "the others have gone");
    }
}
