//! The HTTP edge: JSON over HTTP/1.1 and HTTP/2 below `/v1`, for scripts and small clients.
//!
//! ```text
//! router       all routes, and the OpenAPI document that is made of them
//! routes       one file per resource: JSON to operations, answers to JSON
//! events       streams of events and long polls: the connection of a device over HTTP
//! asker        the verified caller of a request, its budget, and what it performs
//! problem      refusals as `application/problem+json`
//! json, query  bodies and parameters within their caps; unknown fields are refused
//! range        one range of the bytes of a file
//! fair         the share of an address: requests, requests in flight, bytes of bodies
//! meter        the share of an address: CPU time of its connections
//! connection   the answers that wait for one connection
//! receivers    from a node to the receivers of hooks, and to push services
//! web          the web client at `/`
//! book         the documentation at `/docs`
//! ```
//!
//! It is a thin face of the node's [`Service`]: the service has the meaning of requests, their
//! costs and their permissions. A request is acknowledged after its commit only. `node/` mounts the
//! router at its HTTP port; docs/api.md is the page for users.

mod api;
mod asker;
mod book;
mod connection;
mod events;
mod fair;
mod ids;
mod json;
mod key;
mod meter;
mod openapi;
mod page;
mod problem;
mod query;
mod range;
mod receivers;
mod routes;
mod tokens;
mod web;

use axum::Router;
use axum::middleware::from_fn_with_state;
use troupe_actors::service::Service;

pub use api::Api;
pub use asker::Asker;
pub use connection::Connection;
pub use fair::{address_of, fee};
pub use json::Bodies;
pub use meter::{Meter, Metered, Meters};
pub use openapi::document;
pub use problem::Problem;
pub use receivers::{HttpReceivers, PushConfig, ReceiversConfig, webpush};

/// All problems that this version answers, for the description of codes.
pub fn problems() -> Vec<Problem> {
    problem::known()
}

/// The API of a node. Requests carry the peer's address as an extension of the type
/// `ConnectInfo<SocketAddr>`; one without it counts as this machine's. Those of one connection
/// share a [`Connection`].
pub fn router(service: Service) -> Router {
    demo_router(service, None)
}

/// The same for a node of a demo: its web client may ask the control at this address for faults.
pub fn demo_router(service: Service, control: Option<String>) -> Router {
    let api = Api::new(service, control);
    let (router, _) = openapi::parts();
    router
        .merge(page::routes())
        .merge(book::routes())
        .merge(web::routes())
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(from_fn_with_state(api.clone(), fair::fair))
        .with_state(api)
}
