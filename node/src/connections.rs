//! HTTP connections, of the HTTP listener and of the client port: HTTP/1.1 and HTTP/2, each request
//! with a bounded time.
//!
//! A request that does not come to its end holds a file descriptor, so the first bytes and the head
//! must come within [`HEAD_TIME`], and all of it within [`REQUEST_TIME`]. A client that takes none
//! of its answer for [`STALLED`] is gone.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use troupe_actors::connection::Carrier;
use troupe_core::limits;
use troupe_edge_http::Bodies;
use troupe_edge_tcp::Web;
use troupe_runtime::Stream;
use troupe_runtime::net::BoxFuture;

/// For the head of a request, also on a connection that is kept open between two of them.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// For a request and its answer up to the body. A poll for events may wait for a minute.
const REQUEST_TIME: Duration = Duration::from_secs(75);
/// For a client to take something of what waits to be written.
const STALLED: Duration = Duration::from_secs(limits::WRITE_STALL_SECONDS);
/// After a failed accept: no file descriptors left, for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of the head of a request, and of HTTP/1.1 that wait to be written. Above it: 431.
const HEAD_BYTES: usize = 64 * 1024;
/// Bytes of one stream of HTTP/2 that wait to be written.
const STREAM_BYTES: usize = 64 * 1024;
/// Streams of one HTTP/2 connection.
const STREAMS: u32 = 128;
/// Bytes that a client of HTTP/2 may send before they are read: of one stream, and of a connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const WINDOW: u32 = 256 * 1024;
/// An HTTP/2 connection that answers no ping is closed.
const PING: Duration = Duration::from_secs(20);
/// Bytes that tell HTTP/1.1 from HTTP/2.
const PREFACE_BYTES: usize = 24;

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
            let app = app.clone();
            connections.spawn(async move {
                serve_one(Box::new(stream), peer, app, None).await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stopped => {}
    }
}

/// HTTP on connections of the client port.
pub struct ClientPort(Router);

impl ClientPort {
    pub fn new(app: Router) -> ClientPort {
        ClientPort(app.layer(from_fn(in_time)))
    }
}

impl Web for ClientPort {
    fn serve(&self, stream: Box<dyn Stream>, peer: SocketAddr, carrier: Carrier) -> BoxFuture<'static, ()> {
        Box::pin(serve_one(stream, peer, self.0.clone(), Some(carrier)))
    }
}

/// Until the connection ends, or becomes another protocol's.
async fn serve_one(stream: Box<dyn Stream>, peer: SocketAddr, app: Router, carrier: Option<Carrier>) {
    // The peer's address goes to the audit log.
    let mut app = app.layer(Extension(ConnectInfo(peer))).layer(Extension(Bodies::default()));
    if let Some(carrier) = carrier {
        app = app.layer(Extension(carrier));
    }
    let service = TowerToHyperService::new(app);
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEAD_BYTES as u32)
        .max_send_buf_size(STREAM_BYTES)
        .keep_alive_interval(PING)
        .keep_alive_timeout(HEAD_TIME);
    let stream: Box<dyn Stream> = Box::new(Prompt::new(stream));
    if let Err(error) = http.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
        tracing::debug!(%peer, %error, "an HTTP connection ended");
    }
}

/// A stream whose first bytes must come in time, as the server waits for them without a limit, and
/// whose peer must take what is written.
struct Prompt {
    stream: Box<dyn Stream>,
    received: usize,
    over: Option<Pin<Box<Sleep>>>,
    /// Since the peer took nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Prompt {
    fn new(stream: Box<dyn Stream>) -> Prompt {
        Prompt { stream, received: 0, over: Some(Box::pin(sleep(HEAD_TIME))), stalled: None }
    }

    /// The outcome of a write. It fails if none has succeeded for too long.
    fn wrote<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Prompt {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(over) = &mut this.over
            && over.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        if this.over.is_some() {
            this.received += buffer.filled().len() - before;
            this.over = this.over.take().filter(|_| this.received < PREFACE_BYTES);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, wrote)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.wrote(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
    async fn a_connection_that_says_nothing_is_closed() {
        for begin in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM"] {
            let mut silent = TcpStream::connect(served(1).await).await.unwrap();
            silent.write_all(begin).await.unwrap();
            let closed = timeout(2 * HEAD_TIME, silent.read_to_end(&mut Vec::new())).await;
            assert!(closed.is_ok(), "{begin:?} is still open");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let page = || async { axum::body::Bytes::from(vec![0; 64 * 1024 * 1024]) };
        let serving = tokio::spawn(serve(listener, Router::new().route("/", get(page)), 1, std::future::pending()));
        let mut deaf = TcpStream::connect(address).await.unwrap();
        deaf.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        deaf.read_exact(&mut [0]).await.unwrap();
        // The place is free again when the connection has ended.
        let ended = async {
            loop {
                let mut next = TcpStream::connect(address).await.unwrap();
                next.write_all(b"GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
                if next.read(&mut [0]).await.unwrap_or(0) > 0 {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        assert!(timeout(2 * STALLED, ended).await.is_ok(), "it is still open");
        serving.abort();
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
