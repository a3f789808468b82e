//! The caller's conversations, and its positions in them.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_actors::message::wire::change_group::Change;
use troupe_core::feature::Act;
use troupe_core::{Rejection, limits};
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation as ConversationText, conversation_of_path};
use crate::json::{Json, whole, whole_given};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit, seq};
use crate::routes::event::Role;
use crate::routes::groups::change_group;
use crate::routes::messages::{Placed, given};
use crate::routes::moderation::{History, Join};
use crate::routes::personal::PersonalState;

#[derive(Serialize, ToSchema)]
pub struct Conversation {
    conversation: String,
    /// A group's name, or the other user's.
    name: String,
    /// The seq of its latest event.
    head: u64,
    time_ms: u64,
    delivered: u64,
    read: u64,
    unread: u64,
    members: u32,
    /// Of the caller.
    role: Role,
    /// Whether any user may join.
    open: bool,
    /// In a cluster that was restored: the seq up to which the conversation is the same as before.
    kept: u64,
    /// The caller's own.
    me: PersonalState,
    /// Unread messages that mention the caller or everyone; 100: that many or more.
    mentions: u32,
}

impl From<wire::Conversation> for Conversation {
    fn from(row: wire::Conversation) -> Conversation {
        let role = Role::of_wire(row.role());
        let wire::Conversation {
            conversation,
            name,
            head,
            time_ms,
            delivered,
            read,
            unread,
            members,
            open,
            kept,
            personal,
            mentions,
            ..
        } = row;
        let me = personal.unwrap_or_default().into();
        Conversation {
            conversation,
            name,
            head,
            time_ms,
            delivered,
            read,
            unread,
            members,
            role,
            open,
            kept,
            me,
            mentions,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct Conversations {
    conversations: Vec<Conversation>,
    more: bool,
    /// Conversations whose shard does not answer now: ask again.
    unavailable: Vec<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The greatest conversation of the page before, of both lists.
    after: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// The caller's conversations with their unread counts: `everyone`, direct ones, groups.
#[utoipa::path(get, path = "/v1/conversations", tag = "conversations", params(ListQuery),
    responses((status = 200, body = Conversations)))]
pub async fn list(asker: Asker, Query(query): Query<ListQuery>) -> Result<Answer<Conversations>, Problem> {
    let limit = limit(query.limit, limits::PAGE_CONVERSATIONS)?;
    let after = match query.after.filter(|after| !after.is_empty()) {
        Some(after) => conversation_of_path(&after)?.to_string(),
        None => String::new(),
    };
    let list = asker.perform(wire::ListConversations { after, limit }).await?;
    let wire::Conversations { conversations, more, unavailable } = list;
    let conversations = conversations.into_iter().map(Conversation::from).collect();
    Ok(Answer(Conversations { conversations, more, unavailable }))
}

/// Where one conversation stands.
#[utoipa::path(get, path = "/v1/conversations/{conversation}", tag = "conversations",
    params(("conversation" = inline(ConversationText), Path)),
    responses((status = 200, body = Conversation)))]
pub async fn show(asker: Asker, Path(conversation): Path<String>) -> Result<Answer<Conversation>, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    let found = asker.perform(wire::GetConversations { conversations: vec![conversation] }).await?;
    if !found.unavailable.is_empty() {
        return Err(wire::Failure::no_leader(1_000).into());
    }
    let row = found.conversations.into_iter().next();
    row.map(|row| Answer(row.into())).ok_or_else(|| asker.refused(Rejection::NotMember.into()))
}

