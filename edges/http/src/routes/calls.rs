//! Calls in direct conversations: each step is an event of the log.

use axum::Json as Answer;
use serde::Deserialize;
use troupe_actors::message::wire;
use troupe_core::feature::{CALL_OVER, CallAnswer};
use troupe_core::{Intent, Rejection, Seq};
use utoipa::ToSchema;
use wire::call::Step;

use crate::asker::Asker;
use crate::ids::{Conversation, conversation_of_path};
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{GREATEST, Path};
use crate::routes::messages::Placed;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCall {
    #[serde(default)]
    video: bool,
}

/// Calls the other user of a direct conversation, whose devices ring for a minute.
///
/// The `seq` of the answer names the call.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/calls", tag = "calls",
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = NewCall, responses((status = 200, body = Placed)))]
pub async fn start(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(NewCall { video }): Json<NewCall>,
) -> Result<Answer<Placed>, Problem> {
    let intent = Intent::StartCall { video, device: 0 };
    step(&asker, &conversation, key, Step::Start(wire::StartCall { video }), intent).await
}

/// Takes a call. One device of the called user takes it, and all others get `already_answered`.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/calls/{call}/accept", tag = "calls",
    params(("conversation" = inline(Conversation), Path),
        ("call" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn accept(
    asker: Asker,
    Path((conversation, call)): Path<(String, String)>,
    key: Key,
) -> Result<Answer<Placed>, Problem> {
    answer(&asker, &conversation, &call, key, CallAnswer::Accept).await
}

/// Refuses a call for all devices.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/calls/{call}/refuse", tag = "calls",
    params(("conversation" = inline(Conversation), Path),
        ("call" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn refuse(
    asker: Asker,
    Path((conversation, call)): Path<(String, String)>,
    key: Key,
) -> Result<Answer<Placed>, Problem> {
    answer(&asker, &conversation, &call, key, CallAnswer::Refuse).await
}

/// Refuses a call because the caller of this request has another one.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/calls/{call}/busy", tag = "calls",
    params(("conversation" = inline(Conversation), Path),
        ("call" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn busy(
    asker: Asker,
    Path((conversation, call)): Path<(String, String)>,
    key: Key,
) -> Result<Answer<Placed>, Problem> {
    answer(&asker, &conversation, &call, key, CallAnswer::Busy).await
}

/// Hangs up, or takes a call back that rings.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/calls/{call}/end", tag = "calls",
    params(("conversation" = inline(Conversation), Path),
        ("call" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn end(
    asker: Asker,
    Path((conversation, call)): Path<(String, String)>,
    key: Key,
) -> Result<Answer<Placed>, Problem> {
    let call = call_of_path(&call)?;
    step(&asker, &conversation, key, Step::End(call), Intent::EndCall { call: Seq(call) }).await
}

async fn answer(
    asker: &Asker,
    conversation: &str,
    call: &str,
    key: Key,
    answer: CallAnswer,
) -> Result<Answer<Placed>, Problem> {
    let call = call_of_path(call)?;
    let intent = Intent::AnswerCall { call: Seq(call), answer, device: 0 };
    let answer = wire::AnswerCall { call, answer: answer.number().into() };
    step(asker, conversation, key, Step::Answer(answer), intent).await
}

async fn step(
    asker: &Asker,
    conversation: &str,
    key: Key,
    step: Step,
    intent: Intent,
) -> Result<Answer<Placed>, Problem> {
    let conversation = conversation_of_path(conversation)?;
    let call = wire::Call { request: key.bytes(), conversation: conversation.to_string(), step: Some(step) };
    let ack = asker.perform(call).await.map_err(|problem| problem.of_meaning().under(key.id))?;
    if ack.duplicate && key.given {
        asker.is_the_same(conversation, Seq(ack.seq), &intent).await?;
    }
    Ok(Answer(Placed::of(&ack, &key)))
}

/// A text that is no seq names no call.
fn call_of_path(text: &str) -> Result<u64, Problem> {
    let digits = !text.starts_with(['0', '+']);
    let call = text.parse().ok().filter(|call| digits && (1..=GREATEST).contains(call));
    call.ok_or_else(|| Rejection::Of(CALL_OVER).into())
}
