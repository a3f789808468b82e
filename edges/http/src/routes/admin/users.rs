//! Accounts.

use axum::Json as Body;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::record::AccountRole;
use troupe_core::{Rejection, limits};
use utoipa::{IntoParams, ToSchema};
use wire::admin::Operation;
use wire::admin_answer::Answer;

use super::{ask, order, other};
use crate::asker::Asker;
use crate::ids::Id;
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit};
use crate::routes::me::Sessions;

#[derive(Serialize, ToSchema)]
pub struct Accounts {
    users: Vec<Account>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Account {
    user_id: Id,
    name: String,
    /// `active`, `disabled` or `deleted`.
    status: String,
    admin: bool,
    /// `user`, `auditor` or `admin`.
    role: String,
    /// Its next login has to set another password.
    one_time_password: bool,
    created_ms: u64,
    password_set_ms: u64,
    sessions: u32,
    online: bool,
    /// Absent: there was none since the cluster keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login: Option<LastLogin>,
}

#[derive(Serialize, ToSchema)]
pub struct LastLogin {
    at_ms: u64,
    /// An IPv4 address, or the /64 network of an IPv6 address.
    from: String,
}

impl From<wire::Account> for Account {
    fn from(account: wire::Account) -> Account {
        Account {
            user_id: Id(account.user_id),
            name: account.name,
            status: account.status,
            admin: account.admin,
            role: account.role,
            one_time_password: account.one_time_password,
            created_ms: account.created_ms,
            password_set_ms: account.password_set_ms.max(account.created_ms),
            sessions: account.sessions,
            online: account.online,
            last_login: (account.last_login_ms != 0)
                .then_some(LastLogin { at_ms: account.last_login_ms, from: account.last_login_from }),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The last user of the page before.
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,15}$")]
    after: Option<Id>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// All accounts.
#[utoipa::path(get, path = "/v1/admin/users", tag = "administration", params(ListQuery),
    responses((status = 200, body = Accounts)))]
pub async fn list(asker: Asker, Query(query): Query<ListQuery>) -> Result<Body<Accounts>, Problem> {
    let limit = limit(query.limit, limits::PAGE_ACCOUNTS)?;
    let after = query.after.map(Id::user).transpose()?.unwrap_or_default();
    match ask(&asker, Operation::ListAccounts(wire::ListAccounts { after, limit })).await? {
        Answer::Accounts(page) => Ok(Body(page_of(page))),
        _ => Err(other(&asker)),
    }
}

fn page_of(page: wire::Accounts) -> Accounts {
    Accounts { users: page.accounts.into_iter().map(Account::from).collect(), more: page.more }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    #[schema(min_length = 1, max_length = 32)]
    name: String,
    /// For one login, which has to set another one. The client chooses it, so that a repeat is the
    /// same.
    #[schema(min_length = 8, max_length = 256)]
    password: String,
    #[serde(default)]
    admin: bool,
}

/// Makes an account, whatever the setting for registrations.
#[utoipa::path(post, path = "/v1/admin/users", tag = "administration", request_body = NewAccount,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Account)))]
pub async fn create(asker: Asker, key: Key, Json(account): Json<NewAccount>) -> Result<Body<Account>, Problem> {
    let NewAccount { name, password, admin } = account;
    let create = wire::CreateAccount { name, password, admin };
    one(&asker, order(&asker, key, Operation::CreateAccount(create)).await?)
}

/// One account, by its id or its name.
#[utoipa::path(get, path = "/v1/admin/users/{user}", tag = "administration", params(("user" = String, Path, description = "An id in decimal, or a name")),
    responses((status = 200, body = Account)))]
pub async fn show(asker: Asker, Path(user): Path<String>) -> Result<Body<Account>, Problem> {
    one(&asker, ask(&asker, Operation::ShowAccount(user)).await?)
}

fn one(asker: &Asker, answer: Answer) -> Result<Body<Account>, Problem> {
    let Answer::Accounts(page) = answer else { return Err(other(asker)) };
    let account = page.accounts.into_iter().next();
    account.map(|account| Body(account.into())).ok_or_else(|| asker.refused(Rejection::NoSuchUser.into()))
}

async fn done(asker: &Asker, key: Key, operation: Operation) -> Result<StatusCode, Problem> {
    match order(asker, key, operation).await? {
        Answer::Done(_) => Ok(StatusCode::NO_CONTENT),
        _ => Err(other(asker)),
    }
}

/// Deletes an account for good. Its name stays reserved, and its messages stay.
#[utoipa::path(delete, path = "/v1/admin/users/{user}", tag = "administration", params(("user" = String, Path, description = "An id in decimal, or a name"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is deleted")))]
pub async fn delete(asker: Asker, Path(user): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    done(&asker, key, Operation::DeleteAccount(user)).await
}

