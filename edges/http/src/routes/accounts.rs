//! Registration, login and logout.

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use utoipa::ToSchema;

use crate::asker::{Asker, Guest, token_text};
use crate::ids::Id;
use crate::json::{GREETING, Json};
use crate::key::Key;
use crate::problem::Problem;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    #[schema(min_length = 1, max_length = 32, example = "ann")]
    name: String,
    #[schema(min_length = 8, max_length = 256, example = "correct horse battery")]
    password: String,
    /// A code, if this cluster wants one.
    invite: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Registered {
    user_id: Id,
}

/// Makes an account. It does not log in.
///
/// A repeat with the same name, password and `Idempotency-Key` answers the same account. Another
/// password is refused with `request_reused`.
#[utoipa::path(post, path = "/v1/register", tag = "accounts", security(()), request_body = Register,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Registered)))]
pub async fn register(
    guest: Guest,
    key: Key,
    Json(register): Json<Register, GREETING>,
) -> Result<Answer<Registered>, Problem> {
    let Register { name, password, invite } = register;
    let register = wire::Register { name, password, request: key.bytes(), invite: invite.unwrap_or_default() };
    let registered = guest.enter(register).await.map_err(|problem| problem.under(key.id))?;
    Ok(Answer(Registered { user_id: Id(registered.user_id) }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The name, or the id in decimal.
    #[schema(min_length = 1, max_length = 256, example = "ann")]
    name: String,
    #[schema(max_length = 256, example = "correct horse battery")]
    password: String,
    /// The name of this installation. A login with the same one replaces its session.
    #[schema(pattern = "^[!-~]{1,64}$", example = "laptop")]
    device: String,
    /// Set in the same step; a one-time password wants it.
    #[schema(min_length = 8, max_length = 256)]
    new_password: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    /// Secret. It goes into `Authorization: Bearer <token>` of other requests.
    token: String,
    user_id: Id,
    name: String,
}

/// Opens a session of a device.
#[utoipa::path(post, path = "/v1/login", tag = "accounts", security(()), request_body = Login,
    responses((status = 200, body = LoggedIn)))]
pub async fn login(guest: Guest, Json(login): Json<Login, GREETING>) -> Result<Answer<LoggedIn>, Problem> {
    let Login { name, password, device, new_password } = login;
    let new_password = new_password.unwrap_or_default();
    let entered = guest.enter(wire::Login { name, password, device, new_password }).await?;
    guest.api.service.has_no_connection(&entered.caller);
    // A session of the same device has ended.
    guest.api.tokens.forget(entered.caller.user());
    let user_id = Id::from(entered.caller.user());
    Ok(Answer(LoggedIn { token: token_text(&entered.token), user_id, name: entered.name }))
}

/// Ends the session of this token.
#[utoipa::path(post, path = "/v1/logout", tag = "accounts", responses((status = 204, description = "It has ended")))]
pub async fn logout(asker: Asker) -> Result<StatusCode, Problem> {
    asker.perform(wire::Logout {}).await?;
    asker.forget_tokens();
    Ok(StatusCode::NO_CONTENT)
}
