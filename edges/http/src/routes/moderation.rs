//! Settings of a group, bans, and its end.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire::change_group::Change;
use troupe_actors::message::{Refusal, wire};
use troupe_core::feature::Act;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path, user_of_path};
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit};
use crate::routes::event::Role;
use crate::routes::groups::{change_group, try_change_group};
use crate::routes::messages::Placed;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Any user, with the id of the group.
    Open,
    InviteOnly,
    /// Any user asks, and members that may invite decide.
    Approval,
}

/// The part of the log that later newcomers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum History {
    SinceJoining,
    Everything,
}

impl Join {
    pub fn wire(self) -> wire::JoinPolicy {
        match self {
            Join::Open => wire::JoinPolicy::JoinOpen,
            Join::InviteOnly => wire::JoinPolicy::JoinInviteOnly,
            Join::Approval => wire::JoinPolicy::JoinApproval,
        }
    }

    /// `None`: unchanged, or of a later version.
    pub fn of_wire(join: wire::JoinPolicy) -> Option<Join> {
        match join {
            wire::JoinPolicy::JoinOpen => Some(Join::Open),
            wire::JoinPolicy::JoinInviteOnly => Some(Join::InviteOnly),
            wire::JoinPolicy::JoinApproval => Some(Join::Approval),
            wire::JoinPolicy::JoinUnspecified => None,
        }
    }
}

impl History {
    pub fn wire(self) -> wire::HistoryPolicy {
        match self {
            History::SinceJoining => wire::HistoryPolicy::HistorySinceJoining,
            History::Everything => wire::HistoryPolicy::HistoryEverything,
        }
    }

    pub fn of_wire(history: wire::HistoryPolicy) -> Option<History> {
        match history {
            wire::HistoryPolicy::HistorySinceJoining => Some(History::SinceJoining),
            wire::HistoryPolicy::HistoryEverything => Some(History::Everything),
            wire::HistoryPolicy::HistoryUnspecified => None,
        }
    }
}

/// The settings that a change has made; absent ones stayed as they were.
#[derive(Serialize, ToSchema)]
pub struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// An announcement for all members.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
    /// A reference that clients understand.
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    join: Option<Join>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<History>,
    /// Between two messages of a member; 0: no slow mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_seconds: Option<u64>,
    /// Until then only admins speak; 0: all do.
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until_ms: Option<u64>,
    /// The least role for each act.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    permissions: BTreeMap<String, Role>,
    /// Plain members may not get to know each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_contact: Option<bool>,
    /// New messages vanish so many seconds after they are sent; 0: they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_seconds: Option<u64>,
}

