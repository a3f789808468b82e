//! `list_sessions`: the sessions of the user who asks, with which of them are online.

use troupe_core::UserId;
use troupe_core::machine::session::has_expired;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, Session, wire};
use crate::service::{Caller, Service};
use crate::shard::touch::{self, Rest};

/// Rows of a user's sessions, about.
const ROWS: usize = 8;

impl Operation for wire::ListSessions {
    fn cost(&self) -> Cost {
        Cost::Units(READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let mut list = service.ask_leader(caller.user().slot(), caller.user(), self).await?;
        for session in &mut list.sessions {
            session.current = session.device == caller.session.device.as_str();
        }
        Ok(list)
    }
}

impl AtLeader for wire::ListSessions {
    fn plan(self, user: UserId, leader: &Leader<'_>) -> Result<Plan<wire::Sessions>, Refusal> {
        let online = leader.presence.sessions(user).to_vec();
        let rest = touch::rest(leader.context);
        Ok(Plan::read(user, ROWS, move |view| sessions(view, user, &online, rest)))
    }
}

pub fn sessions(view: &View, user: UserId, online: &[Session], rest: Rest) -> Found<wire::Sessions> {
    let sessions = view.sessions(user)?;
    let open = sessions.into_iter().filter(|session| !has_expired(session, rest.now, rest.idle_ms));
    let sessions = open.map(|session| wire::Session {
        device: session.device.to_string(),
        created_ms: session.created.0,
        used_ms: session.last_used().0,
        online: online.iter().any(|live| live.device == session.device),
        current: false,
    });
    Ok(Ok(wire::Sessions { sessions: sessions.collect() }))
}
