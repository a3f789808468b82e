//! The load on a peer: the senders, schedule and latencies of `troupe bench`, so that the figures
//! of all systems compare.
//!
//! Latency counts from the scheduled time of a message, not from its send, so a server that stalls
//! cannot hide its stall. A message that is not acknowledged at all counts with the time that it
//! waited.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, FuturesUnordered, TryStreamExt};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use crate::servers::cpu_s;

/// As in `troupe bench`: messages before this time do not count.
const WARM_UP: Duration = Duration::from_secs(2);
/// Acknowledgements after the end are awaited this long, and messages that are behind the schedule
/// are still sent.
const GRACE: Duration = Duration::from_secs(10);
/// A sender waits after a refusal, because refusals may be immediate.
const PAUSE: Duration = Duration::from_millis(50);
/// Concurrent connections of the set-up.
const SETUP: usize = 8;
/// The servers may report their messages with a delay.
const HELD: Duration = Duration::from_secs(20);
/// Due time of a message, at the begin of its body.
const STAMP_BYTES: usize = 8;

/// The load that Troupe's bench reports for its own run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub senders: usize,
    /// At saturation: sends of one sender without an acknowledgement.
    pub in_flight: usize,
    /// At a fixed rate: the most sends of one sender without an acknowledgement.
    pub window: usize,
    pub body_bytes: usize,
    /// Queues or streams, one Raft group each.
    pub shards: usize,
}

/// The figures of one rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Messages per second. Null at saturation.
    pub rate: Option<f64>,
    pub acked_per_s: f64,
    pub ack_p50_ms: f64,
    pub ack_p99_ms: f64,
    pub ack_p999_ms: f64,
    /// Processor time of all servers for each acknowledged message.
    pub cpu_ms: f64,
    /// Sends that failed.
    pub errors: u64,
    /// Messages of the schedule without an acknowledgement within the grace.
    #[serde(default)]
    pub unacked: u64,
    #[serde(default)]
    pub first_error: Option<String>,
}

/// A system under load.
pub trait Peer: Sync {
    type Link: Link + Send + 'static;

    /// The connection of one sender, at the server that leads the sender's queue.
    fn connect(&self, sender: usize) -> impl Future<Output = Result<Self::Link>> + Send;

    /// Messages in all queues.
    fn held(&self) -> impl Future<Output = Result<u64>> + Send;

    /// Process ids of the servers.
    fn pids(&self) -> &[u32];
}

/// One sender's connection.
pub trait Link {
    /// Sends a message. The inner future ends with the acknowledgement.
    fn publish(&mut self, body: Bytes) -> impl Future<Output = Result<BoxFuture<'static, Result<()>>>> + Send;
}

/// Microseconds since the start of a run.
#[derive(Clone, Copy)]
struct RunClock {
    start: Instant,
    measure_from: u64,
    end: u64,
}

impl RunClock {
    fn new(duration: Duration) -> RunClock {
        let measure_from = WARM_UP.as_micros() as u64;
        RunClock { start: Instant::now(), measure_from, end: measure_from + duration.as_micros() as u64 }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    fn at(&self, micros: u64) -> Instant {
        self.start + Duration::from_micros(micros)
    }

    fn measures(&self, due: u64) -> bool {
        (self.measure_from..self.end).contains(&due)
    }

    fn cutoff(&self) -> u64 {
        self.end + GRACE.as_micros() as u64
    }
}

struct Tally {
    latency: Histogram<u64>,
    acked: u64,
    /// Warm-up included.
    acked_in_all: u64,
    unacked: u64,
    errors: u64,
    first_error: Option<String>,
}

impl Tally {
    fn new() -> Tally {
        let latency =
            Histogram::new_with_bounds(1, 60_000_000, 3).expect("1 us to 60 s at three digits is a histogram");
        Tally { latency, acked: 0, acked_in_all: 0, unacked: 0, errors: 0, first_error: None }
    }

