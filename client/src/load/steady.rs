//! Sends that continue until they are stopped, with the outcome of each, for measurements during
//! faults.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use troupe_core::limits;
use troupe_runtime::Platform;

use super::{Latency, Link, SETUP, Target, create_group, send_request};
use crate::error::Error;

/// Bodies are cut from this much text at random positions, so nothing repeats within a compression
/// window.
const TEXT_BYTES: usize = 1024 * 1024;

#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Messages per second over all senders, on a fixed schedule.
    Rate(f64),
    /// As fast as acks arrive, with this many in flight per sender.
    InFlight(usize),
}

#[derive(Clone)]
pub struct Options {
    pub target: Target,
    /// Sending users, one connection each, spread over the target's nodes.
    pub senders: usize,
    /// Conversations per sender, which no other sender uses.
    pub conversations: usize,
    pub pace: Pace,
    /// Incompressible text.
    pub body_bytes: RangeInclusive<usize>,
}

/// The outcome of one message.
#[derive(Clone, Copy, Debug)]
struct Fate {
    /// Microseconds since the load began.
    due: Duration,
    /// Time until the ack. `None`: refused or unknown.
    took: Option<Duration>,
}

/// A load that continues until it is stopped or dropped.
pub struct Steady {
    begun: Instant,
    acked_bytes: Arc<AtomicU64>,
    stop: CancellationToken,
    senders: Vec<AbortOnDropHandle<Sent>>,
}

#[derive(Default)]
pub struct Sent {
    fates: Vec<Fate>,
    pub first_error: Option<String>,
}

/// The messages that were due within a period.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub acked: u64,
    pub ack_p99_ms: f64,
    pub ack_max_ms: f64,
    pub errors: u64,
}