/// Settings of a group; absent ones stay as they are. A direct conversation has `retention_seconds`
/// only.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeConversation {
    #[serde(deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 64)]
    name: Option<String>,
    /// An announcement for all members; empty: none.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = String, max_length = 4096)]
    notice: Option<String>,
    /// A reference that clients understand, such as the hash of a file; empty: none.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = String, max_length = 256, pattern = "^[!-~]*$")]
    avatar: Option<String>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Join)]
    join: Option<Join>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = History)]
    history: Option<History>,
    /// Between two messages of a member; 0: no slow mode.
    #[serde(deserialize_with = "whole_given")]
    #[schema(value_type = u64, minimum = 0, maximum = 86400)]
    slow_seconds: Option<u64>,
    /// Until then only admins speak; 0: all do.
    #[serde(deserialize_with = "whole_given")]
    #[schema(value_type = u64, minimum = 0, maximum = 9007199254740991u64)]
    muted_until_ms: Option<u64>,
    /// The least role for each act: `rename`, `add`, `remove`, `pin`, `notice`, `mute`, `ban`,
    /// `settings`, `invite`. Owners may change it.
    permissions: BTreeMap<String, Role>,
    /// Plain members may not get to know each other: they see no list of members, and ask each
    /// other for no contact.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = bool)]
    no_contact: Option<bool>,
    /// New messages vanish so many seconds after they are sent; 0: they stay.
    #[serde(deserialize_with = "whole_given")]
    #[schema(value_type = u64, minimum = 0, maximum = 31622400)]
    retention_seconds: Option<u64>,
}

impl ChangeConversation {
    /// A name alone is a change that every version knows.
    fn into_change(self) -> Result<Change, Problem> {
        let ChangeConversation {
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
        } = self;
        let permission = |(act, role): (String, Role)| {
            let known = Act::ALL.into_iter().find(|known| known.name() == act);
            let act = known.ok_or_else(|| Problem::bad_request("permissions: there is no such act"))?;
            Ok(wire::Permission { act: act as i32, role: role.wire().into() })
        };
        let permissions = permissions.into_iter().map(permission).collect::<Result<Vec<_>, Problem>>()?;
        let settings = wire::GroupSettings {
            name,
            notice,
            avatar,
            join: join.map_or(0, |join| join.wire().into()),
            history: history.map_or(0, |history| history.wire().into()),
            slow_seconds,
            muted_until_ms,
            permissions,
            no_contact,
            retention_seconds,
        };
        let rest = wire::GroupSettings { name: None, ..settings.clone() };
        match settings.name {
            Some(name) if rest == wire::GroupSettings::default() => Ok(Change::Rename(name)),
            name => Ok(Change::Set(Box::new(wire::GroupSettings { name, ..rest }))),
        }
    }
}

/// Changes settings of a group in one step, or the retention of a direct conversation.
///
/// Each needs the role that the group's permissions name, an admin's as a rule.
#[utoipa::path(patch, path = "/v1/conversations/{conversation}", tag = "conversations",
    params(("conversation" = inline(ConversationText), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = ChangeConversation, responses((status = 200, body = Placed)))]
pub async fn change(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(change): Json<ChangeConversation>,
) -> Result<Answer<Placed>, Problem> {
    let change = change.into_change().map_err(Problem::of_meaning)?;
    change_group(&asker, &conversation, key, change).await.map_err(Problem::of_meaning)
}

/// Leaves a group, or declines an invitation to it.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}", tag = "conversations",
    params(("conversation" = inline(ConversationText), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn leave(asker: Asker, Path(conversation): Path<String>, key: Key) -> Result<Answer<Placed>, Problem> {
    change_group(&asker, &conversation, key, Change::Leave(wire::Done {})).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Position {
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 9007199254740991u64)]
    seq: u64,
}

/// The caller has read everything up to this seq. A position only moves forward.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/read", tag = "conversations",
    params(("conversation" = inline(ConversationText), Path)), request_body = Position,
    responses((status = 204, description = "It is kept")))]
pub async fn read(
    asker: Asker,
    Path(conversation): Path<String>,
    Json(position): Json<Position>,
) -> Result<StatusCode, Problem> {
    let (seq, conversation) = (seq("seq", position.seq)?, conversation_of_path(&conversation)?.to_string());
    asker.perform(wire::MarkRead { conversation, seq }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A device of the caller holds everything up to this seq. A hint for others: it may be lost.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/delivered", tag = "conversations",
    params(("conversation" = inline(ConversationText), Path)), request_body = Position,
    responses((status = 204, description = "It is noted")))]
pub async fn delivered(
    asker: Asker,
    Path(conversation): Path<String>,
    Json(position): Json<Position>,
) -> Result<StatusCode, Problem> {
    let (seq, conversation) = (seq("seq", position.seq)?, conversation_of_path(&conversation)?.to_string());
    asker.perform(wire::Acknowledge { conversation, seq }).await?;
    Ok(StatusCode::NO_CONTENT)
}
