//! The task of a connection: it reads frames for the actor, and writes frames of the outbox.
//!
//! An idle connection is cheap: it has no read buffer and one timer. Reading stops while the send
//! window is full, so that a fast client waits in its own socket.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use prost::Message;
use ractor::ActorRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use troupe_actors::budgets::{Payer, Verdict};
use troupe_actors::message::wire;
use troupe_actors::ops;
use troupe_core::limits;
use troupe_proto::client::{EndReason, push_frame};
use troupe_proto::frame::FrameDecoder;
use troupe_runtime::Stream;

use super::EdgeMsg;
use crate::door::Door;
use crate::outbox::{Outbox, ToWrite};

/// Bytes of the first read: a ping and most messages fit.
const SMALL: usize = 512;
/// Read at once while a frame is incomplete.
const LARGE: usize = 16 * 1024;
/// A peer that takes no bytes for this time, while frames wait, is gone or holds memory on purpose.
const STALLED: Duration = Duration::from_secs(limits::WRITE_STALL_SECONDS);
/// Before a frame's payload.
const PREFIX: usize = 4;
/// After a refusal for its budget a connection is not read for this time, at least.
const REFUSED: Duration = Duration::from_millis(100);
/// The time for the last frames of a connection.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// Runs until the client is gone or the last frame is written.
pub async fn run(
    stream: Box<dyn Stream>,
    door: Arc<Door>,
    outbox: Arc<Outbox>,
    payer: Arc<Payer>,
    edge: ActorRef<EdgeMsg>,
) {
    let begun = Instant::now();
    if let Some(stream) = enter(stream, &door, &outbox, begun).await {
        serve(stream, begun, &outbox, &payer, &edge).await;
    }
    // An actor that has ended knows already.
    let _ = edge.send_message(EdgeMsg::Closed);
}

/// From the first byte to the first frame, within the time to log in.
async fn enter(mut stream: Box<dyn Stream>, door: &Door, outbox: &Outbox, begun: Instant) -> Option<Box<dyn Stream>> {
    let over = tokio::time::sleep_until(begun + Duration::from_secs(limits::UNAUTHENTICATED_SECONDS));
    tokio::pin!(over);
    let first = tokio::select! {
        first = door.knock(&mut stream) => first.ok()?,
        // Frames for a silent client are still written, unless only TLS may carry them.
        () = outbox.closing() => return door.takes_plain().then_some(stream),
        () = &mut over => {
            outbox.end(&EndReason::NoLogin);
            return door.takes_plain().then_some(stream);
        }
    };
    tokio::select! {
        entered = door.enter(first, stream) => {
            entered.inspect_err(|error| tracing::debug!(%error, "no way in at the client port")).ok()
        }
        () = outbox.closing() => None,
        () = &mut over => None,
    }
}

async fn serve(stream: Box<dyn Stream>, begun: Instant, outbox: &Outbox, payer: &Payer, edge: &ActorRef<EdgeMsg>) {
    let (reads, mut writes) = tokio::io::split(stream);
    {
        let writing = write(&mut writes, outbox);
        tokio::pin!(writing);
        tokio::select! {
            () = &mut writing => {}
            () = read(reads, begun, outbox, payer, edge) => {
                // No more frames come in; those that wait are still written.
                outbox.finish(None);
                let _ = tokio::time::timeout(LAST_WRITE, writing).await;
            }
        }
    }
    let _ = tokio::time::timeout(LAST_WRITE, writes.shutdown()).await;
}

async fn read(
    mut reads: ReadHalf<Box<dyn Stream>>,
    begun: Instant,
    outbox: &Outbox,
    payer: &Payer,
    edge: &ActorRef<EdgeMsg>,
) {
    let window = Arc::new(Semaphore::new(limits::SEND_WINDOW));
    let mut patience = Patience::new(begun);
    let mut waiting = BytesMut::new();
    let mut small = [0u8; SMALL];
    loop {
        let read = async {
            if waiting.is_empty() {
                // Frees the memory of the last burst.
                waiting = BytesMut::new();
                let many = reads.read(&mut small).await?;
                waiting.extend_from_slice(&small[..many]);
                Ok::<usize, std::io::Error>(many)
            } else {
                // Half a greeting makes the buffer no larger than a greeting may be.
                let room = frame_cap(outbox) + PREFIX;
                waiting.reserve(LARGE.min(room.saturating_sub(waiting.len()).max(1)));
                reads.read_buf(&mut waiting).await
            }
        };
        tokio::select! {
            read = read => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => patience.heard(),
            },
            () = patience.wait() => {
                if patience.is_over(outbox) {
                    let logged_in = outbox.is_logged_in();
                    return outbox.end(if logged_in { &EndReason::Idle } else { &EndReason::NoLogin });
                }
                continue;
            }
        }
        loop {
            let decoder = FrameDecoder { cap: frame_cap(outbox) };
            let frame = match decoder.decode(&mut waiting) {
                Ok(Some(payload)) => wire::ClientFrame::decode(payload).ok(),
                Ok(None) => break,
                Err(_) => None,
            };
            let Some(frame) = frame else {
                let _ = edge.send_message(EdgeMsg::BadFrame);
                // No frame after it can be read. The actor says so and closes, which ends the
                // writing side.
                return std::future::pending().await;
            };
            match payer.pay(ops::cost(frame.request.as_ref())) {
                Verdict::Pass => {}
                Verdict::Pace(later) => tokio::time::sleep(later).await,
                Verdict::Refuse(after) => {
                    let unpaid = EdgeMsg::Unpaid { request_id: frame.request_id, after: after.max(REFUSED) };
                    if edge.send_message(unpaid).is_err() {
                        return;
                    }
                    // A client that goes on regardless is read slowly.
                    tokio::time::sleep(after.clamp(REFUSED, Duration::from_millis(limits::PACE_MS))).await;
                    continue;
                }
            }
            let Ok(place) = window.clone().acquire_owned().await else { return };
            if edge.send_message(EdgeMsg::Frame { frame, place }).is_err() {
                return;
            }
        }
    }
}

