//! Senders in many conversations, receivers at other nodes: latency of acks and deliveries.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{Latency, Link, RunClock, SETUP, Target, create_group, message, receive};
use crate::error::Error;

/// Deliveries in flight at the end get this long.
const DRAIN: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Options {
    pub target: Target,
    /// Sending users, one connection each, spread over all nodes.
    pub senders: usize,
    pub conversations: usize,
    /// Messages per second over all senders. `None`: as fast as acks arrive, with `in_flight` per
    /// sender.
    pub rate: Option<f64>,
    pub in_flight: usize,
    pub body_bytes: usize,
    pub warm_up: Duration,
    pub duration: Duration,
    /// Gets a mark when the time that counts begins, and another when it ends.
    pub marks: Option<mpsc::Sender<()>>,
}

impl Options {
    pub fn new(target: Target) -> Options {
        Options {
            target,
            senders: 48,
            conversations: 48,
            rate: None,
            in_flight: 32,
            body_bytes: 128,
            warm_up: Duration::from_secs(2),
            duration: Duration::from_secs(10),
            marks: None,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub nodes: usize,
    pub senders: usize,
    pub conversations: usize,
    pub body_bytes: usize,
    /// The requested rate. Null in a saturation run.
    pub rate: Option<f64>,
    pub seconds: f64,
    pub acked: u64,
    pub acked_per_s: f64,
    pub ack_p50_ms: f64,
    pub ack_p99_ms: f64,
    pub ack_p999_ms: f64,
    pub ack_max_ms: f64,
    pub delivered: u64,
    pub deliver_p50_ms: f64,
    pub deliver_p99_ms: f64,
    /// Refused for now. Each is lost load, not a lost message.
    pub overloaded: u64,
    /// No answer, or a definite refusal.
    pub errors: u64,
    pub first_error: Option<String>,
}

pub async fn run(options: Options) -> Result<Report> {
    let target = &options.target;
    target.check()?;
    ensure!(options.senders > 0 && options.conversations > 0 && options.in_flight > 0, "nothing is to be sent");
    ensure!(options.rate.is_none_or(|rate| rate > 0.0), "the rate must be above zero");

    // Sender i is at node i and receiver k at node k + 1. With as many receivers as nodes, a
    // conversation's receiver and its first sender are at different nodes.
    let run = target.run_name();
    let receivers = target.nodes.len();
    let sender_users = target.register(&run, "s", options.senders).await?;
    let receiver_users = target.register(&run, "r", receivers).await?;
    let senders: Vec<Link> = futures::stream::iter(sender_users.iter().enumerate())
        .map(|(index, (name, _))| target.log_in(index, name, "load"))
        .buffered(SETUP)
        .try_collect()
        .await?;
    let mut conversations = Vec::new();
    for index in 0..options.conversations {
        let owner = index % options.senders;
        let mut members: Vec<u64> =
            (0..options.senders).filter(|s| uses(*s, index, &options)).map(|s| sender_users[s].1).collect();
        members.retain(|user| *user != sender_users[owner].1);
        members.push(receiver_users[owner % receivers].1);
        conversations
            .push(create_group(target, &senders[owner].connection, &format!("{run}-{index}"), &members).await?);
    }
    let receivers: Vec<Link> = futures::stream::iter(receiver_users.iter().enumerate())
        .map(|(index, (name, _))| target.log_in(index + 1, name, "load"))
        .buffered(SETUP)
        .try_collect()
        .await?;

    let clock = RunClock::new(options.warm_up, options.duration);
    let deadline = clock.at(clock.end) + DRAIN;
    if let Some(marks) = options.marks.clone() {
        tokio::spawn(async move {
            for at in [clock.measure_from, clock.end] {
                sleep_until(clock.at(at)).await;
                // The caller may have gone.
                let _ = marks.send(()).await;
            }
        });
    }
    let receiving: Vec<_> = receivers.into_iter().map(|link| tokio::spawn(receive(link, clock, deadline))).collect();
    let sending: Vec<_> = senders
        .into_iter()
        .enumerate()
        .map(|(index, link)| {
            let mine = (0..options.conversations).filter(|c| uses(index, *c, &options));
            let mine = mine.map(|c| conversations[c].clone()).collect();
            tokio::spawn(send(Sender { index, link, conversations: mine, clock, options: options.clone() }))
        })
        .collect();

    let mut sent = Tally::default();
    for task in sending {
        sent.merge(task.await.context("a sender ended early")?);
    }
    let mut delivered = Latency::new();
    for task in receiving {
        delivered.merge(&task.await.context("a receiver ended early")?);
    }
    let seconds = options.duration.as_secs_f64();
    Ok(Report {
        nodes: target.nodes.len(),
        senders: options.senders,
        conversations: options.conversations,
        body_bytes: options.body_bytes,
        rate: options.rate,
        seconds,
        acked: sent.acks.count(),
        acked_per_s: sent.acks.count() as f64 / seconds,
        ack_p50_ms: sent.acks.ms(0.5),
        ack_p99_ms: sent.acks.ms(0.99),
        ack_p999_ms: sent.acks.ms(0.999),
        ack_max_ms: sent.acks.max_ms(),
        delivered: delivered.count(),
        deliver_p50_ms: delivered.ms(0.5),
        deliver_p99_ms: delivered.ms(0.99),
        overloaded: sent.overloaded,
        errors: sent.errors,
        first_error: sent.first_error,
    })
}

/// Whether a sender sends into a conversation: each into its own, or several into one if there are
/// fewer conversations.
fn uses(sender: usize, conversation: usize, options: &Options) -> bool {
    if options.conversations >= options.senders {
        conversation % options.senders == sender
    } else {
        sender % options.conversations == conversation
    }
}

struct Sender {
    index: usize,
    link: Link,
    conversations: Vec<String>,
    clock: RunClock,
    options: Options,
}

pub(super) struct Tally {
    pub acks: Latency,
    pub overloaded: u64,
    pub errors: u64,
    pub first_error: Option<String>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { acks: Latency::new(), overloaded: 0, errors: 0, first_error: None }
    }
}

impl Tally {
    fn merge(&mut self, other: Tally) {
        self.acks.merge(&other.acks);
        self.overloaded += other.overloaded;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    /// Counts an outcome. Returns how long to leave a busy server alone.
    pub fn count(&mut self, clock: &RunClock, due: u64, at: u64, outcome: Result<(), Error>) -> Option<Duration> {
        match outcome {
            // A saturation run counts messages acked within it, a scheduled run those due within
            // it.
            Ok(()) if clock.measures(due) => self.acks.record(at.saturating_sub(due)),
            Ok(()) => {}
            Err(Error::Overloaded { retry_after, .. }) => {
                self.overloaded += u64::from(clock.measures(due));
                return Some(retry_after.max(Duration::from_millis(1)));
            }
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert(error.to_string());
            }
        }
        None
    }
}

async fn send(sender: Sender) -> Tally {
    let Sender { index, link, conversations, clock, options } = sender;
    let Link { connection, mut pushes } = link;
    let step = options.rate.map(|rate| 1e6 * options.senders as f64 / rate);
    let window = match step {
        // An open loop is bounded only by what the server accepts on one connection.
        Some(_) => (connection.welcome().send_window as usize).max(1),
        None => options.in_flight,
    };
    let mut tally = Tally::default();
    let mut answers = FuturesUnordered::new();
    let mut sent = 0u64;
    // Senders start one after another within the first step.
    let offset = step.map_or(0.0, |step| step * index as f64 / options.senders as f64);
    let mut paused_until = clock.at(0);
    loop {
        let due = step.map(|step| (offset + step * sent as f64) as u64);
        let over = due.unwrap_or_else(|| clock.now()) >= clock.end || connection.is_closed();
        if over && answers.is_empty() {
            break;
        }
        let may_send = !over && answers.len() < window;
        let send_at = due.map_or(paused_until, |due| clock.at(due).max(paused_until));
        tokio::select! {
            biased;
            Some((due, outcome)) = answers.next() => {
                if let Some(pause) = tally.count(&clock, due, clock.now(), outcome) {
                    paused_until = Instant::now() + pause;
                }
            }
            // Pushes to a sender are read and ignored.
            Some(_) = pushes.next() => {}
            _ = sleep_until(send_at), if may_send => {
                let due = due.unwrap_or_else(|| clock.now());
                let conversation = &conversations[sent as usize % conversations.len()];
                sent += 1;
                match connection.start(message(&options.target, conversation, due, options.body_bytes)) {
                    Ok(reply) => answers.push(async move { (due, reply.wait().await.map(drop)) }),
                    Err(error) => {
                        if let Some(pause) = tally.count(&clock, due, clock.now(), Err(error)) {
                            paused_until = Instant::now() + pause;
                        }
                    }
                }
            }
        }
    }
    if connection.is_closed() {
        tally.errors += 1;
        tally.first_error.get_or_insert("a connection was closed".into());
    }
    tally
}
