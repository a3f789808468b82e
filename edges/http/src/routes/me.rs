//! The caller's own account and sessions.

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::record::AccountRole;
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::Id;
use crate::json::Json;
use crate::key::Key;
use crate::problem::{Problem, name_is_final};
use crate::query::Path;
use crate::routes::users::Profile;

#[derive(Serialize, ToSchema)]
pub struct Me {
    user_id: Id,
    name: String,
    /// The device of this session.
    device: String,
    /// Whether this account administers the cluster.
    admin: bool,
    /// `user`, `auditor` or `admin`.
    role: &'static str,
    #[serde(flatten)]
    profile: OwnProfile,
}

/// The caller's profile.
#[derive(Serialize, ToSchema)]
pub struct OwnProfile {
    #[serde(flatten)]
    profile: Profile,
    /// Counts the changes of the profile.
    version: u64,
    /// Whose first direct message is on the caller's list at once. It is not shown to others.
    messages_from: Audience,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    Everyone,
    /// The message of another user waits as an invitation.
    Contacts,
}

impl From<Audience> for wire::Audience {
    fn from(audience: Audience) -> wire::Audience {
        match audience {
            Audience::Everyone => wire::Audience::Everyone,
            Audience::Contacts => wire::Audience::Contacts,
        }
    }
}

impl From<wire::OwnProfile> for OwnProfile {
    fn from(own: wire::OwnProfile) -> OwnProfile {
        let messages_from = match own.messages_from() {
            wire::Audience::Contacts => Audience::Contacts,
            wire::Audience::Everyone | wire::Audience::Unspecified => Audience::Everyone,
        };
        OwnProfile { profile: own.profile.unwrap_or_default().into(), version: own.version, messages_from }
    }
}

impl Me {
    async fn of(asker: &Asker) -> Result<Me, Problem> {
        let profile = asker.perform(wire::ShowProfile {}).await?.into();
        let known = &asker.known;
        let device = known.caller.session.device.to_string();
        Ok(Me {
            user_id: known.caller.user().into(),
            name: known.name.clone(),
            device,
            admin: known.role == AccountRole::Admin,
            role: known.role.name(),
            profile,
        })
    }
}

/// The account with its profile, and the device of this session.
#[utoipa::path(get, path = "/v1/me", tag = "me", responses((status = 200, body = Me)))]
pub async fn show(asker: Asker) -> Result<Answer<Me>, Problem> {
    Me::of(&asker).await.map(Answer)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMe {
    /// The name that the account has: it is for life.
    name: Option<String>,
    /// For people, not unique. Empty: none, as with the other texts.
    #[schema(max_length = 64)]
    display_name: Option<String>,
    /// A reference that clients understand, such as the hash of a file.
    #[schema(max_length = 256)]
    avatar: Option<String>,
    /// May have several lines.
    #[schema(max_length = 1024)]
    about: Option<String>,
    /// A tag of BCP 47.
    #[schema(max_length = 35)]
    language: Option<String>,
    messages_from: Option<Audience>,
}

/// Changes those properties that the body names.
///
/// The present `name` is accepted, another one is refused with `name_is_final`.
#[utoipa::path(patch, path = "/v1/me", tag = "me", request_body = ChangeMe,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Me)))]
pub async fn change(asker: Asker, key: Key, Json(change): Json<ChangeMe>) -> Result<Answer<Me>, Problem> {
    let ChangeMe { name, display_name, avatar, about, language, messages_from } = change;
    let messages_from = messages_from.map(|from| wire::Audience::from(from).into());
    if name.is_some_and(|name| name != asker.known.name) {
        asker.read().await?;
        return Err(name_is_final());
    }
    let texts = [&display_name, &avatar, &about, &language];
    if texts.into_iter().any(Option::is_some) || messages_from.is_some() {
        let request = key.bytes();
        let change = wire::ChangeProfile { request, display_name, avatar, about, language, messages_from };
        asker.perform(change).await.map_err(|problem| problem.of_meaning().under(key.id))?;
    }
    Me::of(&asker).await.map(Answer)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    #[schema(max_length = 256)]
    old_password: String,
    #[schema(min_length = 8, max_length = 256)]
    new_password: String,
}

/// Sets another password, and ends the sessions of the other devices.
#[utoipa::path(post, path = "/v1/me/password", tag = "me", request_body = ChangePassword,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is changed")))]
pub async fn password(asker: Asker, key: Key, Json(change): Json<ChangePassword>) -> Result<StatusCode, Problem> {
    let ChangePassword { old_password, new_password } = change;
    let change = wire::ChangePassword { old_password, new_password, request: key.bytes() };
    asker.perform(change).await.map_err(|problem| problem.under(key.id))?;
    asker.forget_tokens();
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize, ToSchema)]
pub struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Serialize, ToSchema)]
pub struct Session {
    device: String,
    created_ms: u64,
    /// Its last use, coarsely.
    used_ms: u64,
    /// Whether it has a connection. Requests of this API are none.
    online: bool,
    /// Whether it is the one of this request.
    current: bool,
}

impl From<wire::Sessions> for Sessions {
    fn from(list: wire::Sessions) -> Sessions {
        let session = |session: wire::Session| {
            let wire::Session { device, created_ms, used_ms, online, current } = session;
            Session { device, created_ms, used_ms, online, current }
        };
        Sessions { sessions: list.sessions.into_iter().map(session).collect() }
    }
}

/// All sessions of the caller, in order of their devices.
#[utoipa::path(get, path = "/v1/me/sessions", tag = "me", responses((status = 200, body = Sessions)))]
pub async fn sessions(asker: Asker) -> Result<Answer<Sessions>, Problem> {
    Ok(Answer(asker.perform(wire::ListSessions {}).await?.into()))
}

/// Ends the session of a device, if there is one.
#[utoipa::path(delete, path = "/v1/me/sessions/{device}", tag = "me",
    params(("device" = String, Path, description = "As listed, percent-encoded")),
    responses((status = 204, description = "There is no such session any more")))]
pub async fn end_session(asker: Asker, Path(device): Path<String>) -> Result<StatusCode, Problem> {
    asker.perform(wire::RevokeSession { device }).await?;
    asker.forget_tokens();
    Ok(StatusCode::NO_CONTENT)
}
