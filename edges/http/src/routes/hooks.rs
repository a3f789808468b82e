//! Hooks of a group: URLs that post to it, and URLs that get its events.

use std::borrow::Cow;

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_actors::message::wire::change_hook::Change;
use troupe_actors::ops::cost::{BYTES_PER_UNIT, CHANGE, Cost};
use troupe_actors::ops::post_hook::HookPost;
use troupe_core::feature::{BAD_HOOK, NO_SUCH_HOOK};
use troupe_core::{ConversationId, Rejection, limits};
use utoipa::openapi::schema::OneOfBuilder;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::asker::{Asker, Guest};
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::json::{Json, MESSAGE, whole_given};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit, seq as bounded};
use crate::routes::bodies::{MessageBody, schema};
use crate::routes::messages::{Placed, body_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A URL of this API that posts to the group.
    Incoming,
    /// A URL of another server that gets the events of the group.
    Outgoing,
    /// A URL of another server that is asked before each message of the group.
    Before,
}

/// Whether messages pass while a hook that is asked before does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// They pass.
    Open,
    /// They are refused with `hook_unavailable`, and may be sent again.
    Closed,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHook {
    kind: Kind,
    /// For people.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// The client chooses it. It is the last part of the URL of an incoming hook; an outgoing one
    /// signs with it.
    #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
    secret: String,
    /// Of a hook that is outgoing, or asked before.
    #[schema(max_length = 1024)]
    url: Option<String>,
    /// A hook that is asked before states it.
    #[serde(default)]
    policy: Option<Policy>,
}

#[derive(Serialize, ToSchema)]
pub struct Hooks {
    hooks: Vec<Hook>,
}

#[derive(Serialize, ToSchema)]
pub struct Hook {
    /// `<group>.<number>`.
    hook: String,
    kind: Kind,
    name: String,
    /// The member that made it.
    by: Id,
    created_ms: u64,
    /// Of a hook that is outgoing, or asked before.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Of a hook that is asked before.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
    /// Of an outgoing hook: the receiver has the events up to this one, but those that are dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered: Option<u64>,
    /// Events that the receiver did not take.
    dead: u32,
}

impl Hook {
    fn of(conversation: ConversationId, hook: wire::Hook) -> Hook {
        let kind = match hook.kind() {
            wire::HookKind::Outgoing => Kind::Outgoing,
            wire::HookKind::Before => Kind::Before,
            wire::HookKind::Incoming | wire::HookKind::Unspecified => Kind::Incoming,
        };
        let outgoing = kind == Kind::Outgoing;
        Hook {
            hook: format!("{conversation}.{}", hook.hook),
            kind,
            name: hook.name,
            by: Id(hook.by),
            created_ms: hook.created_ms,
            url: Some(hook.url).filter(|_| kind != Kind::Incoming),
            policy: Some(if hook.closed { Policy::Closed } else { Policy::Open }).filter(|_| kind == Kind::Before),
            delivered: Some(hook.delivered).filter(|_| outgoing),
            dead: hook.dead,
        }
    }
}

/// Makes a hook. Only those that may change the settings of the group may.
///
/// An incoming hook is used with `POST /v1/hooks/{hook}/{secret}`.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/hooks", tag = "bots",
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = NewHook, responses((status = 200, body = Hook)))]
pub async fn create(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(new): Json<NewHook>,
) -> Result<Answer<Hook>, Problem> {
    let conversation = conversation_of_path(&conversation)?;
    let NewHook { kind, name, secret, url, policy } = new;
    if (kind == Kind::Before) != policy.is_some() {
        return Err(Problem::bad_request(
            "a hook that is asked before states its policy, open or closed, and no other does",
        )
        .of_meaning());
    }
    let kind = match kind {
        Kind::Incoming => wire::HookKind::Incoming,
        Kind::Outgoing => wire::HookKind::Outgoing,
        Kind::Before => wire::HookKind::Before,
    };
    let closed = policy == Some(Policy::Closed);
    let new = wire::NewHook { kind: kind.into(), name, secret, url: url.unwrap_or_default(), closed };
    Ok(Answer(Hook::of(conversation, change(&asker, conversation, key, Change::Make(new)).await?)))
}

/// The hooks of a group, without their secrets.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/hooks", tag = "bots",
    params(("conversation" = inline(Conversation), Path)), responses((status = 200, body = Hooks)))]
pub async fn list(asker: Asker, Path(conversation): Path<String>) -> Result<Answer<Hooks>, Problem> {
    let conversation = conversation_of_path(&conversation)?;
    let list = asker.perform(wire::ListHooks { conversation: conversation.to_string() }).await?;
    Ok(Answer(Hooks { hooks: list.hooks.into_iter().map(|hook| Hook::of(conversation, hook)).collect() }))
}

/// Ends a hook, with its dead events.
#[utoipa::path(delete, path = "/v1/hooks/{hook}", tag = "bots",
    params(("hook" = String, Path, description = "As listed")),
    responses((status = 204, description = "It posts and delivers nothing more")))]
