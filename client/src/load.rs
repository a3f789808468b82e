//! The load generator behind `troupe bench`: accounts, connections, clocks and histograms that the
//! loads share.
//!
//! It uses raw [`Connection`]s, because ten thousand of them must fit into one process. Latency
//! counts from the scheduled time of a message, not from its send, so a server that stalls cannot
//! hide its stall. [`sends`] measures acks and deliveries, [`idle`] holds connections, [`fanout`]
//! fills one group, and [`steady`] sends until it is stopped.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use hdrhistogram::Histogram;
use tokio::time::Instant;
use troupe_core::limits;
use troupe_proto::wire::client as wire;
use troupe_runtime::Platform;

use crate::connection::{CONNECT_TIMEOUT, Connection, Message, Push, Pushes, Request, unexpected};
use crate::error::Error;

pub mod fanout;
pub mod idle;
pub mod sends;
pub mod steady;
pub mod websocket;

/// Concurrent registrations and logins. The servers hash that many passwords at a time.
const SETUP: usize = 16;
/// How long the set-up retries requests that a busy server refuses.
const SETUP_PATIENCE: Duration = Duration::from_secs(120);
const PASSWORD: &str = "load-generator";
/// Body kind of load messages, from the application's range.
const KIND: u32 = 1_000;
/// Timestamp of a load message.
const STAMP_BYTES: usize = 8;

/// The cluster under load.
#[derive(Clone)]
pub struct Target {
    pub context: Platform,
    /// Client addresses of all nodes that take part.
    pub nodes: Vec<String>,
    pub edge: Edge,
}

/// The way in: frames over TCP or TLS, or as messages of a WebSocket in plain text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    #[default]
    Tcp,
    WebSocket,
}

impl Target {
    /// Validates the options before any work.
    fn check(&self) -> Result<()> {
        ensure!(!self.nodes.is_empty(), "name at least one node");
        Ok(())
    }

    fn node(&self, index: usize) -> &str {
        &self.nodes[index % self.nodes.len()]
    }

    async fn connect(&self, node: usize) -> Result<(Connection, Pushes), Error> {
        let address = self.node(node);
        let opening = async {
            let stream = self.context.net.connect(address).await?;
            websocket::open(stream, address).await
        };
        match self.edge {
            Edge::Tcp => Connection::open(&*self.context.net, address).await,
            Edge::WebSocket => match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
                Ok(Ok(stream)) => Connection::greet(stream, address).await,
                Ok(Err(error)) => Err(Error::Unavailable(format!("{address}: {error}"))),
                Err(_) => Err(Error::Unavailable(format!("connecting to {address} takes too long"))),
            },
        }
    }

    /// A prefix that separates the accounts of two runs.
    fn run_name(&self) -> String {
        format!("load{:08x}", self.context.rng.u64() as u32)
    }

    /// Registers `count` users, spread over the nodes.
    async fn register(&self, run: &str, kind: &str, count: usize) -> Result<Vec<(String, u64)>> {
        let one = |index: usize| {
            let name = format!("{run}-{kind}{index}");
            let request = self.context.rng.bytes::<16>();
            async move {
                let user = patiently(|| async {
                    let (connection, _pushes) = self.connect(index).await?;
                    connection.register(&name, PASSWORD, request).await
                })
                .await
                .with_context(|| format!("registering {name}"))?;
                anyhow::Ok((name, user))
            }
        };
        futures::stream::iter((0..count).map(one)).buffered(SETUP).try_collect().await
    }

    async fn log_in(&self, node: usize, name: &str, device: &str) -> Result<Link> {
        patiently(|| async {
            let (connection, pushes) = self.connect(node).await?;
            connection.login(name, PASSWORD, device).await?;
            Ok(Link { connection, pushes })
        })
        .await
        .with_context(|| format!("logging in {name} at {}", self.node(node)))
    }
}

/// A logged-in connection.
struct Link {
    connection: Connection,
    pushes: Pushes,
}

