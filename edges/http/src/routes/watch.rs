//! Presence that is pushed: the users that a session watches.

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{self, Id};
use crate::json::Json;
use crate::problem::Problem;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// At most 200; an empty list ends the watch.
    users: Vec<Id>,
}

#[derive(Serialize, ToSchema)]
pub struct Watching {
    /// Those of them that exist, at present.
    users: Vec<Watched>,
}

/// The presence of a user, as far as the caller may see it; also the data of the event `presence`.
#[derive(Serialize, ToSchema)]
pub struct Watched {
    user_id: Id,
    online: bool,
    /// When it was last online, coarsely; absent: never, or the caller may not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_ms: Option<u64>,
}

impl From<wire::PresencePush> for Watched {
    fn from(presence: wire::PresencePush) -> Watched {
        let wire::PresencePush { user_id, online, last_seen_ms } = presence;
        Watched { user_id: Id(user_id), online, last_seen_ms: Some(last_seen_ms).filter(|at| *at > 0) }
    }
}

/// Sets the users whose presence the streams of this session get.
///
/// It replaces the users before. The watch lasts while a stream of the session is open and for 30
/// seconds behind it, so a client sets it again after each `ready`.
#[utoipa::path(put, path = "/v1/me/watch", tag = "me", request_body = Watch,
    responses((status = 200, body = Watching)))]
pub async fn watch(asker: Asker, Json(watch): Json<Watch>) -> Result<Answer<Watching>, Problem> {
    let watched = asker.perform(wire::Watch { user_ids: ids::users(&watch.users)? }).await?;
    Ok(Answer(Watching { users: watched.users.into_iter().map(Watched::from).collect() }))
}