    fn merge(&mut self, other: Tally) {
        self.latency.add(&other.latency).expect("both have the same bounds");
        self.acked += other.acked;
        self.acked_in_all += other.acked_in_all;
        self.unacked += other.unacked;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    /// Counts an outcome. Returns whether the message was stored.
    fn count(&mut self, clock: &RunClock, due: u64, outcome: Result<()>) -> bool {
        let measured = clock.measures(due);
        match outcome {
            Ok(()) => {
                self.acked_in_all += 1;
                if measured {
                    self.acked += 1;
                    self.latency.saturating_record(clock.now().saturating_sub(due).max(1));
                }
                true
            }
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert(format!("{error:#}"));
                false
            }
        }
    }

    /// Counts a message that was not acknowledged by the cutoff.
    fn give_up(&mut self, clock: &RunClock, due: u64) {
        if clock.measures(due) {
            self.unacked += 1;
            self.latency.saturating_record(clock.cutoff() - due);
        }
    }

    fn ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }
}

/// Loads and counts the messages of earlier runs on the same servers.
#[derive(Default)]
pub struct Load {
    acked: u64,
}

impl Load {
    /// One rate, or saturation. Ends after the warm-up, the duration and the grace at the latest.
    pub async fn run<P: Peer>(&mut self, peer: &P, shape: &Shape, rate: Option<f64>, time: Duration) -> Result<Step> {
        let links: Vec<P::Link> = stream::iter((0..shape.senders).map(|sender| peer.connect(sender)))
            .buffered(SETUP)
            .try_collect()
            .await
            .context("connecting the senders")?;
        let clock = RunClock::new(time);
        let pids = peer.pids().to_vec();
        let cpu = tokio::spawn(async move {
            sleep_until(clock.at(clock.measure_from)).await;
            let before = cpu_s(&pids)?;
            sleep_until(clock.at(clock.end)).await;
            anyhow::Ok(cpu_s(&pids)? - before)
        });
        let senders: Vec<_> = links
            .into_iter()
            .enumerate()
            .map(|(index, link)| tokio::spawn(send(index, link, shape.clone(), rate, clock)))
            .collect();
        let mut tally = Tally::new();
        for sender in senders {
            tally.merge(sender.await.context("a sender ended early")?);
        }
        let cpu_s = cpu.await.context("a server ended early")??;
        self.acked += tally.acked_in_all;
        self.check_held(peer).await?;
        Ok(Step {
            rate,
            acked_per_s: tally.acked as f64 / time.as_secs_f64(),
            ack_p50_ms: tally.ms(0.5),
            ack_p99_ms: tally.ms(0.99),
            ack_p999_ms: tally.ms(0.999),
            cpu_ms: 1000.0 * cpu_s / tally.acked.max(1) as f64,
            errors: tally.errors,
            unacked: tally.unacked,
            first_error: tally.first_error,
        })
    }

    /// The acknowledged messages are in the queues: an acknowledgement that means something else
    /// would measure something else.
    async fn check_held<P: Peer>(&self, peer: &P) -> Result<()> {
        let deadline = Instant::now() + HELD;
        loop {
            let held = peer.held().await?;
            if held >= self.acked {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} messages were acknowledged, and the servers hold {held}", self.acked);
            }
            sleep_until(Instant::now() + PAUSE).await;
        }
    }
}

fn body(due: u64, bytes: usize) -> Bytes {
    let mut body = BytesMut::with_capacity(bytes.max(STAMP_BYTES));
    body.put_u64(due);
    body.resize(bytes.max(STAMP_BYTES), b'.');
    body.freeze()
}

