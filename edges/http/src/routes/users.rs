//! Other users.

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::{Rejection, limits};
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::Id;
use crate::json::Json;
use crate::problem::Problem;
use crate::query::{Path, Query, limit};

#[derive(Serialize, ToSchema)]
pub struct Users {
    users: Vec<User>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct User {
    user_id: Id,
    name: String,
    online: bool,
    /// When it was last online, coarsely; absent: never, or the caller may not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_ms: Option<u64>,
    /// Only its messages are left.
    deleted: bool,
    /// Whether it is a bot.
    bot: bool,
    /// The owner of a bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Id>,
    #[serde(flatten)]
    profile: Profile,
}

/// The texts that a user shows to others. A text without a value is empty.
#[derive(Serialize, ToSchema)]
pub struct Profile {
    /// Not unique.
    display_name: String,
    /// A reference that clients understand, such as the hash of a file.
    avatar: String,
    about: String,
    /// A tag of BCP 47.
    language: String,
}

impl From<wire::Profile> for Profile {
    fn from(profile: wire::Profile) -> Profile {
        let wire::Profile { display_name, avatar, about, language } = profile;
        Profile { display_name, avatar, about, language }
    }
}

impl From<wire::User> for User {
    fn from(user: wire::User) -> User {
        let wire::User { user_id, name, online, deleted, profile, last_seen_ms, presence_shown_to: _, bot_of } = user;
        let last_seen_ms = Some(last_seen_ms).filter(|at| *at > 0);
        let (bot, owner) = (bot_of != 0, Some(Id(bot_of)).filter(|owner| owner.0 != 0));
        let profile = profile.unwrap_or_default().into();
        User { user_id: Id(user_id), name, online, last_seen_ms, deleted, bot, owner, profile }
    }
}

impl From<wire::Users> for Users {
    fn from(page: wire::Users) -> Users {
        Users { users: page.users.into_iter().map(User::from).collect(), more: page.more }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FindQuery {
    /// Look-alikes count as the same.
    prefix: Option<String>,
    /// The last name of the page before.
    after: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Users whose name begins with a prefix, in order of their names.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(FindQuery), responses((status = 200, body = Users)))]
pub async fn find(asker: Asker, Query(query): Query<FindQuery>) -> Result<Answer<Users>, Problem> {
    let limit = limit(query.limit, limits::PAGE_USERS)?;
    let (prefix, after) = (query.prefix.unwrap_or_default(), query.after.unwrap_or_default());
    Ok(Answer(asker.perform(wire::FindUsers { prefix, after, limit }).await?.into()))
}

/// One user, by its id in decimal, or by its name.
#[utoipa::path(get, path = "/v1/users/{user}", tag = "users",
    params(("user" = String, Path, description = "An id in decimal, or a name")),
    responses((status = 200, body = User)))]
pub async fn show(asker: Asker, Path(user): Path<String>) -> Result<Answer<User>, Problem> {
    Ok(Answer(named(&asker, user).await?.into()))
}

async fn named(asker: &Asker, user: String) -> Result<wire::User, Problem> {
    // A text of digits is no name.
    let get = match Id::parse(&user) {
        Some(id) => wire::GetUsers { ids: vec![id.user()?], names: Vec::new() },
        None => wire::GetUsers { ids: Vec::new(), names: vec![user] },
    };
    let found = asker.perform(get).await?.users.into_iter().next();
    found.ok_or_else(|| asker.refused(Rejection::NoSuchUser.into()))
}

/// Whether a user is online, as far as the caller may see it.
#[derive(Serialize, ToSchema)]
pub struct Presence {
    online: bool,
    /// When it was last online, coarsely; absent: never, or the caller may not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_ms: Option<u64>,
}

/// Whether a user is online, and when it last was.
///
/// A user that hides it from the caller looks like one that was never online.
#[utoipa::path(get, path = "/v1/users/{user}/presence", tag = "users",
    params(("user" = String, Path, description = "An id in decimal, or a name")),
    responses((status = 200, body = Presence)))]
pub async fn presence(asker: Asker, Path(user): Path<String>) -> Result<Answer<Presence>, Problem> {
    let User { online, last_seen_ms, .. } = named(&asker, user).await?.into();
    Ok(Answer(Presence { online, last_seen_ms }))
}

/// The users who see whether the caller is online, and when it last was.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Viewers {
    Everyone,
    Contacts,
    NoOne,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresenceSettings {
    shown_to: Viewers,
}

/// The viewers of the caller's presence.
#[utoipa::path(get, path = "/v1/me/presence", tag = "me", responses((status = 200, body = PresenceSettings)))]
pub async fn own_presence(asker: Asker) -> Result<Answer<PresenceSettings>, Problem> {
    let get = wire::GetUsers { ids: vec![asker.user()], names: Vec::new() };
    let own = asker.perform(get).await?.users.into_iter().next().unwrap_or_default();
    let shown_to = match own.presence_shown_to() {
        wire::Viewers::Everyone => Viewers::Everyone,
        wire::Viewers::Contacts => Viewers::Contacts,
        wire::Viewers::NoOne => Viewers::NoOne,
    };
    Ok(Answer(PresenceSettings { shown_to }))
}

/// Changes who sees the caller's presence.
#[utoipa::path(put, path = "/v1/me/presence", tag = "me", request_body = PresenceSettings,
    responses((status = 204, description = "It is kept")))]
pub async fn change_presence(asker: Asker, Json(settings): Json<PresenceSettings>) -> Result<StatusCode, Problem> {
    let shown_to = match settings.shown_to {
        Viewers::Everyone => wire::Viewers::Everyone,
        Viewers::Contacts => wire::Viewers::Contacts,
        Viewers::NoOne => wire::Viewers::NoOne,
    };
    asker.perform(wire::ChangePresence { shown_to: shown_to.into() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OnlineQuery {
    /// The last name of the page before.
    after: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Users who are online now, in order of their names.
#[utoipa::path(get, path = "/v1/online", tag = "users", params(OnlineQuery), responses((status = 200, body = Users)))]
pub async fn online(asker: Asker, Query(query): Query<OnlineQuery>) -> Result<Answer<Users>, Problem> {
    let limit = limit(query.limit, limits::PAGE_USERS)?;
    let after = query.after.unwrap_or_default();
    Ok(Answer(asker.perform(wire::ListOnline { after, limit }).await?.into()))
}
