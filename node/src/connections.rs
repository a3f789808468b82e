//! HTTP connections, of the HTTP listener and of the client port: HTTP/1.1 and HTTP/2, each request
//! with a bounded time.
//!
//! A request that does not come to its end holds a file descriptor, so the first bytes and the head
//! must come within [`HEAD_TIME`], and all of it within [`REQUEST_TIME`]. A peer that takes nothing
//! of its answers for [`STALLED`] is let go, and so is one that has vanished: see [`net::accept`].
//! On the HTTP listener, the oldest connection of the address with most of them gives way to a
//! newcomer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use troupe_actors::address::Address;
use troupe_actors::budgets::Limits;
use troupe_actors::connection::Carrier;
use troupe_actors::places::{GivesWay, Places};
use troupe_core::limits;
use troupe_edge_http::{Bodies, Connection, Meter, Meters};
use troupe_edge_tcp::Web;
use troupe_runtime::Stream;
use troupe_runtime::net::{self, BoxFuture};

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
/// Bytes of the head of a request in HTTP/2, where a connection has many at once.
const STREAM_HEAD_BYTES: u32 = 16 * 1024;
/// Bytes that a client of HTTP/2 may send before they are read: of one stream, and of a connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const WINDOW: u32 = 256 * 1024;
/// An HTTP/2 connection that answers no ping is closed.
const PING: Duration = Duration::from_secs(20);
/// Bytes that tell HTTP/1.1 from HTTP/2.
const PREFACE_BYTES: usize = 24;

/// Serves until `stopped` resolves. `limits.connections` of a connection may be open.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    meters: Meters,
    stopped: impl Future<Output = ()>,
) {
    let app = app.layer(from_fn(in_time));
    let room = Places::new(limits);
    // Dropped with this function, which ends what is still open.
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let (stream, peer) = match net::accept(&listener).await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "an HTTP connection was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let leaving = Arc::new(Leaving::default());
            let Ok(place) = room.enter(Address::of(peer), leaving.clone()) else {
                tracing::debug!(%peer, "closed: too many HTTP connections");
                continue;
            };
            let (app, meter) = (app.clone(), meters.of(Address::of(peer)));
            connections.spawn(async move {
                tokio::select! {
                    () = serve_one(Box::new(stream), peer, app, meter, None) => {}
                    () = leaving.0.notified() => tracing::debug!(%peer, "closed: its place is needed"),
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

/// A connection of the HTTP listener whose place another one needs.
#[derive(Default)]
struct Leaving(Notify);

impl GivesWay for Leaving {
    fn give_way(&self) {
        self.0.notify_one();
    }
}

/// HTTP on connections of the client port.
pub struct ClientPort {
    app: Router,
    meters: Meters,
}

impl ClientPort {
    pub fn new(app: Router, meters: Meters) -> ClientPort {
        ClientPort { app: app.layer(from_fn(in_time)), meters }
    }
}

impl Web for ClientPort {
    fn serve(&self, stream: Box<dyn Stream>, peer: SocketAddr, carrier: Carrier) -> BoxFuture<'static, ()> {
        let meter = self.meters.of(Address::of(peer));
        Box::pin(serve_one(stream, peer, self.app.clone(), meter, Some(carrier)))
    }
}

/// Until the connection ends, or becomes another protocol's.
async fn serve_one(stream: Box<dyn Stream>, peer: SocketAddr, app: Router, meter: Meter, carrier: Option<Carrier>) {
    let (connection, bodies) = (Connection::default(), Bodies::default());
    let app = TowerToHyperService::new(app);
    let (of_connection, metered) = (connection.clone(), meter.clone());
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let extensions = request.extensions_mut();
        // Budgets and the audit log go by the peer's address.
        extensions.insert(ConnectInfo(peer));
        extensions.insert(of_connection.clone());
        extensions.insert(metered.clone());
        extensions.insert(bodies.clone());
        if let Some(carrier) = &carrier {
            extensions.insert(carrier.clone());
        }
        app.call(request)
    });
    let mut http = auto::Builder::new(meter.clone());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(STREAM_HEAD_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(STREAM_BYTES)
        .keep_alive_interval(PING)
        .keep_alive_timeout(HEAD_TIME);
    let stream: Box<dyn Stream> = Box::new(Prompt::new(stream));
    let mut serving = meter.around(http.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = connection.stalled() => return tracing::debug!(%peer, "closed: it takes nothing of its answers"),
        () = connection.crowded() => {
            // Requests in flight are still answered.
            serving.inner().graceful_shutdown();
            tokio::select! {
                ended = &mut serving => ended,
                () = connection.stalled() => return,
                () = sleep(REQUEST_TIME) => return,
            }
        }
    };
    if let Err(error) = ended {
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
        let app = Router::new().route("/livez", get(|| async { "ok\n" }));
        served_with(places, app).await
    }

    async fn served_with(places: usize, app: Router) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits { connections: places, ..Limits::default() };
        let meters = Meters::new(limits.clone());
        tokio::spawn(serve(listener, app, limits, meters, std::future::pending()));
        address
    }

    async fn from(last: u8, to: std::net::SocketAddr) -> TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 9, last], 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    async fn asks(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        // A connection that was closed at once may be reset.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn a_newcomer_gets_the_place_of_the_address_with_most_connections() {
        let address = served(8).await;
        let mut other = from(2, address).await;
        let mut held = Vec::new();
        for _ in 0..7 {
            held.push(from(1, address).await);
        }
        assert!(asks(&mut from(3, address).await).await.ends_with("ok\n"), "a newcomer");
        assert_eq!(held[0].read(&mut [0]).await.unwrap_or(0), 0, "the oldest gave way");
        assert!(asks(&mut other).await.ends_with("ok\n"), "one that was there before");
        assert!(asks(&mut held.pop().unwrap()).await.ends_with("ok\n"), "the latest");
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
        const BYTES: usize = 64 * 1024 * 1024;
        let page = || async { axum::body::Bytes::from(vec![0; BYTES]) };
        let address = served_with(1, Router::new().route("/", get(page))).await;
        let mut deaf = TcpStream::connect(address).await.unwrap();
        deaf.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        deaf.read_exact(&mut [0]).await.unwrap();
        sleep(2 * STALLED).await;
        let (mut taken, mut buffer) = (0, vec![0; 64 * 1024]);
        while let Ok(many @ 1..) = deaf.read(&mut buffer).await {
            taken += many;
        }
        assert!(taken < BYTES, "it came to its end");
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
