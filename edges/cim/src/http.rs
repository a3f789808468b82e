//! The HTTP port: connections, requests and their bounds. [`crate::route`] has the paths.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;
use troupe_actors::connection::Connection;
use troupe_runtime::Stream;

use crate::Edge;
use crate::answer::{Answer, Status};
use crate::channel::{Silent, leaves};
use crate::route::{self, Asked};

/// For the head of a request, also on a connection that is kept open between two of them.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a body. Above it the answer is 413.
pub const BODY_BYTES: usize = 256 * 1024;
/// Bytes of the head of a request. Above it the answer is 431.
const HEAD_BYTES: usize = 16 * 1024;

/// Serves one connection to its end.
pub async fn serve(edge: Arc<Edge>, stream: Box<dyn Stream>, connection: Connection, silent: Arc<Silent>) {
    let connection = Arc::new(connection);
    let answering = service_fn(|request| {
        let (edge, connection) = (edge.clone(), connection.clone());
        async move {
            let answer = answer(&edge, &connection, request).await;
            edge.service.metrics().cim_requests.up();
            Ok::<_, Infallible>(response(answer))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES);
    let serving = http.serve_connection(TokioIo::new(stream), answering);
    tokio::pin!(serving);
    let mut leaving = false;
    loop {
        tokio::select! {
            served = &mut serving => {
                if let Err(error) = served {
                    tracing::debug!(%error, "an HTTP connection of a CIM client ended");
                }
                return;
            }
            // Ends after the request in progress.
            () = leaves(edge.service.clients()), if !leaving => {
                leaving = true;
                serving.as_mut().graceful_shutdown();
            }
            () = silent.gives_way() => return,
            () = edge.stops() => return,
        }
    }
}

async fn answer(edge: &Arc<Edge>, connection: &Arc<Connection>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    if is_from_page(&head.headers) {
        let text = "pages of a browser may not use this port";
        return Answer::error(StatusCode::FORBIDDEN, Status::Failure, text);
    }
    let path = head.uri.path();
    let Some(method) = route::method(path) else {
        return Answer::error(StatusCode::NOT_FOUND, Status::Failure, "no such path: docs/cim.md lists them");
    };
    if head.method != method {
        let text = format!("this path wants {method}");
        return Answer::error(StatusCode::METHOD_NOT_ALLOWED, Status::Failure, text);
    }
    let body = if method == Method::POST {
        if !is_json(&head.headers) {
            let text = "the body wants Content-Type: application/json";
            return Answer::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, Status::InvalidArgument, text);
        }
        match timeout(BODY_WITHIN, Limited::new(body, BODY_BYTES).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                let text = format!("a body has at most {BODY_BYTES} bytes");
                return Answer::error(StatusCode::PAYLOAD_TOO_LARGE, Status::InvalidArgument, text);
            }
            Ok(Err(_)) => return Answer::invalid("the body ended early"),
            Err(_) => {
                return Answer::error(StatusCode::REQUEST_TIMEOUT, Status::InvalidArgument, "the body came too slowly");
            }
        }
    } else {
        Bytes::new()
    };
    let asked = Asked { edge: edge.clone(), address: connection.address(), payer: connection.payer().clone() };
    route::answer(asked, path, &body).await
}

/// Browsers say where a request comes from; CIM's clients and scripts do not. A page must not use
/// the logins of the machine that shows it.
fn is_from_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site")
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let Answer { http, retry_after, body } = answer;
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = http;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(after) = retry_after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
