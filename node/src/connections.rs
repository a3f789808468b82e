//! The HTTP listener: as many connections as it may have, each with a bounded time for its
//! requests.
//!
//! A request that does not come to its end holds a file descriptor, so its head must come within
//! [`HEAD_TIME`], and all of it within [`REQUEST_TIME`].

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// For the head of a request, also on a connection that is kept open between two of them.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// For a request and its answer.
const REQUEST_TIME: Duration = Duration::from_secs(60);
/// After a failed accept: no file descriptors left, for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stopped` resolves. Above `places` connections a new one is closed at once.
pub async fn serve(listener: TcpListener, app: Router, places: usize, stopped: impl Future<Output = ()>) {
    let app = app.layer(from_fn(in_time));
    let room = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
    // Dropped with this function, which ends what is still open.
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "an HTTP connection was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
                tracing::debug!(%peer, places, "closed: too many HTTP connections");
                continue;
            };
            // The peer's address goes to the audit log.
            let service = TowerToHyperService::new(app.clone().layer(Extension(ConnectInfo(peer))));
            connections.spawn(async move {
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
                if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                    tracing::debug!(%peer, %error, "an HTTP connection ended");
                }
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stopped => {}
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    match timeout(REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response(),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "HTTP is not simulated")]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn served(places: usize) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/livez", get(|| async { "ok\n" }));
        tokio::spawn(serve(listener, app, places, std::future::pending()));
        address
    }

    async fn asks(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        // A connection that was closed at once may be reset.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn above_its_places_a_connection_is_closed_and_a_place_comes_back() {
        let address = served(2).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        let mut third = TcpStream::connect(address).await.unwrap();
        assert_eq!(third.read(&mut [0]).await.unwrap_or(0), 0, "closed");
        assert!(asks(&mut first).await.ends_with("ok\n"));
        while !asks(&mut TcpStream::connect(address).await.unwrap()).await.ends_with("ok\n") {}
        assert!(asks(&mut second).await.ends_with("ok\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_whose_head_does_not_end_is_closed() {
        let address = served(1).await;
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET /livez HTTP/1.1\r\nhost:").await.unwrap();
        let mut rest = Vec::new();
        let closed = timeout(2 * HEAD_TIME, half.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "it is still open");
    }
}