/// Returns when all senders are logged in and sending.
pub async fn start(options: Options) -> Result<Steady> {
    let target = &options.target;
    target.check()?;
    ensure!(options.senders > 0 && options.conversations > 0, "nothing is to be sent");
    ensure!(*options.body_bytes.end() <= limits::MESSAGE_BYTES, "a body has {} bytes at most", limits::MESSAGE_BYTES);
    match options.pace {
        Pace::Rate(rate) => ensure!(rate > 0.0, "the rate must be above zero"),
        Pace::InFlight(window) => ensure!(window > 0, "nothing is to be sent"),
    }
    let run = target.run_name();
    let users = target.register(&run, "s", options.senders).await?;
    let links: Vec<Link> = futures::stream::iter(users.iter().enumerate())
        .map(|(index, (name, _))| target.log_in(index, name, "load"))
        .buffered(SETUP)
        .try_collect()
        .await?;
    let mut groups: Vec<Vec<String>> = Vec::new();
    for (index, link) in links.iter().enumerate() {
        let mut own = Vec::new();
        for number in 0..options.conversations {
            own.push(create_group(target, &link.connection, &format!("{run}-{index}-{number}"), &[]).await?);
        }
        groups.push(own);
    }
    let (begun, text) = (Instant::now(), noise(&target.context));
    let (acked_bytes, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let sender = |(index, (link, conversations))| {
        let sender = Sender {
            index,
            conversations,
            options: options.clone(),
            text: text.clone(),
            begun,
            acked_bytes: acked_bytes.clone(),
            stop: stop.clone(),
        };
        AbortOnDropHandle::new(tokio::spawn(sender.run(link)))
    };
    let senders = links.into_iter().zip(groups).enumerate().map(sender).collect();
    Ok(Steady { begun, acked_bytes, stop, senders })
}

impl Steady {
    /// Time since the load began.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Bytes of acknowledged bodies.
    pub fn acked_bytes(&self) -> u64 {
        self.acked_bytes.load(Ordering::Relaxed)
    }

    /// Whether any sender is running.
    pub fn goes_on(&self) -> bool {
        self.senders.iter().any(|sender| !sender.is_finished())
    }

    /// Stops sending, and waits for messages in flight.
    pub async fn stop(self) -> Result<Sent> {
        self.stop.cancel();
        let mut all = Sent::default();
        for sender in self.senders {
            let sent = sender.await.context("a sender ended early")?;
            all.fates.extend(sent.fates);
            all.first_error = all.first_error.or(sent.first_error);
        }
        Ok(all)
    }
}

impl Sent {
    /// Outcomes of the messages due between two times.
    pub fn between(&self, from: Duration, to: Duration) -> Window {
        let (mut latency, mut errors) = (Latency::new(), 0);
        for fate in self.fates.iter().filter(|fate| (from..to).contains(&fate.due)) {
            match fate.took {
                Some(took) => latency.record(took.as_micros() as u64),
                None => errors += 1,
            }
        }
        Window { acked: latency.count(), ack_p99_ms: latency.ms(0.99), ack_max_ms: latency.max_ms(), errors }
    }

    pub fn acked(&self) -> u64 {
        self.fates.iter().filter(|fate| fate.took.is_some()).count() as u64
    }
}

struct Sender {
    index: usize,
    conversations: Vec<String>,
    options: Options,
    text: Bytes,
    begun: Instant,
    acked_bytes: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Sender {
    async fn run(self, link: Link) -> Sent {
        let Link { connection, mut pushes } = link;
        let (schedule, window) = match self.options.pace {
            // An open loop is bounded only by what the server accepts on one connection.
            Pace::Rate(rate) => (Some(rate), (connection.welcome().send_window as usize).max(1)),
            Pace::InFlight(window) => (None, window),
        };
        let mut sent = Sent::default();
        let mut answers = FuturesUnordered::new();
        let mut number = 0;
        let mut paused_until = self.begun;
        loop {
            let stopped = self.stop.is_cancelled();
            // An open loop continues after its connection has ended. Messages that it cannot send
            // count as lost.
            let over = stopped || (schedule.is_none() && connection.is_closed());
            if over && answers.is_empty() {
                break;
            }
            let due = schedule.map(|rate| self.due(rate, number));
            let send_at = due.map_or(paused_until, |due| paused_until.max(self.begun + due));
            let may_send = !over && answers.len() < window;
            tokio::select! {
                biased;
                Some((due, bytes, outcome)) = answers.next() => {
                    if let Some(pause) = self.count(&mut sent, due, bytes, outcome) {
                        paused_until = Instant::now() + pause;
                    }
                }
                // Pushes to a sender are read and ignored.
                Some(_) = pushes.next() => {}
                () = self.stop.cancelled(), if !stopped => {}
                () = tokio::time::sleep_until(send_at), if may_send => {
                    let due = due.unwrap_or_else(|| self.begun.elapsed());
                    let conversation = &self.conversations[number as usize % self.conversations.len()];
                    let body = self.body();
                    let bytes = body.len();
                    number += 1;
                    match connection.start(send_request(&self.options.target, conversation, body)) {
                        Ok(reply) => answers.push(async move { (due, bytes, reply.wait().await.map(drop)) }),
                        Err(error) => {
                            if let Some(pause) = self.count(&mut sent, due, bytes, Err(error)) {
                                paused_until = Instant::now() + pause;
                            }
                        }
                    }
                }
            }
        }
        if connection.is_closed() {
            sent.first_error.get_or_insert_with(|| "a connection was closed".into());
        }
        sent
    }

    /// Senders start one after another within the first step.
    fn due(&self, rate: f64, number: u64) -> Duration {
        let senders = self.options.senders as f64;
        Duration::from_secs_f64((number as f64 * senders + self.index as f64) / rate)
    }

    fn body(&self) -> Bytes {
        let (rng, sizes) = (&self.options.target.context.rng, &self.options.body_bytes);
        let bytes = rng.range(*sizes.start() as u64, *sizes.end() as u64 + 1) as usize;
        let from = rng.range(0, (self.text.len() - bytes) as u64) as usize;
        self.text.slice(from..from + bytes)
    }

    /// Records an outcome. Returns how long to leave a busy server alone.
    fn count(&self, sent: &mut Sent, due: Duration, bytes: usize, outcome: Result<(), Error>) -> Option<Duration> {
        let took = self.begun.elapsed().saturating_sub(due);
        let Err(error) = outcome else {
            self.acked_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            sent.fates.push(Fate { due, took: Some(took) });
            return None;
        };
        let pause = match &error {
            Error::Overloaded { retry_after, .. } => Some((*retry_after).max(Duration::from_millis(1))),
            _ => None,
        };
        // A saturating sender expects overload refusals. They are no loss.
        if pause.is_none() || matches!(self.options.pace, Pace::Rate(_)) {
            sent.fates.push(Fate { due, took: None });
            sent.first_error.get_or_insert_with(|| error.to_string());
        }
        pause
    }
}

/// Random letters.
fn noise(context: &Platform) -> Bytes {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(TEXT_BYTES);
    while text.len() < TEXT_BYTES {
        text.extend(context.rng.bytes::<1024>().map(|byte| LETTERS[usize::from(byte % 64)]));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_what_was_due_in_it() {
        let at = Duration::from_millis;
        let fate = |due, took: Option<u64>| Fate { due: at(due), took: took.map(at) };
        let fates = vec![fate(9, Some(1)), fate(10, Some(4)), fate(15, Some(700)), fate(19, None), fate(20, None)];
        let window = Sent { fates, first_error: None }.between(at(10), at(20));
        assert_eq!((window.acked, window.errors), (2, 1));
        assert!((700.0..702.0).contains(&window.ack_max_ms), "{window:?}");
    }
}
