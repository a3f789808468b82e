//! The two halves of a socket: one task reads answers and pushes, one writes queued frames.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures::StreamExt;
use prost::Message as _;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::codec::{Encoder, FramedRead};
use troupe_proto::frame::FrameCodec;
use troupe_proto::wire::client::{ClientFrame, Ping, Pong, ServerFrame};
use troupe_runtime::Stream;

use super::{Message, Push, READ_BUFFER, Request, Shared};
use crate::error::{Error, Result};

/// Frames per system call.
const WRITE_BATCH: usize = 64;

pub(super) fn encode(frame: &ClientFrame, buffer: &mut BytesMut) -> Result<()> {
    FrameCodec::client().encode(frame, buffer).map_err(|error| Error::Protocol(error.to_string()))
}

pub(super) type Frames = FramedRead<ReadHalf<Box<dyn Stream>>, FrameCodec>;

pub(super) async fn next_frame(frames: &mut Frames) -> Result<Option<ServerFrame>> {
    match frames.next().await {
        None => Ok(None),
        Some(Err(error)) => Err(Error::Unavailable(error.to_string())),
        Some(Ok(payload)) => ServerFrame::decode(payload)
            .map(Some)
            .map_err(|error| Error::Protocol(format!("unreadable frame: {error}"))),
    }
}

pub(super) async fn read_all(
    mut frames: Frames,
    shared: Arc<Shared>,
    pushes: mpsc::Sender<Push>,
    out: mpsc::WeakSender<ClientFrame>,
) {
    loop {
        let frame = match next_frame(&mut frames).await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) => {
                tracing::debug!(%error, "connection ends");
                break;
            }
        };
        let push = {
            let mut inner = shared.0.lock();
            inner.last_heard = Instant::now();
            match frame.message {
                // A message of a later version is ignored.
                None => continue,
                Some(message) if frame.request_id != 0 => {
                    if let Some(answer) = inner.pending.remove(&frame.request_id) {
                        drop(answer.send(message));
                    }
                    continue;
                }
                Some(Message::Event(push)) => Push::Event(push),
                Some(Message::Cursor(push)) => Push::Cursor(push),
                Some(Message::Conversation(push)) => Push::Conversation(push),
                Some(Message::Invitation(push)) => Push::Invitation(push),
                Some(Message::Profile(push)) => Push::Profile(push),
                Some(Message::Signal(push)) => {
                    // A full queue is of events, which a signal must not delay.
                    drop(pushes.try_send(Push::Signal(push)));
                    continue;
                }
                Some(Message::Presence(push)) => {
                    drop(pushes.try_send(Push::Presence(push)));
                    continue;
                }
                Some(Message::ContactChanged(push)) => Push::Contact(push),
                Some(Message::PersonalChanged(push)) => Push::Personal(push),
                Some(Message::FavouriteChanged(push)) => Push::Favourite(push),
                Some(Message::Kicked(push)) => Push::Kicked(push),
                Some(Message::GoAway(push)) => Push::GoAway(push),
                Some(Message::Ping(Ping { nonce })) => {
                    // A full queue is a sign of life as well.
                    if let Some(out) = out.upgrade() {
                        let pong = Request::Pong(Pong { nonce });
                        drop(out.try_send(ClientFrame { request_id: 1, request: Some(pong) }));
                    }
                    continue;
                }
                // An answer without a request: the server refuses the connection as a whole and
                // closes it.
                Some(Message::Failure(failure)) => {
                    let error = Error::from(failure);
                    tracing::warn!(%error, "the server closed the connection");
                    break;
                }
                Some(_) => continue,
            }
        };
        if pushes.send(push).await.is_err() {
            // The application dropped the pushes. Answers still matter.
            continue;
        }
        shared.0.lock().last_heard = Instant::now();
    }
    let mut inner = shared.0.lock();
    inner.closed = true;
    inner.pending.clear();
}

pub(super) async fn write_all(
    mut write: WriteHalf<Box<dyn Stream>>,
    mut queue: mpsc::Receiver<ClientFrame>,
    quiet: Duration,
) {
    let mut buffer = BytesMut::new();
    let mut batch = Vec::new();
    loop {
        match tokio::time::timeout(quiet, queue.recv_many(&mut batch, WRITE_BATCH)).await {
            Ok(0) => break,
            Ok(_) => {
                // Requests that are about to be made share the write.
                yield_now().await;
                while batch.len() < WRITE_BATCH
                    && let Ok(frame) = queue.try_recv()
                {
                    batch.push(frame);
                }
            }
            // The reader drops its answer, but counts it as a sign of life. Id 1 was hello's.
            Err(_) => batch.push(ClientFrame { request_id: 1, request: Some(Request::Ping(Ping { nonce: 0 })) }),
        }
        for frame in batch.drain(..) {
            if let Err(error) = encode(&frame, &mut buffer) {
                // Only a frame above the cap fails here. Its sender gets no answer; other requests
                // are unaffected.
                tracing::error!(%error, "cannot send a frame");
            }
        }
        // TLS keeps what a full socket did not take until the flush.
        if write.write_all(&buffer).await.is_err() || write.flush().await.is_err() {
            return;
        }
        buffer.clear();
        if buffer.capacity() > 64 * READ_BUFFER {
            buffer = BytesMut::new();
        }
    }
    drop(write.shutdown().await);
}
