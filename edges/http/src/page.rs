//! The description of the API: as OpenAPI, and as a page without anything from elsewhere.

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;

use crate::api::Api;
use crate::openapi::document;

const PAGE: &str = include_str!("page/api.html");
/// The page has its script and its style within, and reads this server only.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub fn routes() -> Router<Api> {
    Router::new().route("/v1/openapi.json", get(openapi)).route("/docs/api", get(page))
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document().clone())
}

async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], Html(PAGE))
}
