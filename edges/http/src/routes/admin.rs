//! Operations of administrators: what `troupe user`, `troupe invite`, `troupe audit` and
//! `troupe cluster settings` do.
//!
//! The service reads the caller's role behind a barrier for each of them, and each change is in the
//! audit log. Orders about nodes want the operator's key and have paths of their own.

mod audit;
mod groups;
mod invites;
mod reports;
mod settings;
mod users;

use troupe_actors::message::{Refusal, wire};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use crate::api::Api;
use crate::asker::Asker;
use crate::key::Key;
use crate::problem::Problem;

pub fn all() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::delete))
        .routes(routes!(users::disable))
        .routes(routes!(users::enable))
        .routes(routes!(users::set_admin))
        .routes(routes!(users::set_role))
        .routes(routes!(users::reset_password))
        .routes(routes!(users::sessions, users::end_sessions))
        .routes(routes!(users::end_session))
        .routes(routes!(invites::list, invites::create))
        .routes(routes!(invites::revoke))
        .routes(routes!(settings::show, settings::change))
        .routes(routes!(audit::read))
        .routes(routes!(reports::list))
        .routes(routes!(groups::list))
        .routes(routes!(reports::close))
}

/// Asks for something that changes nothing.
async fn ask(asker: &Asker, operation: Operation) -> Result<Answer, Problem> {
    let admin = wire::Admin { request: bytes::Bytes::new(), operation: Some(operation) };
    asker.perform(admin).await?.answer.ok_or_else(|| asker.refused(Refusal::Unavailable))
}

/// Changes something, once per key.
async fn order(asker: &Asker, key: Key, operation: Operation) -> Result<Answer, Problem> {
    let admin = wire::Admin { request: key.bytes(), operation: Some(operation) };
    let answer = asker.perform(admin).await.map_err(|problem| problem.under(key.id))?;
    // Sessions of another user, or the caller's own, may have ended.
    asker.forget_all_tokens();
    answer.answer.ok_or_else(|| asker.refused(Refusal::Unavailable))
}

/// The answer of a node of another version is of another kind.
fn other(asker: &Asker) -> Problem {
    asker.refused(Refusal::Unavailable)
}
