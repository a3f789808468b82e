//! `watch`: the presence of users as it changes, for the connections of the caller's session.
//!
//! The connections may be at other nodes, as with HTTP: the leader of the caller passes the watch
//! on to them. The one under the request hears of it at once.

use std::collections::BTreeSet;

use troupe_core::{Rejection, UserId, limits};

use super::cost::{CHANGE, Cost, READ};
use super::{Answered, Operation};
use crate::directory::lookup;
use crate::message::{Request, wire};
use crate::protocol::FanoutMsg;
use crate::router::PATIENCE;
use crate::service::{Caller, Service, done};

/// Users that cost a unit: each is looked up here and by its leader, and pushed later.
const USERS_PER_UNIT: u64 = 4;

impl Operation for wire::Watch {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE + READ + self.user_ids.len() as u64 / USERS_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        if self.user_ids.len() > limits::WATCHED_USERS {
            return Err(Rejection::TooMany.into());
        }
        let users: BTreeSet<UserId> = self.user_ids.into_iter().map(UserId).filter(|user| user.0 != 0).collect();
        let (session, ids): (_, Vec<UserId>) = (caller.session.clone(), users.iter().copied().collect());
        done(
            service.ask(caller.user().slot(), Request::Watch { session: session.clone(), users: ids.clone() }).await?,
        )?;
        service.context.router.tell_fanout(FanoutMsg::Watch { session, users });
        let found = lookup(&service.context, caller.user(), ids, Vec::new(), PATIENCE).await?;
        service.directory.remember(&found);
        let there = found.iter().filter(|user| !user.deleted);
        let users = there.map(|user| wire::PresencePush {
            user_id: user.user_id,
            online: user.online,
            last_seen_ms: user.last_seen_ms,
        });
        Ok(wire::Watched { users: users.collect() })
    }
}
