//! The HTTP edge: JSON over HTTP/1.1 and HTTP/2 below `/v1`, for scripts and small clients.
//!
//! ```text
//! router       all routes, and the OpenAPI document that is made of them
//! routes       one file per resource: JSON to operations, answers to JSON
//! events       streams of events and long polls: the connection of a device over HTTP
//! asker        the verified caller of a request, its budget, and what it performs
//! problem      refusals as `application/problem+json`
//! json, query  bodies and parameters within their caps; unknown fields are refused
//! ```
//!
//! It is a thin face of the node's [`Service`]: the service has the meaning of requests, their
//! costs and their permissions. A request is acknowledged after its commit only. `node/` mounts the
//! router at its HTTP port; docs/api.md is the page for users.

mod api;
mod asker;
mod events;
mod ids;
mod json;
mod key;
mod openapi;
mod page;
mod problem;
mod query;
mod routes;
mod tokens;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use troupe_actors::service::Service;

pub use api::Api;
pub use asker::Asker;
pub use json::Bodies;
pub use openapi::document;
pub use problem::Problem;

/// The API of a node. Requests carry the peer's address as an extension of the type
/// `ConnectInfo<SocketAddr>`; one without it counts as this machine's.
pub fn router(service: Service) -> Router {
    let api = Api::new(service);
    let (router, _) = openapi::parts();
    router
        .merge(page::routes())
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(from_fn_with_state(api.clone(), count))
        .with_state(api)
}

async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    api.service.metrics().http_requests.up();
    next.run(request).await
}