pub async fn end(asker: Asker, Path(hook): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    let (conversation, hook) = hook_of_path(&hook)?;
    change(&asker, conversation, key, Change::End(hook)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeadQuery {
    /// The seq of the last event of the page before.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9007199254740991u64)]
    after: Option<u64>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct DeadEvents {
    events: Vec<DeadEvent>,
    more: bool,
}

/// An event that the receiver did not take in all attempts. The log still has it.
#[derive(Serialize, ToSchema)]
pub struct DeadEvent {
    seq: u64,
    attempts: u32,
    /// Of the last answer; absent: there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u32>,
    /// For people.
    why: String,
    at_ms: u64,
    /// It is tried again.
    again: bool,
}

/// The events that the receiver of a hook did not take, in their order.
#[utoipa::path(get, path = "/v1/hooks/{hook}/dead", tag = "bots", params(("hook" = String, Path), DeadQuery),
    responses((status = 200, body = DeadEvents)))]
pub async fn dead(
    asker: Asker,
    Path(hook): Path<String>,
    Query(query): Query<DeadQuery>,
) -> Result<Answer<DeadEvents>, Problem> {
    let (conversation, hook) = hook_of_path(&hook)?;
    let (after, limit) = (bounded("after", query.after.unwrap_or(0))?, limit(query.limit, limits::PAGE_DEAD)?);
    let list = wire::ListDead { conversation: conversation.to_string(), hook, after, limit };
    let page = asker.perform(list).await?;
    let event = |dead: wire::DeadEvent| {
        let wire::DeadEvent { seq, attempts, status, why, at_ms, again } = dead;
        DeadEvent { seq, attempts, status: Some(status).filter(|status| *status != 0), why, at_ms, again }
    };
    Ok(Answer(DeadEvents { events: page.events.into_iter().map(event).collect(), more: page.more }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Absent: all dead events of the hook.
    #[serde(default, deserialize_with = "whole_given")]
    #[schema(value_type = u64, required = false, minimum = 1, maximum = 9007199254740991u64)]
    seq: Option<u64>,
}

/// Tries dead events again, once each. One that is taken leaves the list.
#[utoipa::path(post, path = "/v1/hooks/{hook}/retry", tag = "bots", request_body = Retry,
    params(("hook" = String, Path, description = "As listed")), responses((status = 200, body = Hook)))]
pub async fn retry(
    asker: Asker,
    Path(hook): Path<String>,
    key: Key,
    Json(Retry { seq }): Json<Retry>,
) -> Result<Answer<Hook>, Problem> {
    let (conversation, hook) = hook_of_path(&hook)?;
    let retry = Change::Retry(wire::RetryDead { hook, seq: seq.unwrap_or(0) });
    Ok(Answer(Hook::of(conversation, change(&asker, conversation, key, retry).await?)))
}

async fn change(asker: &Asker, conversation: ConversationId, key: Key, change: Change) -> Result<wire::Hook, Problem> {
    let change =
        wire::ChangeHook { request: key.bytes(), conversation: conversation.to_string(), change: Some(change) };
    asker.perform(change).await.map_err(|problem| problem.of_meaning().under(key.id))
}

/// A text that is no hook's has the answer of a missing one.
fn hook_of_path(text: &str) -> Result<(ConversationId, u64), Problem> {
    parse(text).ok_or_else(|| Rejection::from(NO_SUCH_HOOK).into())
}

fn parse(text: &str) -> Option<(ConversationId, u64)> {
    let (conversation, hook) = text.split_once('.')?;
    Some((conversation.parse().ok()?, hook.parse().ok()?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookMessage {
    text: Option<String>,
    body: Option<MessageBody>,
}

impl PartialSchema for HookMessage {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(schema::closed().property("text", schema::text(1, limits::MESSAGE_BYTES)).required("text"))
            .item(schema::closed().property("body", schema::body()).required("body"))
            .description(Some("A text, or a body of any kind."))
            .into()
    }
}

impl ToSchema for HookMessage {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("HookMessage")
    }
}

/// Posts a message to the group of an incoming hook, once per `Idempotency-Key`.
///
/// It wants no session: the secret stands for one. The message is that of the member that made the
/// hook.
#[utoipa::path(post, path = "/v1/hooks/{hook}/{secret}", tag = "bots", request_body = HookMessage, security(()),
    params(("hook" = String, Path, description = "As listed"), ("secret" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID; \
            without it the server makes one")),
    responses((status = 200, body = Placed)))]
pub async fn post(
    guest: Guest,
    Path((hook, secret)): Path<(String, String)>,
    key: Key,
    Json(message): Json<HookMessage, MESSAGE>,
) -> Result<Answer<Placed>, Problem> {
    let HookMessage { text, body } = message;
    let body = body_of(text, body)?;
    guest.pay(Cost::Units(CHANGE + body.content.len() as u64 / BYTES_PER_UNIT)).await?;
    let wrong = || Problem::from(Rejection::from(BAD_HOOK));
    let (conversation, number) = parse(&hook).ok_or_else(wrong)?;
    if secret.len() > limits::HOOK_SECRET_BYTES {
        return Err(wrong());
    }
    let post = HookPost { conversation, hook: number, secret, key: key.id, body };
    let posted = guest.api.service.post_hook(post).await.map_err(|refusal| guest.refused(refusal).under(key.id))?;
    let ack =
        wire::SendAck { seq: posted.seq.0, time_ms: posted.time.0, duplicate: posted.duplicate, ..Default::default() };
    Ok(Answer(Placed::of(&ack, &key)))
}
