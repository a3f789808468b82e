//! The body of a stream: a bounded queue between the feed and the HTTP connection.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;
use troupe_actors::output::Output;
use troupe_core::limits;

/// Bytes of one piece of the body.
const PIECE: usize = 16 * 1024;
/// Bytes that wait for the connection, the pieces that it is writing included.
const HELD: usize = 4 * PIECE;
/// A client that takes no piece for this time is gone, or holds memory on purpose.
const STALLED: Duration = Duration::from_secs(limits::WRITE_STALL_SECONDS);

/// The writing end.
pub struct Pipe(Arc<Shared>);

/// The client takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled;

struct Shared {
    queue: Mutex<Queue>,
    /// For the connection: there is something to write.
    filled: Notify,
    /// For the feed: there is room, or the connection is gone.
    room: Notify,
    output: Arc<Output>,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    /// Of all pieces that are not written yet.
    held: usize,
    finished: bool,
    gone: bool,
}

impl Pipe {
    pub fn new(output: Arc<Output>) -> (Pipe, Body) {
        let (filled, room) = (Notify::new(), Notify::new());
        let shared = Arc::new(Shared { queue: Mutex::default(), filled, room, output });
        let reads = futures::stream::unfold(Reads(shared.clone()), |reads| async move {
            let piece = reads.next().await?;
            Some((Ok::<Bytes, Infallible>(piece), reads))
        });
        (Pipe(shared), Body::from_stream(reads))
    }

    /// Waits for room. A client that is gone takes everything.
    pub async fn write(&self, mut text: Bytes) -> Result<(), Stalled> {
        while !text.is_empty() {
            let piece = text.split_to(text.len().min(PIECE));
            let put = self.wait(|queue, output| {
                let fits = queue.held == 0 || queue.held + piece.len() <= HELD;
                queue.gone || (fits && output.allows(queue.held, piece.len()))
            });
            timeout(STALLED, put).await.map_err(|_| Stalled)?;
            self.put(piece);
        }
        Ok(())
    }

    /// Writes the last text without waiting, behind what waits.
    pub fn finish(self, last: Bytes) {
        if !last.is_empty() {
            self.put(last);
        }
    }

    /// Waits until the client is gone.
    pub async fn gone(&self) {
        self.wait(|queue, _| queue.gone).await;
    }

    async fn wait(&self, ready: impl Fn(&Queue, &Output) -> bool) {
        loop {
            let changed = self.0.room.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if ready(&self.0.queue.lock(), &self.0.output) {
                return;
            }
            changed.await;
        }
    }

    fn put(&self, piece: Bytes) {
        let mut queue = self.0.queue.lock();
        if queue.gone {
            return;
        }
        queue.held += piece.len();
        self.0.output.add(piece.len());
        queue.pieces.push_back(piece);
        drop(queue);
        self.0.filled.notify_one();
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.0.queue.lock().finished = true;
        self.0.filled.notify_one();
    }
}

/// The end of the connection.
struct Reads(Arc<Shared>);

impl Reads {
    async fn next(&self) -> Option<Bytes> {
        loop {
            {
                let mut queue = self.0.queue.lock();
                if let Some(piece) = queue.pieces.pop_front() {
                    let held = Held { piece, shared: self.0.clone() };
                    return Some(Bytes::from_owner(held));
                }
                if queue.finished {
                    return None;
                }
            }
            self.0.filled.notified().await;
        }
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.gone = true;
        for piece in std::mem::take(&mut queue.pieces) {
            self.0.release(&mut queue, piece.len());
        }
        drop(queue);
        self.0.room.notify_waiters();
    }
}

impl Shared {
    fn release(&self, queue: &mut Queue, bytes: usize) {
        queue.held -= bytes;
        self.output.release(bytes);
    }
}

/// A piece that counts until the connection has written it.
struct Held {
    piece: Bytes,
    shared: Arc<Shared>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        self.shared.release(&mut queue, self.piece.len());
        drop(queue);
        self.shared.room.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::time::Instant;
    use troupe_runtime::Meters;

    use super::*;

    fn output() -> Arc<Output> {
        Arc::new(Output::new(64 * 1024 * 1024, Meters::default()))
    }

    #[tokio::test]
    async fn everything_comes_out_in_order_and_nothing_stays_counted() {
        let output = output();
        let (pipe, mut body) = Pipe::new(output.clone());
        let text: Vec<u8> = (0..1_000_000_u32).map(|at| at as u8).collect();
        let sent = Bytes::from(text.clone());
        let writes = tokio::spawn(async move {
            assert_eq!(pipe.write(sent).await, Ok(()));
            pipe.finish(Bytes::from_static(b"end"));
        });
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            read.extend_from_slice(frame.expect("no error").data_ref().expect("data"));
        }
        writes.await.expect("it ends");
        assert!(read.len() == text.len() + 3 && read.starts_with(&text) && read.ends_with(b"end"));
        assert_eq!(output.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_stalls_and_holds_little() {
        let output = output();
        let (pipe, body) = Pipe::new(output.clone());
        let begun = Instant::now();
        assert_eq!(pipe.write(Bytes::from(vec![0; 1024 * 1024])).await, Err(Stalled));
        assert_eq!((begun.elapsed(), output.waiting()), (STALLED, HELD));
        // A piece that it took counts until it is written.
        let mut body = body;
        let frame = body.frame().await.expect("a frame").expect("no error");
        assert_eq!(output.waiting(), HELD);
        drop(frame);
        assert_eq!(output.waiting(), HELD - PIECE);
        drop(body);
        assert_eq!(output.waiting(), 0);
        pipe.gone().await;
        assert_eq!(pipe.write(Bytes::from_static(b"nobody reads it")).await, Ok(()));
    }
}