fn frame_cap(outbox: &Outbox) -> usize {
    if outbox.is_logged_in() { limits::FRAME_BYTES } else { limits::GREETING_FRAME_BYTES }
}

async fn write(writes: &mut WriteHalf<Box<dyn Stream>>, outbox: &Outbox) {
    while let ToWrite::Bytes(bytes) = outbox.next().await {
        let done = tokio::select! {
            done = put(writes, &bytes) => done.is_ok(),
            // A client that does not read must not hold the connection open.
            () = overdue(outbox) => false,
        };
        if !done {
            return;
        }
    }
}

/// Fails when the peer stalls. Any progress counts: a slow network is no stall.
async fn put(writes: &mut WriteHalf<Box<dyn Stream>>, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let wrote = tokio::time::timeout(STALLED, writes.write(bytes)).await??;
        if wrote == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[wrote..];
    }
    tokio::time::timeout(STALLED, writes.flush()).await?
}

/// The connection is to end, and the time for its last frames is over.
async fn overdue(outbox: &Outbox) {
    outbox.closing().await;
    tokio::time::sleep(LAST_WRITE).await;
}

/// The timer of a silent connection, for the login, pings and the end.
struct Patience {
    heard: Instant,
    pinged: bool,
    next: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl Patience {
    fn new(heard: Instant) -> Patience {
        let next = heard + Duration::from_secs(limits::UNAUTHENTICATED_SECONDS);
        Patience { heard, pinged: false, next: Box::pin(tokio::time::sleep_until(next)) }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
        self.pinged = false;
    }

    async fn wait(&mut self) {
        self.next.as_mut().await;
    }

    /// The timer has fired: pings a client that is half idle, and sets the timer again unless the
    /// client is idle for too long.
    fn is_over(&mut self, outbox: &Outbox) -> bool {
        if !outbox.is_logged_in() {
            return true;
        }
        let idle = Duration::from_secs(limits::IDLE_SECONDS);
        let silent = self.heard.elapsed();
        if silent >= idle {
            return true;
        }
        if silent >= idle / 2 && !self.pinged {
            self.pinged = true;
            outbox.push(push_frame(wire::server_frame::Message::Ping(wire::Ping { nonce: 0 })));
        }
        let next = if silent >= idle / 2 { self.heard + idle } else { self.heard + idle / 2 };
        self.next.as_mut().reset(next);
        false
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Writes 1,000 bytes to a peer with room for 100; returns how long that took, and how much the
    /// peer has taken.
    async fn written_to(taking_every: Option<Duration>) -> (Duration, usize) {
        let (server, mut client) = tokio::io::duplex(100);
        let (_reads, mut writes) = tokio::io::split(Box::new(server) as Box<dyn Stream>);
        let outbox = Outbox::default();
        outbox.push(Bytes::from(vec![0; 1_000]));
        outbox.finish(None);
        let begun = Instant::now();
        let mut taken = 0;
        let take = async {
            let Some(pause) = taking_every else { return std::future::pending().await };
            let mut some = [0; 100];
            loop {
                tokio::time::sleep(pause).await;
                taken += client.read(&mut some).await.unwrap_or(0);
            }
        };
        tokio::select! {
            () = write_all(&mut writes, &outbox) => {}
            () = take => {}
        }
        (begun.elapsed(), taken)
    }

    /// As [`write`], without the time that is left to a connection that ends.
    async fn write_all(writes: &mut WriteHalf<Box<dyn Stream>>, outbox: &Outbox) {
        while let ToWrite::Bytes(bytes) = outbox.next().await {
            if put(writes, &bytes).await.is_err() {
                return;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_let_go_and_a_slow_one_is_not() {
        let (lasted, taken) = written_to(None).await;
        assert_eq!((lasted.as_secs(), taken), (limits::WRITE_STALL_SECONDS, 0));
        let (lasted, taken) = written_to(Some(STALLED - Duration::from_secs(1))).await;
        assert!(lasted > STALLED * 8 && taken == 900, "{lasted:?} {taken}");
    }
}
