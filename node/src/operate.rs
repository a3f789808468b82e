//! Operations of administrators over HTTP, for an operator: `POST /v1/operate`.
//!
//! The body is an `Admin` of `client.proto`, and the answer an `AdminAnswer`; a refusal is a
//! `Failure`. Export and import go this way only: they read and write the messages of all, so they
//! want the cluster's key, like a backup.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use prost::Message;
use troupe_core::limits;
use troupe_proto::wire::client as wire;
use troupe_proto::wire::client::failure::Kind;

use crate::http::{Running, Shared};
use crate::orders::{operator, refusal};

pub const PATH: &str = "/v1/operate";
/// Of bodies and answers.
pub const MEDIA_TYPE: &str = "application/x-protobuf";
/// The largest body: a command of an import, and room for what a command has not.
const BODY_BYTES: usize = 2 * limits::BATCH_BYTES;

pub fn route() -> Router<Arc<Shared>> {
    Router::new().route(PATH, post(perform)).layer(DefaultBodyLimit::max(BODY_BYTES))
}

async fn perform(
    State(shared): State<Arc<Shared>>,
    Running { node, .. }: Running,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err((code, why)) = shared.guard.permits(&headers) {
        return refusal(code, &why);
    }
    let Ok(asked) = wire::Admin::decode(body) else {
        return refusal(StatusCode::BAD_REQUEST, "the body is no Admin of client.proto: use a troupe of this version");
    };
    match node.operate_as_asked(operator(from), asked).await {
        Ok(answer) => told(StatusCode::OK, &answer),
        Err(failure) => {
            let code = match failure.kind() {
                Kind::Rejected | Kind::FailedPrecondition => StatusCode::CONFLICT,
                Kind::Overloaded => StatusCode::TOO_MANY_REQUESTS,
                Kind::Unavailable | Kind::Unspecified => StatusCode::SERVICE_UNAVAILABLE,
            };
            told(code, &failure)
        }
    }
}

fn told(code: StatusCode, message: &impl Message) -> Response {
    (code, [(header::CONTENT_TYPE, MEDIA_TYPE)], message.encode_to_vec()).into_response()
}
