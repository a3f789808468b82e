//! Refusals as `application/problem+json` (RFC 9457), with the stable codes of the protocol.
//!
//! A missing conversation and a foreign one have the same bytes: a problem repeats nothing of the
//! request.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use troupe_actors::message::{Refusal, wire};
use troupe_core::{ClientMessageId, Intent};
use utoipa::ToSchema;
use wire::failure::Kind;

use crate::events::cursor::Unfit;

mod known;

pub use known::known;

/// Codes that only this edge has.
pub const NOT_FOUND: &str = "not_found";
pub const METHOD_NOT_ALLOWED: &str = "method_not_allowed";
pub const UNSUPPORTED_MEDIA_TYPE: &str = "unsupported_media_type";
pub const KEY_REUSED: &str = "idempotency_key_reused";
const NO_SUCH_MESSAGE: &str = "no_such_message";
pub const FOLLOWS_ITSELF: &str = "follows_itself";
pub const NAME_IS_FINAL: &str = "name_is_final";
pub const BAD_TUS_VERSION: &str = "bad_tus_version";
pub const CURSOR_DAMAGED: &str = "cursor_damaged";
pub const CURSOR_FOREIGN: &str = "cursor_foreign";
pub const CURSOR_AHEAD: &str = "cursor_ahead";

/// A refusal, as an answer.
#[derive(Clone, Debug, Serialize)]
pub struct Problem(Box<Shown>);

/// Why a request has no answer. Nothing was done, unless `kind` is `unavailable`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Shown {
    /// Where the code is explained, relative to this server.
    #[serde(rename = "type")]
    #[schema(example = "/docs/api#not_member")]
    kind_of: String,
    /// The same for each problem of this code.
    title: &'static str,
    status: u16,
    /// For people: what is wrong, and what to do.
    detail: String,
    /// Stable, for programs.
    #[schema(example = "not_member")]
    code: String,
    /// `rejected`: do not send it again as it is. `failed_precondition`: send it again after its
    /// predecessor. `overloaded`: send it again after `retry_after_ms`. `unavailable`: it may have
    /// been done; send it again with the same `Idempotency-Key`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u32>,
    /// The key to repeat the request with, where the outcome is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<String>,
}

impl Problem {
    /// Of a body whose form is right: a rule refuses its meaning.
    pub fn of_meaning(self) -> Problem {
        match self.0.status {
            400 => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_request", self.0.detail),
            _ => self,
        }
    }

    /// A rejection by this edge.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Problem {
        Problem(Box::new(Shown {
            kind_of: format!("/docs/api#{code}"),
            title: title(status),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            kind: "rejected",
            retry_after_ms: None,
            client_message_id: None,
        }))
    }

    /// The request is not what the description of the API allows.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub fn too_large(cap: usize) -> Problem {
        let text = format!("the body of this request has more than {cap} bytes: send less");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
    }

    /// A node that has not formed or found its cluster yet.
    pub fn starting(detail: impl Into<String>) -> Problem {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut problem = Problem::new(status, "no_leader", detail);
        (problem.0.kind, problem.0.retry_after_ms) = ("overloaded", Some(1_000));
        problem
    }

    /// Whether the same request may succeed in a moment. It may have been done already.
    pub fn is_of_the_moment(&self) -> bool {
        matches!(self.0.kind, "overloaded" | "unavailable")
    }

    /// With the key under which the request may be repeated.
    pub fn under(mut self, id: ClientMessageId) -> Problem {
        let again = self.0.kind != "rejected";
        self.0.client_message_id = again.then(|| id.to_string());
        self
    }
}

impl From<wire::Failure> for Problem {
    fn from(failure: wire::Failure) -> Problem {
        let kind = match failure.kind() {
            Kind::Overloaded => "overloaded",
            Kind::Unavailable => "unavailable",
            Kind::FailedPrecondition => "failed_precondition",
            Kind::Rejected | Kind::Unspecified => "rejected",
        };
        let mut problem = Problem::new(status(failure.kind(), &failure.code), &failure.code, failure.text);
        problem.0.kind = kind;
        problem.0.retry_after_ms = Some(failure.retry_after_ms).filter(|after| *after > 0);
        problem
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        refusal.failure().into()
    }
}

impl From<troupe_proto::client::Refusal> for Problem {
    fn from(refusal: troupe_proto::client::Refusal) -> Problem {
        Refusal::from(refusal).into()
    }
}

impl From<troupe_core::Rejection> for Problem {
    fn from(rejection: troupe_core::Rejection) -> Problem {
        Refusal::from(rejection).into()
    }
}