/// The loop of `troupe bench sends`, with a cutoff.
async fn send<L: Link>(index: usize, mut link: L, shape: Shape, rate: Option<f64>, clock: RunClock) -> Tally {
    let step = rate.map(|rate| 1e6 * shape.senders as f64 / rate);
    let window = if step.is_some() { shape.window } else { shape.in_flight };
    // Senders start one after another within the first step.
    let offset = step.map_or(0.0, |step| step * index as f64 / shape.senders as f64);
    let due_of = |sent: u64| step.map(|step| (offset + step * sent as f64) as u64);
    let mut tally = Tally::new();
    let mut answers = FuturesUnordered::new();
    let mut waiting = std::collections::BTreeSet::new();
    let mut sent = 0u64;
    let mut paused_until = clock.at(0);
    let cutoff = clock.at(clock.cutoff());
    loop {
        let due = due_of(sent);
        let over = due.unwrap_or_else(|| clock.now()) >= clock.end;
        if over && answers.is_empty() {
            return tally;
        }
        let may_send = !over && answers.len() < window;
        let send_at = due.map_or(paused_until, |due| clock.at(due).max(paused_until));
        tokio::select! {
            biased;
            Some((number, due, outcome)) = answers.next() => {
                waiting.remove(&(number, due));
                if !tally.count(&clock, due, outcome) {
                    paused_until = Instant::now() + PAUSE;
                }
            }
            () = sleep_until(cutoff) => break,
            () = sleep_until(send_at), if may_send => {
                let due = due.unwrap_or_else(|| clock.now());
                let number = sent;
                sent += 1;
                let started = tokio::time::timeout_at(cutoff, link.publish(body(due, shape.body_bytes))).await;
                match started {
                    Ok(Ok(answer)) => {
                        waiting.insert((number, due));
                        answers.push(async move { (number, due, answer.await) });
                    }
                    Ok(Err(error)) => {
                        tally.count(&clock, due, Err(error));
                        paused_until = Instant::now() + PAUSE;
                    }
                    Err(_) => waiting.extend([(number, due)]),
                }
            }
        }
    }
    for (_, due) in waiting {
        tally.give_up(&clock, due);
    }
    // Messages of the schedule that the server left no time for.
    while let Some(due) = due_of(sent).filter(|due| *due < clock.end) {
        tally.give_up(&clock, due);
        sent += 1;
    }
    tally
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Acknowledges after a delay, or never.
    struct Delayed(Option<Duration>);

    impl Link for Delayed {
        async fn publish(&mut self, _: Bytes) -> Result<BoxFuture<'static, Result<()>>> {
            let delay = self.0;
            Ok(async move {
                match delay {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => std::future::pending().await,
                }
                Ok(())
            }
            .boxed())
        }
    }

    fn shape() -> Shape {
        Shape { senders: 1, in_flight: 4, window: 8, body_bytes: 128, shards: 1 }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_rate_counts_from_the_due_time() {
        let clock = RunClock::new(Duration::from_secs(1));
        // Eight at a time for 100 ms each: 80 a second of the 100 that are due.
        let tally = send(0, Delayed(Some(Duration::from_millis(100))), shape(), Some(100.0), clock).await;
        assert_eq!((tally.acked, tally.unacked, tally.errors), (100, 0, 0));
        assert!(tally.ms(0.99) > 500.0, "{}", tally.ms(0.99));
    }

    #[tokio::test(start_paused = true)]
    async fn saturation_keeps_as_many_in_flight_as_it_may() {
        let clock = RunClock::new(Duration::from_secs(1));
        let tally = send(0, Delayed(Some(Duration::from_millis(100))), shape(), None, clock).await;
        assert!((36..=44).contains(&tally.acked), "{}", tally.acked);
        assert!(tally.ms(0.5) < 110.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_ends_the_run_at_the_cutoff_and_counts_as_late() {
        let clock = RunClock::new(Duration::from_secs(1));
        let tally = send(0, Delayed(None), shape(), Some(100.0), clock).await;
        assert_eq!((tally.acked, tally.unacked), (0, 100));
        assert!(tally.ms(0.5) >= GRACE.as_millis() as f64);
        assert!(clock.now() < clock.cutoff() + 100_000);
    }

    #[test]
    fn a_body_has_the_size_that_was_asked_for() {
        assert_eq!((body(7, 128).len(), body(7, 0).len()), (128, STAMP_BYTES));
        assert_eq!(body(7, 128)[..8], 7u64.to_be_bytes());
    }
}
