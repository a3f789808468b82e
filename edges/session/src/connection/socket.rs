//! The task of a connection: it reads frames for the actor, and writes frames of the outbox.
//!
//! An idle connection is cheap: it has no read buffer and one timer, and what only a busy one needs
//! is on the heap. Reading stops while the send window is full, so that a fast client waits in its
//! own socket.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use ractor::ActorRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use troupe_actors::budgets::{Payer, Verdict};
use troupe_actors::ops::{self, cost::Cost};
use troupe_core::limits;
use troupe_proto::client::EndReason;
use troupe_runtime::Stream;

use super::EdgeMsg;
use crate::Opened;
use crate::form::{Framing, Heard, Heartbeat};
use crate::outbox::{Outbox, ToWrite};

/// Bytes of the first read: a ping and most messages fit.
const SMALL: usize = 512;
/// Read at once while a frame is incomplete.
const LARGE: usize = 16 * 1024;
/// A peer that takes no bytes for this time, while frames wait, is gone or holds memory on purpose.
const STALLED: Duration = Duration::from_secs(limits::WRITE_STALL_SECONDS);
/// After a refusal for its budget a connection is not read for this time, at least.
const REFUSED: Duration = Duration::from_millis(100);
/// The time for the last frames of a connection.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// Runs until the client is gone or the last frame is written.
pub async fn run(opened: Opened, begun: Instant, outbox: Arc<Outbox>, payer: Arc<Payer>, edge: ActorRef<EdgeMsg>) {
    let Opened { stream, mut framing, received: mut waiting } = opened;
    let (mut reads, mut writes) = tokio::io::split(stream);
    let heard_end = {
        let writing = write(&mut writes, &outbox);
        tokio::pin!(writing);
        tokio::select! {
            () = &mut writing => false,
            () = read(&mut reads, &mut *framing, &mut waiting, begun, &outbox, &payer, &edge) => {
                // No more frames come in; those that wait are still written.
                outbox.finish();
                let _ = Box::pin(tokio::time::timeout(LAST_WRITE, writing)).await;
                true
            }
        }
    };
    let linger = outbox.form().linger();
    // On the heap: most of its life a connection does not end.
    Box::pin(async move {
        let _ = tokio::time::timeout(LAST_WRITE, writes.shutdown()).await;
        if !heard_end && !linger.is_zero() {
            let _ = tokio::time::timeout(linger, tokio::io::copy(&mut reads, &mut tokio::io::sink())).await;
        }
    })
    .await;
    // An actor that has ended knows already.
    let _ = edge.send_message(EdgeMsg::Closed);
}

async fn read(
    reads: &mut ReadHalf<Box<dyn Stream>>,
    framing: &mut dyn Framing,
    waiting: &mut BytesMut,
    begun: Instant,
    outbox: &Outbox,
    payer: &Payer,
    edge: &ActorRef<EdgeMsg>,
) {
    let window = Arc::new(Semaphore::new(limits::SEND_WINDOW));
    let mut patience = Patience::new(begun);
    loop {
        loop {
            let heard = match framing.next(waiting, outbox.stage()) {
                Ok(Some(heard)) => heard,
                Ok(None) => break,
                Err(broken) => {
                    let _ = edge.send_message(EdgeMsg::BadFrame { tells: broken.tells, goodbye: broken.goodbye });
                    // No frame after it can be read. The actor says so and closes, which ends the
                    // writing side.
                    return std::future::pending().await;
                }
            };
            match &heard {
                Heard::Speaks(form) => {
                    outbox.speak(*form);
                    continue;
                }
                Heard::Closed(goodbye) => return outbox.finish_with(goodbye.clone()),
                _ => {}
            }
            let goes_on = match admit(heard, payer, &window, outbox, edge) {
                Admitted::Done(goes_on) => goes_on,
                // On the heap: a wait is rare, and an idle connection has no room for a frame.
                Admitted::Waits(waiting) => Box::pin(waiting.admit(&window, outbox, edge)).await,
            };
            if !goes_on {
                return;
            }
        }
        let read = async {
            if waiting.is_empty() {
                // Frees the memory of the last burst.
                *waiting = BytesMut::new();
                poll_fn(|cx| read_small(reads, waiting, cx)).await
            } else {
                // Half a greeting makes the buffer no larger than a greeting may be.
                let room = framing.room(outbox.stage());
                waiting.reserve(LARGE.min(room.saturating_sub(waiting.len()).max(1)));
                reads.read_buf(waiting).await
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
            }
        }
    }
}