/// Ends all sessions of an account, and lets no other begin.
#[utoipa::path(post, path = "/v1/admin/users/{user}/disable", tag = "administration",
    params(("user" = String, Path, description = "An id in decimal, or a name"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is disabled")))]
pub async fn disable(asker: Asker, Path(user): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    done(&asker, key, Operation::DisableAccount(user)).await
}

/// Lets an account log in again.
#[utoipa::path(post, path = "/v1/admin/users/{user}/enable", tag = "administration",
    params(("user" = String, Path, description = "An id in decimal, or a name"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is enabled")))]
pub async fn enable(asker: Asker, Path(user): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    done(&asker, key, Operation::EnableAccount(user)).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAdmin {
    admin: bool,
}

/// Gives or takes the administrator's role.
#[utoipa::path(post, path = "/v1/admin/users/{user}/admin", tag = "administration", request_body = SetAdmin,
    params(("user" = String, Path, description = "An id in decimal, or a name"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is set")))]
pub async fn set_admin(
    asker: Asker,
    Path(account): Path<String>,
    key: Key,
    Json(SetAdmin { admin }): Json<SetAdmin>,
) -> Result<StatusCode, Problem> {
    done(&asker, key, Operation::SetAdmin(wire::SetAdmin { account, admin })).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRole {
    role: Role,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AccountRole)]
enum Role {
    User,
    /// Reads what administrators read, and changes nothing.
    Auditor,
    Admin,
}

impl From<Role> for AccountRole {
    fn from(role: Role) -> AccountRole {
        match role {
            Role::User => AccountRole::User,
            Role::Auditor => AccountRole::Auditor,
            Role::Admin => AccountRole::Admin,
        }
    }
}

/// Sets the role of an account in the administration.
#[utoipa::path(post, path = "/v1/admin/users/{user}/role", tag = "administration", request_body = SetRole,
    params(("user" = String, Path, description = "An id in decimal, or a name"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is set")))]
pub async fn set_role(
    asker: Asker,
    Path(account): Path<String>,
    key: Key,
    Json(SetRole { role }): Json<SetRole>,
) -> Result<StatusCode, Problem> {
    let role = AccountRole::from(role).name().to_owned();
    done(&asker, key, Operation::SetRole(wire::SetRole { account, role })).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// For one login, which has to set another one.
    #[schema(min_length = 8, max_length = 256)]
    password: String,
}

/// Sets a one-time password, and ends all sessions.
#[utoipa::path(post, path = "/v1/admin/users/{user}/password", tag = "administration", request_body = ResetPassword,
    params(("user" = String, Path, description = "An id in decimal, or a name"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It is set")))]
pub async fn reset_password(
    asker: Asker,
    Path(account): Path<String>,
    key: Key,
    Json(ResetPassword { password }): Json<ResetPassword>,
) -> Result<StatusCode, Problem> {
    done(&asker, key, Operation::ResetPassword(wire::ResetPassword { account, password })).await
}

/// The sessions of an account.
#[utoipa::path(get, path = "/v1/admin/users/{user}/sessions", tag = "administration",
    params(("user" = String, Path, description = "An id in decimal, or a name")),
    responses((status = 200, body = Sessions)))]
pub async fn sessions(asker: Asker, Path(user): Path<String>) -> Result<Body<Sessions>, Problem> {
    match ask(&asker, Operation::AccountSessions(user)).await? {
        Answer::Sessions(list) => Ok(Body(list.into())),
        _ => Err(other(&asker)),
    }
}

/// Logs out all devices of an account.
#[utoipa::path(delete, path = "/v1/admin/users/{user}/sessions", tag = "administration",
    params(("user" = String, Path, description = "An id in decimal, or a name"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "They have ended")))]
pub async fn end_sessions(asker: Asker, Path(account): Path<String>, key: Key) -> Result<StatusCode, Problem> {
    let device = String::new();
    done(&asker, key, Operation::EndSessions(wire::EndSessions { account, device })).await
}

/// Logs out one device of an account.
#[utoipa::path(delete, path = "/v1/admin/users/{user}/sessions/{device}", tag = "administration",
    params(("user" = String, Path, description = "An id in decimal, or a name"), ("device" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 204, description = "It has ended")))]
pub async fn end_session(
    asker: Asker,
    Path((account, device)): Path<(String, String)>,
    key: Key,
) -> Result<StatusCode, Problem> {
    done(&asker, key, Operation::EndSessions(wire::EndSessions { account, device })).await
}
