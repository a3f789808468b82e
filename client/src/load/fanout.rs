//! One group with many online members: deliveries per second, and their latency.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use tokio::time::Instant;
use troupe_core::limits;

use super::sends::Tally;
use super::{Latency, Link, RunClock, SETUP, Target, create_group, message, receive};

const DRAIN: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub struct Options {
    pub target: Target,
    /// Receiving connections.
    pub online: usize,
    /// Devices per user. At 1 every receiver is a member of its own.
    pub devices: usize,
    /// Messages per second. `None`: the next one follows when `in_flight` earlier ones are acked.
    pub rate: Option<f64>,
    pub in_flight: usize,
    pub body_bytes: usize,
    pub warm_up: Duration,
    pub duration: Duration,
}

impl Options {
    pub fn new(target: Target) -> Options {
        Options {
            target,
            online: 1_000,
            devices: 1,
            rate: None,
            in_flight: 4,
            body_bytes: 128,
            warm_up: Duration::from_secs(1),
            duration: Duration::from_secs(10),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub nodes: usize,
    pub online: usize,
    pub members: usize,
    pub seconds: f64,
    pub sent: u64,
    pub deliveries: u64,
    pub deliveries_per_s: f64,
    /// Expected deliveries: every message at every receiver.
    pub expected: u64,
    pub deliver_p50_ms: f64,
    pub deliver_p99_ms: f64,
    pub ack_p50_ms: f64,
    pub ack_p99_ms: f64,
    pub overloaded: u64,
    pub errors: u64,
    pub first_error: Option<String>,
}

pub async fn run(options: Options) -> Result<Report> {
    let target = &options.target;
    target.check()?;
    let devices = options.devices.clamp(1, limits::SESSIONS_PER_USER);
    let users = options.online.div_ceil(devices);
    ensure!((1..limits::GROUP_MEMBERS).contains(&users), "a group has 1 to {} members", limits::GROUP_MEMBERS);
    ensure!(options.rate.is_none_or(|rate| rate > 0.0), "the rate must be above zero");

    let run = target.run_name();
    let members = target.register(&run, "m", users).await?;
    let owner = target.register(&run, "o", 1).await?;
    let owner = target.log_in(0, &owner[0].0, "load").await?;
    let ids: Vec<u64> = members.iter().map(|(_, user)| *user).collect();
    let group = create_group(target, &owner.connection, &run, &ids).await?;
    let links: Vec<Link> = futures::stream::iter(0..options.online)
        .map(|index| {
            let (name, device) = (&members[index / devices].0, format!("load-{}", index % devices));
            async move { target.log_in(index, name, &device).await }
        })
        .buffer_unordered(SETUP)
        .try_collect()
        .await?;

    let clock = RunClock::new(options.warm_up, options.duration);
    let deadline = clock.at(clock.end) + DRAIN;
    let receiving: Vec<_> = links.into_iter().map(|link| tokio::spawn(receive(link, clock, deadline))).collect();
    let sent = send(owner, &group, clock, &options).await;
    let mut delivered = Latency::new();
    for task in receiving {
        delivered.merge(&task.await.context("a receiver ended early")?);
    }
    let seconds = options.duration.as_secs_f64();
    Ok(Report {
        nodes: target.nodes.len(),
        online: options.online,
        members: users + 1,
        seconds,
        sent: sent.acks.count(),
        deliveries: delivered.count(),
        deliveries_per_s: delivered.count() as f64 / seconds,
        expected: sent.acks.count() * options.online as u64,
        deliver_p50_ms: delivered.ms(0.5),
        deliver_p99_ms: delivered.ms(0.99),
        ack_p50_ms: sent.acks.ms(0.5),
        ack_p99_ms: sent.acks.ms(0.99),
        overloaded: sent.overloaded,
        errors: sent.errors,
        first_error: sent.first_error,
    })
}

async fn send(link: Link, group: &str, clock: RunClock, options: &Options) -> Tally {
    let Link { connection, mut pushes } = link;
    let step = options.rate.map(|rate| 1e6 / rate);
    let window =
        if step.is_some() { (connection.welcome().send_window as usize).max(1) } else { options.in_flight.max(1) };
    let mut tally = Tally::default();
    let mut answers = FuturesUnordered::new();
    let mut sent = 0u64;
    let mut paused_until = clock.at(0);
    loop {
        let due = step.map(|step| (step * sent as f64) as u64);
        let over = due.unwrap_or_else(|| clock.now()) >= clock.end || connection.is_closed();
        if over && answers.is_empty() {
            return tally;
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
            Some(_) = pushes.next() => {}
            _ = tokio::time::sleep_until(send_at), if may_send => {
                let due = due.unwrap_or_else(|| clock.now());
                sent += 1;
                match connection.start(message(&options.target, group, due, options.body_bytes)) {
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
}