/// Reads by way of the stack, so that a connection that hears nothing has no buffer.
fn read_small(
    reads: &mut ReadHalf<Box<dyn Stream>>,
    waiting: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<std::io::Result<usize>> {
    let mut small = [MaybeUninit::uninit(); SMALL];
    let mut buffer = ReadBuf::uninit(&mut small);
    ready!(Pin::new(reads).poll_read(cx, &mut buffer))?;
    waiting.extend_from_slice(buffer.filled());
    Poll::Ready(Ok(buffer.filled().len()))
}

#[allow(clippy::large_enum_variant, reason = "it lasts for one step, on the stack")]
enum Admitted {
    /// False: the connection ends.
    Done(bool),
    Waits(Waiting),
}

/// A frame that has been read, and must wait for its budget or for a place in the send window.
struct Waiting {
    heard: Heard,
    verdict: Verdict,
}

/// Pays for a frame and passes it on, unless it has to wait.
fn admit(heard: Heard, payer: &Payer, window: &Arc<Semaphore>, outbox: &Outbox, edge: &ActorRef<EdgeMsg>) -> Admitted {
    let cost = match &heard {
        Heard::Frame(frame) => ops::cost(frame.request.as_ref()),
        // It was read all the same.
        Heard::Refused { bytes, .. } => Cost::Units(1 + *bytes as u64 / ops::cost::BYTES_PER_UNIT),
        Heard::Beat(_) | Heard::Speaks(_) | Heard::Closed(_) => Cost::Heartbeat,
    };
    let verdict = payer.pay(cost);
    let place = match (&verdict, &heard) {
        (Verdict::Pass, Heard::Frame(_)) => window.clone().try_acquire_owned().ok(),
        _ => None,
    };
    match (verdict, heard, place) {
        (Verdict::Pass, Heard::Frame(frame), Some(place)) => {
            Admitted::Done(edge.send_message(EdgeMsg::Frame { frame, place }).is_ok())
        }
        (Verdict::Pass, heard @ (Heard::Refused { .. } | Heard::Beat(_)), _) => {
            Admitted::Done(pass(heard, outbox, edge))
        }
        (verdict, heard, _) => Admitted::Waits(Waiting { heard, verdict }),
    }
}

/// Passes on a frame that takes no place in the send window. False: the connection ends.
fn pass(heard: Heard, outbox: &Outbox, edge: &ActorRef<EdgeMsg>) -> bool {
    match heard {
        Heard::Refused { request_id, text, .. } => edge.send_message(EdgeMsg::Refused { request_id, text }).is_ok(),
        // A queue that is full has ended the connection.
        Heard::Beat(answer) => answer.is_none_or(|answer| outbox.push(answer)),
        Heard::Frame(_) | Heard::Speaks(_) | Heard::Closed(_) => true,
    }
}

impl Waiting {
    async fn admit(self, window: &Arc<Semaphore>, outbox: &Outbox, edge: &ActorRef<EdgeMsg>) -> bool {
        match self.verdict {
            Verdict::Pass => {}
            Verdict::Pace(later) => tokio::time::sleep(later).await,
            Verdict::Refuse(after) => {
                let request_id = match &self.heard {
                    Heard::Frame(frame) => frame.request_id,
                    Heard::Refused { request_id, .. } => *request_id,
                    _ => 0,
                };
                let unpaid = EdgeMsg::Unpaid { request_id, after: after.max(REFUSED) };
                if edge.send_message(unpaid).is_err() {
                    return false;
                }
                // A client that goes on regardless is read slowly.
                tokio::time::sleep(after.clamp(REFUSED, Duration::from_millis(limits::PACE_MS))).await;
                return true;
            }
        }
        let Heard::Frame(frame) = self.heard else { return pass(self.heard, outbox, edge) };
        let Ok(place) = window.clone().acquire_owned().await else { return false };
        edge.send_message(EdgeMsg::Frame { frame, place }).is_ok()
    }
}

async fn write(writes: &mut WriteHalf<Box<dyn Stream>>, outbox: &Outbox) {
    while let ToWrite::Bytes(bytes) = outbox.next().await {
        // On the heap: the timers of a write take more memory than an idle connection.
        let written = Box::pin(async {
            tokio::select! {
                done = put(writes, &bytes) => done.is_ok(),
                // A client that does not read must not hold the connection open.
                () = overdue(outbox) => false,
            }
        });
        if !written.await {
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

/// The timer of a connection, for the login, pings and the end.
struct Patience {
    heard: Instant,
    pinged: Instant,
    next: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl Patience {
    fn new(heard: Instant) -> Patience {
        let next = heard + Duration::from_secs(limits::UNAUTHENTICATED_SECONDS);
        Patience { heard, pinged: heard, next: Box::pin(tokio::time::sleep_until(next)) }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
    }

    async fn wait(&mut self) {
        self.next.as_mut().await;
    }

    /// The timer has fired: pings the client if its form wants it, and sets the timer again unless
    /// the client is silent for too long.
    fn is_over(&mut self, outbox: &Outbox) -> bool {
        if !outbox.is_logged_in() {
            return true;
        }
        let now = Instant::now();
        let end = self.heard + Duration::from_secs(limits::IDLE_SECONDS);
        if now >= end {
            return true;
        }
        let form = outbox.form();
        let due = match form.heartbeat() {
            Heartbeat::WhenSilent(silence) => (self.pinged <= self.heard).then(|| self.heard + silence),
            Heartbeat::Every(interval) => Some(self.pinged + interval),
        };
        let next = match due {
            Some(due) if due <= now => {
                self.pinged = now;
                outbox.push(form.ping());
                match form.heartbeat() {
                    Heartbeat::WhenSilent(_) => end,
                    Heartbeat::Every(interval) => end.min(now + interval),
                }
            }
            Some(due) => end.min(due),
            None => end,
        };
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
        outbox.finish();
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

    #[test]
    fn the_task_of_a_connection_is_small() {
        fn size<A, B, C, D, E, F: Future>(_: fn(A, B, C, D, E) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size(run) <= 1024, "{}", size(run));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_let_go_and_a_slow_one_is_not() {
        let (lasted, taken) = written_to(None).await;
        assert_eq!((lasted.as_secs(), taken), (limits::WRITE_STALL_SECONDS, 0));
        let (lasted, taken) = written_to(Some(STALLED - Duration::from_secs(1))).await;
        assert!(lasted > STALLED * 8 && taken == 900, "{lasted:?} {taken}");
    }
}
