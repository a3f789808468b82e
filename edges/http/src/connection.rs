//! The answers of one HTTP connection: their bytes wait within the share of a connection, and a
//! peer that takes none of them is let go.
//!
//! A body is handed on in pieces, so that its progress is seen. With HTTP/2 a socket may take bytes
//! while an answer stands still, and the other way round.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use troupe_actors::message::Refusal;
use troupe_actors::output::Output;
use troupe_core::limits;

use crate::fair::Underway;
use crate::problem::Problem;

/// Only pages are larger. They are refused above the share of a connection; what a smaller answer
/// tells has been done.
const SMALL: usize = 4 * 1024;
/// Bytes of a piece of an answer.
const PIECE: usize = 32 * 1024;
/// A peer that takes nothing for this time, while answers wait, is gone or holds memory on purpose.
const STALLED: Duration = Duration::from_secs(limits::WRITE_STALL_SECONDS);

/// An extension of the requests of one connection. Its server ends the connection when it says so.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    waiting: Mutex<Waiting>,
    crowded: Notify,
}

struct Waiting {
    bytes: usize,
    progress: Instant,
}

impl Default for Connection {
    fn default() -> Connection {
        let waiting = Mutex::new(Waiting { bytes: 0, progress: Instant::now() });
        Connection(Arc::new(Inner { waiting, crowded: Notify::new() }))
    }
}

impl Connection {
    /// Its address has too many requests in flight.
    pub(crate) fn crowd(&self) {
        self.0.crowded.notify_one();
    }

    /// Waits until it should take no further requests. Only its server may wait.
    pub async fn crowded(&self) {
        self.0.crowded.notified().await;
    }

    /// Waits until the peer has taken nothing for too long, while answers wait.
    pub async fn stalled(&self) {
        loop {
            let now = Instant::now();
            let due = match &*self.0.waiting.lock() {
                Waiting { bytes: 0, .. } => now + STALLED,
                Waiting { progress, .. } => *progress + STALLED,
            };
            if due <= now {
                return;
            }
            sleep_until(due).await;
        }
    }

    /// Counts bytes of an answer of any length, from its handler until they are written.
    pub(crate) fn hold(&self, bytes: usize, output: Arc<Output>) -> Held {
        let mut waiting = self.0.waiting.lock();
        if waiting.bytes == 0 {
            waiting.progress = Instant::now();
        }
        waiting.bytes += bytes;
        output.add(bytes);
        Held { bytes, connection: self.clone(), output }
    }

    /// Whether so many bytes more may wait here.
    pub(crate) fn allows(&self, bytes: usize, output: &Output) -> bool {
        output.allows(self.0.waiting.lock().bytes, bytes)
    }

    /// An answer with a known length is counted until it is written; a stream of events has its own
    /// queue.
    pub(crate) async fn answer(&self, response: Response, output: Arc<Output>, underway: Underway) -> Response {
        let (parts, body) = response.into_parts();
        if body.size_hint().exact().is_none() {
            return Response::from_parts(parts, Body::new(Counted { body, _underway: underway }));
        }
        let Ok(whole) = body.collect().await.map(|whole| whole.to_bytes()) else {
            return Problem::from(Refusal::Unavailable).into_response();
        };
        if whole.is_empty() {
            return Response::from_parts(parts, Body::empty());
        }
        let bytes = whole.len();
        {
            let mut waiting = self.0.waiting.lock();
            if bytes > SMALL && !output.allows(waiting.bytes, bytes) {
                return Problem::from(Refusal::OVERLOADED).into_response();
            }
            if waiting.bytes == 0 {
                waiting.progress = Instant::now();
            }
            waiting.bytes += bytes;
        }
        output.add(bytes);
        let answer = Answer { rest: whole, bytes, connection: self.clone(), output, _underway: underway };
        Response::from_parts(parts, Body::new(answer))
    }
}

/// A body whose bytes wait for the peer.
struct Answer {
    rest: Bytes,
    bytes: usize,
    connection: Connection,
    output: Arc<Output>,
    _underway: Underway,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        self.connection.0.waiting.lock().progress = Instant::now();
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.output.release(self.bytes);
        let mut waiting = self.connection.0.waiting.lock();
        waiting.bytes -= self.bytes;
        waiting.progress = Instant::now();
    }
}

/// Bytes that wait for the peer.
pub(crate) struct Held {
    bytes: usize,
    connection: Connection,
    output: Arc<Output>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.output.release(self.bytes);
        let mut waiting = self.connection.0.waiting.lock();
        waiting.bytes -= self.bytes;
        waiting.progress = Instant::now();
    }
}

/// A body without a known length, which is in flight until its end.
struct Counted {
    body: Body,
    _underway: Underway,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use troupe_runtime::Meters;

    use super::*;
    use crate::fair::Shares;

    async fn answer(connection: &Connection, output: &Arc<Output>, bytes: usize) -> Response {
        let underway = Shares::default().begin_for_test();
        connection.answer(Response::new(Body::from(vec![b'x'; bytes])), output.clone(), underway).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_of_its_answers_has_stalled() {
        let (connection, output) = (Connection::default(), Arc::<Output>::default());
        let within = |time| tokio::time::timeout(time, connection.stalled());
        assert!(within(10 * STALLED).await.is_err(), "no answer waits");
        let mut body = answer(&connection, &output, 3 * PIECE).await.into_body();
        assert!(within(STALLED / 2).await.is_err());
        assert_eq!(
            body.frame().await.and_then(Result::ok).and_then(|f| f.into_data().ok()).map(|d| d.len()),
            Some(PIECE)
        );
        assert!(within(STALLED - Duration::from_secs(1)).await.is_err(), "it made progress");
        assert!(within(STALLED).await.is_ok());
        drop(body);
        assert!(within(10 * STALLED).await.is_err());
        assert_eq!(output.waiting(), 0);
    }

    #[tokio::test]
    async fn answers_that_wait_share_the_bytes_of_the_node() {
        const MIB: usize = 1024 * 1024;
        let output = Arc::new(Output::new(16 * MIB, Meters::default()));
        let connections: Vec<_> = (0..64).map(|_| Connection::default()).collect();
        let mut held = Vec::new();
        for round in 0..16 {
            for connection in &connections {
                let answer = answer(connection, &output, MIB / 4).await;
                assert!(round > 0 || output.waiting() > 8 * MIB || answer.status() == 200);
                held.push(answer);
            }
        }
        assert!(output.waiting() <= 16 * MIB, "{}", output.waiting());
        // A small one tells what has been done.
        assert_eq!(answer(&connections[0], &output, SMALL).await.status(), 200);
        drop(held);
        assert_eq!(output.waiting(), 0);
    }
}