/// Repeats a request that is refused for now.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(mut attempt: impl FnMut() -> F) -> Result<T, Error> {
    let end = Instant::now() + SETUP_PATIENCE;
    loop {
        let pause = match attempt().await {
            Err(Error::Overloaded { retry_after, .. }) => retry_after.max(Duration::from_millis(20)),
            Err(error @ Error::Unavailable(_)) if Instant::now() > end => return Err(error),
            Err(Error::Unavailable(_)) => Duration::from_millis(200),
            other => return other,
        };
        tokio::time::sleep(pause).await;
    }
}

async fn create_group(target: &Target, owner: &Connection, name: &str, members: &[u64]) -> Result<String> {
    let (first, rest) = members.split_at(members.len().min(limits::MEMBERS_PER_REQUEST));
    let create = wire::CreateGroup {
        request: Bytes::copy_from_slice(&target.context.rng.bytes::<16>()),
        name: name.to_owned(),
        open: false,
        members: first.to_vec(),
    };
    let created =
        patiently(|| owner.request(Request::CreateGroup(create.clone()))).await.context("creating a group")?;
    let Message::GroupCreated(wire::GroupCreated { conversation }) = created else {
        return Err(unexpected(&created).into());
    };
    for users in rest.chunks(limits::MEMBERS_PER_REQUEST) {
        let add = wire::AddMembers { users: users.to_vec() };
        let change = wire::ChangeGroup {
            request: Bytes::copy_from_slice(&target.context.rng.bytes::<16>()),
            conversation: conversation.clone(),
            change: Some(wire::change_group::Change::Add(add)),
        };
        patiently(|| owner.request(Request::ChangeGroup(change.clone()))).await.context("adding members")?;
    }
    Ok(conversation)
}

/// The clock of a run: microseconds since its start, in every message.
#[derive(Clone, Copy)]
struct RunClock {
    start: Instant,
    /// Messages due before this are warm-up and are not counted.
    measure_from: u64,
    end: u64,
}

impl RunClock {
    fn new(warm_up: Duration, duration: Duration) -> RunClock {
        let measure_from = warm_up.as_micros() as u64;
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
}

fn message(target: &Target, conversation: &str, due: u64, bytes: usize) -> Request {
    let size = bytes.clamp(STAMP_BYTES, limits::MESSAGE_BYTES);
    let mut content = BytesMut::with_capacity(size);
    content.put_u64(due);
    content.resize(size, b'.');
    send_request(target, conversation, content.freeze())
}

fn send_request(target: &Target, conversation: &str, content: Bytes) -> Request {
    Request::Send(wire::Send {
        conversation: conversation.to_owned(),
        client_message_id: Bytes::copy_from_slice(&target.context.rng.bytes::<16>()),
        after: Bytes::new(),
        body: Some(wire::Body { kind: KIND, content, context: None }),
    })
}

/// When a pushed load message was due.
fn due(push: &Push) -> Option<u64> {
    let Push::Event(wire::EventPush { event: Some(event), .. }) = push else { return None };
    let body = event.body()?;
    let stamp = body.content.first_chunk::<STAMP_BYTES>().filter(|_| body.kind == KIND)?;
    Some(u64::from_be_bytes(*stamp))
}

/// Microseconds up to a minute. Longer times count as a minute.
struct Latency(Histogram<u64>);

impl Latency {
    fn new() -> Latency {
        Latency(Histogram::new_with_bounds(1, 60_000_000, 3).expect("1 us to 60 s at three digits is a histogram"))
    }

    fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros.max(1));
    }

    fn merge(&mut self, other: &Latency) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    fn count(&self) -> u64 {
        self.0.len()
    }

    fn ms(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }

    fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1000.0
    }
}

/// Counts the load messages that arrive on a connection until `end`, or until it closes.
async fn receive(mut link: Link, clock: RunClock, end: Instant) -> Latency {
    let mut latency = Latency::new();
    while let Ok(Some(push)) = tokio::time::timeout_at(end, link.pushes.next()).await {
        if let Some(due) = due(&push)
            && clock.measures(due)
        {
            latency.record(clock.now().saturating_sub(due));
        }
    }
    latency
}
