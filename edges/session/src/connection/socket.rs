//! The task of a connection: it reads frames for the actor, and writes frames of the outbox.
//!
//! An idle connection is cheap: it has no read buffer and one timer. Reading stops while the send
//! window is full, so that a fast client waits in its own socket.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ractor::ActorRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
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
    serve(opened, begun, &outbox, &payer, &edge).await;
    // An actor that has ended knows already.
    let _ = edge.send_message(EdgeMsg::Closed);
}

async fn serve(opened: Opened, begun: Instant, outbox: &Outbox, payer: &Payer, edge: &ActorRef<EdgeMsg>) {
    let Opened { stream, framing, received } = opened;
    let (mut reads, mut writes) = tokio::io::split(stream);
    let heard_end = {
        let writing = write(&mut writes, outbox);
        tokio::pin!(writing);
        tokio::select! {
            () = &mut writing => false,
            () = read(&mut reads, framing, received, begun, outbox, payer, edge) => {
                // No more frames come in; those that wait are still written.
                outbox.finish();
                let _ = tokio::time::timeout(LAST_WRITE, writing).await;
                true
            }
        }
    };
    let _ = tokio::time::timeout(LAST_WRITE, writes.shutdown()).await;
    let linger = outbox.form().linger();
    if !heard_end && !linger.is_zero() {
        let _ = tokio::time::timeout(linger, tokio::io::copy(&mut reads, &mut tokio::io::sink())).await;
    }
}

async fn read(
    reads: &mut ReadHalf<Box<dyn Stream>>,
    mut framing: Box<dyn Framing>,
    mut waiting: BytesMut,
    begun: Instant,
    outbox: &Outbox,
    payer: &Payer,
    edge: &ActorRef<EdgeMsg>,
) {
    let window = Arc::new(Semaphore::new(limits::SEND_WINDOW));
    let mut patience = Patience::new(begun);
    let mut small = [0u8; SMALL];
    loop {
        loop {
            let heard = match framing.next(&mut waiting, outbox.stage()) {
                Ok(Some(heard)) => heard,
                Ok(None) => break,
                Err(broken) => {
                    let _ = edge.send_message(EdgeMsg::BadFrame { tells: broken.tells, goodbye: broken.goodbye });
                    // No frame after it can be read. The actor says so and closes, which ends the
                    // writing side.
                    return std::future::pending().await;
                }
            };
            let cost = match &heard {
                Heard::Frame(frame) => ops::cost(frame.request.as_ref()),
                // It was read all the same.
                Heard::Refused { bytes, .. } => Cost::Units(1 + *bytes as u64 / ops::cost::BYTES_PER_UNIT),
                Heard::Beat(_) => Cost::Heartbeat,
                Heard::Speaks(form) => {
                    outbox.speak(*form);
                    continue;
                }
                Heard::Closed(goodbye) => return outbox.finish_with(goodbye.clone()),
            };
            let request_id = match &heard {
                Heard::Frame(frame) => frame.request_id,
                Heard::Refused { request_id, .. } => *request_id,
                _ => 0,
            };
            match payer.pay(cost) {
                Verdict::Pass => {}
                Verdict::Pace(later) => tokio::time::sleep(later).await,
                Verdict::Refuse(after) => {
                    let unpaid = EdgeMsg::Unpaid { request_id, after: after.max(REFUSED) };
                    if edge.send_message(unpaid).is_err() {
                        return;
                    }
                    // A client that goes on regardless is read slowly.
                    tokio::time::sleep(after.clamp(REFUSED, Duration::from_millis(limits::PACE_MS))).await;
                    continue;
                }
            }
            let told = match heard {
                Heard::Frame(frame) => {
                    let Ok(place) = window.clone().acquire_owned().await else { return };
                    edge.send_message(EdgeMsg::Frame { frame, place }).is_ok()
                }
                Heard::Refused { request_id, text, .. } => {
                    edge.send_message(EdgeMsg::Refused { request_id, text }).is_ok()
                }
                Heard::Beat(answer) => {
                    // A queue that is full has ended the connection.
                    answer.is_none_or(|answer| outbox.push(answer))
                }
                Heard::Speaks(_) | Heard::Closed(_) => true,
            };
            if !told {
                return;
            }
        }
        let read = async {
            if waiting.is_empty() {
                // Frees the memory of the last burst.
                waiting = BytesMut::new();
                let many = reads.read(&mut small).await?;
                waiting.extend_from_slice(&small[..many]);
                Ok::<usize, std::io::Error>(many)
            } else {
                // Half a greeting makes the buffer no larger than a greeting may be.
                let room = framing.room(outbox.stage());
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
            }
        }
    }
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

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_let_go_and_a_slow_one_is_not() {
        let (lasted, taken) = written_to(None).await;
        assert_eq!((lasted.as_secs(), taken), (limits::WRITE_STALL_SECONDS, 0));
        let (lasted, taken) = written_to(Some(STALLED - Duration::from_secs(1))).await;
        assert!(lasted > STALLED * 8 && taken == 900, "{lasted:?} {taken}");
    }
}