/// 400 is left to requests that are malformed; a rule that refuses a name, say, is 422.
fn status(kind: Kind, code: &str) -> StatusCode {
    match (kind, code) {
        (_, "rate_limited" | "quota_exceeded" | "slow_mode" | "too_many_reservations") => StatusCode::TOO_MANY_REQUESTS,
        (_, "storage_low") => StatusCode::INSUFFICIENT_STORAGE,
        (Kind::Overloaded, _) => StatusCode::SERVICE_UNAVAILABLE,
        (Kind::Unavailable, _) => StatusCode::GATEWAY_TIMEOUT,
        (_, "upgrade_pending") => StatusCode::SERVICE_UNAVAILABLE,
        (_, "wrong_credentials" | "expired_token" | "not_logged_in") => StatusCode::UNAUTHORIZED,
        (
            _,
            "not_admin"
            | "read_only_role"
            | "not_allowed"
            | "own_account"
            | "account_disabled"
            | "password_change_required"
            | "registration_closed"
            | "invite_required"
            | "bad_invite"
            | "muted"
            | "group_muted"
            | "banned"
            | "not_your_message"
            | "anonymous_poll"
            | "bundle_by_forward"
            | "recall_too_late"
            | "bad_link"
            | "link_used_up"
            | "link_expired"
            | "not_taken"
            | "contact_blocked"
            | "not_for_bots"
            | "bad_hook"
            | "no_contact"
            | "members_hidden"
            | "bad_file_link",
        ) => StatusCode::FORBIDDEN,
        (
            _,
            "not_member"
            | "not_open"
            | "no_such_user"
            | "no_such_member"
            | "no_such_conversation"
            | "no_such_invitation"
            | "no_such_message"
            | "no_such_reaction"
            | "no_such_request"
            | "no_such_vote"
            | "no_such_scheduled"
            | "no_such_contact"
            | "no_such_report"
            | "no_such_bot"
            | "no_such_hook"
            | "no_dead_event"
            | "no_such_upload"
            | "no_such_file"
            | "no_preview",
        ) => StatusCode::NOT_FOUND,
        (_, "too_large" | "file_too_large" | "upload_too_long") => StatusCode::PAYLOAD_TOO_LARGE,
        (_, "beyond_the_file") => StatusCode::RANGE_NOT_SATISFIABLE,
        (
            _,
            "bad_name" | "bad_password" | "bad_emoji" | "same_password" | "too_many" | "request_reused" | "bad_time"
            | "time_passed" | "time_too_far" | "bad_content" | "bad_attachment" | "bad_location" | "bad_mentions"
            | "bad_thread" | "no_word" | "too_many_words" | "bad_file_name" | "missing_file" | "wrong_hash"
            | "bad_expiry" | "bad_poll" | "bad_poll_end" | "bad_vote" | "no_such_option" | "bad_hook_url"
            | "bad_bundle" | "bad_forward" | "bad_stream" | "bad_push_endpoint" | "bad_push_keys" | "refused_by_hook",
        ) => StatusCode::UNPROCESSABLE_ENTITY,
        (_, "bad_request" | "bad_frame" | "bad_version") => StatusCode::BAD_REQUEST,
        // The state of something does not allow it: a name that is taken, a last owner.
        _ => StatusCode::CONFLICT,
    }
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "The request is malformed",
        StatusCode::UNAUTHORIZED => "No valid session",
        StatusCode::FORBIDDEN => "Not permitted",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "This path has other methods",
        StatusCode::CONFLICT => "The present state does not allow it",
        StatusCode::PAYLOAD_TOO_LARGE => "Too large",
        StatusCode::PRECONDITION_FAILED => "Another version of tus",
        StatusCode::RANGE_NOT_SATISFIABLE => "Beyond the end",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "The body has another type",
        StatusCode::UNPROCESSABLE_ENTITY => "Refused by a rule",
        StatusCode::TOO_MANY_REQUESTS => "Too much at once",
        StatusCode::GATEWAY_TIMEOUT => "The outcome is unknown",
        StatusCode::INSUFFICIENT_STORAGE => "No room",
        _ => "Not now",
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let after = self.0.retry_after_ms.map(|after| after.div_ceil(1_000).max(1));
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = after {
            headers.insert(header::RETRY_AFTER, after.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Problem {
        let (status, code) = match unfit {
            Unfit::Damaged => (StatusCode::BAD_REQUEST, CURSOR_DAMAGED),
            Unfit::Foreign => (StatusCode::CONFLICT, CURSOR_FOREIGN),
            Unfit::Ahead => (StatusCode::CONFLICT, CURSOR_AHEAD),
        };
        Problem::new(status, code, unfit.to_string())
    }
}

/// A key whose first request had another body.
pub fn reused() -> Problem {
    let text = "this Idempotency-Key belongs to a request with another body: give each request a key of its own";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, KEY_REUSED, text)
}

pub fn follows_itself() -> Problem {
    let text = "a message cannot follow itself: `after` is the key of the message before it";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, FOLLOWS_ITSELF, text)
}

pub fn name_is_final() -> Problem {
    let text = "the name of an account is for life: register another account for another name";
    Problem::new(StatusCode::CONFLICT, NAME_IS_FINAL, text)
}

pub fn not_json() -> Problem {
    let text = "this request has a body in JSON: set Content-Type to application/json";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, UNSUPPORTED_MEDIA_TYPE, text)
}

pub fn bad_tus_version() -> Problem {
    let text = "this path speaks tus 1.0.0: say so in the header Tus-Resumable";
    Problem::new(StatusCode::PRECONDITION_FAILED, BAD_TUS_VERSION, text)
}

pub fn no_session() -> Problem {
    let text = "this wants a session: log in (POST /v1/login) and send its token as \"Authorization: Bearer <token>\"";
    Problem::new(StatusCode::UNAUTHORIZED, troupe_proto::client::Refusal::NotLoggedIn.code(), text)
}

/// Of a text that is no seq.
pub fn no_such_message() -> Problem {
    let refused = Intent::refusals().find(|refused| refused.code == NO_SUCH_MESSAGE);
    refused.map_or_else(no_such_path_now, |refused| troupe_core::Rejection::Of(refused).into())
}

fn no_such_path_now() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, NOT_FOUND, "there is no such path: /docs/api lists them")
}

pub async fn no_such_path() -> Problem {
    no_such_path_now()
}

pub async fn no_such_method(method: Method) -> Problem {
    let known = matches!(method.as_str(), "GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE" | "OPTIONS" | "TRACE");
    let name = if known { method.as_str() } else { "this method" };
    let text = format!("this path does not take {name}: the header Allow names those that it does");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, METHOD_NOT_ALLOWED, text)
}

#[cfg(test)]
mod tests;