impl From<wire::GroupSettings> for Settings {
    fn from(settings: wire::GroupSettings) -> Settings {
        let (join, history) = (Join::of_wire(settings.join()), History::of_wire(settings.history()));
        let permission = |of: &wire::Permission| {
            let act = Act::of(u32::try_from(of.act).ok()?)?;
            Some((act.name().to_owned(), Role::of_wire(of.role())))
        };
        let permissions = settings.permissions.iter().filter_map(permission).collect();
        let wire::GroupSettings { name, notice, avatar, slow_seconds, muted_until_ms, .. } = settings;
        let wire::GroupSettings { no_contact, retention_seconds, .. } = settings;
        Settings {
            name,
            notice,
            avatar,
            join,
            history,
            slow_seconds,
            muted_until_ms,
            permissions,
            no_contact,
            retention_seconds,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct Group {
    conversation: String,
    #[serde(flatten)]
    settings: Settings,
    /// Absent without a notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice_by: Option<Id>,
    notice_ms: u64,
    /// Banned users.
    bans: u32,
}

/// The settings of a group, or the retention of a direct conversation. Its members see them.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/settings", tag = "conversations",
    params(("conversation" = inline(Conversation), Path)), responses((status = 200, body = Group)))]
pub async fn settings(asker: Asker, Path(conversation): Path<String>) -> Result<Answer<Group>, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    let group = asker.perform(wire::ShowGroup { conversation, user_id: 0 }).await?;
    let wire::Group { conversation, settings, notice_by, notice_ms, bans, meeting: _ } = group;
    let notice_by = Some(Id(notice_by)).filter(|by| by.0 != 0);
    Ok(Answer(Group { conversation, settings: settings.unwrap_or_default().into(), notice_by, notice_ms, bans }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Heir {
    user: Id,
}

/// Makes another member the owner. The caller stays as an admin.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/transfer", tag = "conversations",
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = Heir, responses((status = 200, body = Placed)))]
pub async fn transfer(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(heir): Json<Heir>,
) -> Result<Answer<Placed>, Problem> {
    let changed = change_group(&asker, &conversation, key, Change::Transfer(heir.user.user()?)).await;
    changed.map_err(Problem::of_meaning)
}

/// Ends a group: it takes no message any more, and has no members. Owners may.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/disband", tag = "conversations",
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn disband(asker: Asker, Path(conversation): Path<String>, key: Key) -> Result<Answer<Placed>, Problem> {
    change_group(&asker, &conversation, key, Change::Disband(wire::Done {})).await
}

#[derive(Serialize, ToSchema)]
pub struct Bans {
    bans: Vec<Ban>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Ban {
    user_id: Id,
    by: Id,
    time_ms: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BansQuery {
    /// The last user of the page before.
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,15}$")]
    after: Option<Id>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Banned users in order of their ids. Admins see them.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/bans", tag = "members",
    params(("conversation" = inline(Conversation), Path), BansQuery), responses((status = 200, body = Bans)))]
pub async fn bans(
    asker: Asker,
    Path(conversation): Path<String>,
    Query(query): Query<BansQuery>,
) -> Result<Answer<Bans>, Problem> {
    let limit = limit(query.limit, limits::PAGE_BANS)?;
    let after = query.after.map_or(0, |after| after.0);
    let conversation = conversation_of_path(&conversation)?.to_string();
    let page = asker.perform(wire::ListBans { conversation, after, limit }).await?;
    let ban = |ban: wire::Ban| Ban { user_id: Id(ban.user_id), by: Id(ban.by), time_ms: ban.time_ms };
    Ok(Answer(Bans { bans: page.bans.into_iter().map(ban).collect(), more: page.more }))
}

/// Bans a user, and removes it if it is a member.
///
/// A user that is banned already gets 204: nothing is placed.
#[utoipa::path(put, path = "/v1/conversations/{conversation}/bans/{user}", tag = "members",
    params(("conversation" = inline(Conversation), Path), ("user" = inline(Id), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "The user is banned already")))]
pub async fn ban(asker: Asker, Path((group, user)): Path<(String, String)>, key: Key) -> Result<Response, Problem> {
    change_ban(&asker, &group, &user, false, key).await
}

/// Lifts a ban.
///
/// A user that is not banned gets 204: nothing is placed.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/bans/{user}", tag = "members",
    params(("conversation" = inline(Conversation), Path), ("user" = inline(Id), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "The user is not banned")))]
pub async fn lift(asker: Asker, Path((group, user)): Path<(String, String)>, key: Key) -> Result<Response, Problem> {
    change_ban(&asker, &group, &user, true, key).await
}

async fn change_ban(asker: &Asker, group: &str, user: &str, lifted: bool, key: Key) -> Result<Response, Problem> {
    let change = Change::Ban(wire::Banned { user: user_of_path(user)?, lifted });
    match try_change_group(asker, group, &key, change).await? {
        Ok(placed) => Ok(Answer(placed).into_response()),
        // `PUT` and `DELETE` name a state, and it is this one already.
        Err(refusal) if is_so(&refusal, lifted) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => Err(asker.refused(refusal).under(key.id)),
    }
}

fn is_so(refusal: &Refusal, lifted: bool) -> bool {
    let code_of_state = if lifted { "not_banned" } else { "already_banned" };
    matches!(refusal, Refusal::Rejected { code, .. } if code == code_of_state)
}
