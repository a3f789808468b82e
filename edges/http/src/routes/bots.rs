//! The bots of the caller.

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_actors::message::wire::change_bot::Change;
use troupe_core::UserId;
use utoipa::ToSchema;

use crate::asker::{Asker, token_text};
use crate::ids::{Id, user_of_path};
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::query::Path;

/// A part of the API that a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// History, lists and the stream of events.
    Read,
    /// Messages, edits, reactions, signals and files.
    Send,
    /// Groups: members, settings and links.
    Manage,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBot {
    /// Unique among the caller's bots. Others see it behind the caller's name and a slash.
    #[schema(max_length = 32)]
    name: String,
    #[schema(min_items = 1, max_items = 3)]
    scopes: Vec<Scope>,
}

#[derive(Serialize, ToSchema)]
pub struct Bots {
    bots: Vec<Bot>,
}

#[derive(Serialize, ToSchema)]
pub struct Bot {
    user_id: Id,
    name: String,
    scopes: Vec<Scope>,
    created_ms: u64,
    /// When it got its present token.
    token_set_ms: u64,
    /// Only in the answer to the request that has set it. It serves like the token of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<wire::Bot> for Bot {
    fn from(bot: wire::Bot) -> Bot {
        let wire::Bot { user_id, name, scopes, created_ms, token_set_ms, token } = bot;
        let wire::BotScopes { read, send, manage } = scopes.unwrap_or_default();
        let given = [(read, Scope::Read), (send, Scope::Send), (manage, Scope::Manage)];
        let scopes = given.into_iter().filter_map(|(given, scope)| given.then_some(scope)).collect();
        let token = Some(token).filter(|token| !token.is_empty()).map(|token| token_text(&token));
        Bot { user_id: Id(user_id), name, scopes, created_ms, token_set_ms, token }
    }
}

/// Makes a bot: an account of the caller's, without a password.
///
/// A repeat with the same key is the same bot, with another token.
#[utoipa::path(post, path = "/v1/bots", tag = "bots", request_body = NewBot,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Bot)))]
pub async fn create(asker: Asker, key: Key, Json(bot): Json<NewBot>) -> Result<Answer<Bot>, Problem> {
    let has = |scope| bot.scopes.contains(&scope);
    let scopes = wire::BotScopes { read: has(Scope::Read), send: has(Scope::Send), manage: has(Scope::Manage) };
    let made = change(&asker, key, Change::Create(wire::NewBot { name: bot.name, scopes: Some(scopes) })).await?;
    Ok(Answer(made.into()))
}

/// All bots of the caller, without their tokens.
#[utoipa::path(get, path = "/v1/bots", tag = "bots", responses((status = 200, body = Bots)))]
pub async fn list(asker: Asker) -> Result<Answer<Bots>, Problem> {
    let list = asker.perform(wire::ListBots {}).await?;
    Ok(Answer(Bots { bots: list.bots.into_iter().map(Bot::from).collect() }))
}

/// Gives a bot another token. The one before ends at once.
#[utoipa::path(post, path = "/v1/bots/{bot}/token", tag = "bots",
    params(("bot" = String, Path, description = "The id of a bot of the caller"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Bot)))]
pub async fn rotate(asker: Asker, Path(bot): Path<String>, key: Key) -> Result<Answer<Bot>, Problem> {
    Ok(Answer(change(&asker, key, Change::Rotate(user_of_path(&bot)?)).await?.into()))
}

/// Ends a bot. Its messages stay.
#[utoipa::path(delete, path = "/v1/bots/{bot}", tag = "bots",
    params(("bot" = String, Path, description = "The id of a bot of the caller")),
    responses((status = 204, description = "Its token serves no more")))]
pub async fn end(asker: Asker, Path(bot): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    change(&asker, key, Change::End(user_of_path(&bot)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change(asker: &Asker, key: Key, change: Change) -> Result<wire::Bot, Problem> {
    let change = wire::ChangeBot { request: key.bytes(), change: Some(change) };
    let bot = asker.perform(change).await.map_err(|problem| problem.of_meaning().under(key.id))?;
    asker.api().tokens.forget(UserId(bot.user_id));
    Ok(bot)
}
