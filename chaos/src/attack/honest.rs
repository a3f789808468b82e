//! Two honest users: one sends at a steady pace and waits for each acknowledgement, the other
//! receives.
//!
//! A message is sent again under the same id if its connection ends or a node refuses it for now,
//! as every client does. Its latency counts from its scheduled time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::runtime::Builder;
use tokio::sync::{RwLock, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use troupe_client::connection::{Connection, Request};
use troupe_client::error::Error;
use troupe_proto::wire::client as wire;

use super::site::{PASSWORD, Site, User, connect, random_id, user};

/// Pause between two messages.
const PACE: Duration = Duration::from_millis(25);
/// A message without an acknowledgement after this counts as lost.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    SetUp,
    Calm,
    During,
    Between,
    After,
}

/// They run on a thread of their own: an attack keeps the threads of its runtime busy, and a wait
/// for these is no latency of the cluster.
pub struct Honest {
    phase: Arc<Mutex<Phase>>,
    stop: CancellationToken,
    sent: oneshot::Receiver<Sent>,
}

/// The outcome of each message: its phase and the latency of its acknowledgement.
#[derive(Default)]
pub struct Sent(Vec<(Phase, Option<Duration>)>);

impl Sent {
    /// Sent, acknowledged, and the p99 in milliseconds. A lost message counts with the full
    /// patience.
    pub fn of(&self, phase: Phase) -> (u64, u64, f64) {
        let all: Vec<Option<Duration>> = self.0.iter().filter(|(at, _)| *at == phase).map(|(_, took)| *took).collect();
        let mut took: Vec<Duration> = all.iter().map(|took| took.unwrap_or(PATIENCE)).collect();
        took.sort();
        let p99 = took.get((took.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default();
        (all.len() as u64, all.iter().flatten().count() as u64, p99.as_secs_f64() * 1_000.0)
    }
}

impl Honest {
    pub async fn start(site: &Site) -> Result<Honest> {
        let phase = Arc::new(Mutex::new(Phase::SetUp));
        let stop = CancellationToken::new();
        let (nodes, runtime) = (site.cluster.client_addresses(), Builder::new_current_thread().enable_all().build()?);
        let (started, starts) = oneshot::channel();
        let (done, sent) = oneshot::channel();
        let (told, ended) = (phase.clone(), stop.clone());
        std::thread::Builder::new().name("honest".to_owned()).spawn(move || {
            runtime.block_on(async move {
                match enter(&nodes).await {
                    Ok((sender, receiver)) => {
                        let _ = started.send(Ok(()));
                        let home = super::site::address(1, 0);
                        let conversation = sender.direct(receiver.id);
                        let sending = Sending { nodes, home, conversation, phase: told, stop: ended };
                        let receiving = tokio::spawn(receive(receiver));
                        let _ = done.send(sending.run(sender).await);
                        receiving.abort();
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            });
        })?;
        starts.await.context("they start")??;
        Ok(Honest { phase, stop, sent })
    }

    pub fn enter(&self, phase: Phase) {
        *self.phase.lock() = phase;
    }

    pub async fn stop(self) -> Result<Sent> {
        self.stop.cancel();
        self.sent.await.context("they end")
    }
}

async fn enter(nodes: &[String]) -> Result<(User, User)> {
    let node = |index: usize| &nodes[index % nodes.len()];
    let sender = user(super::site::address(1, 0), node(0), "alice").await?;
    Ok((sender, user(super::site::address(1, 1), node(1), "bob").await?))
}

async fn receive(mut user: User) {
    while user.pushes.next().await.is_some() {}
}

struct Sending {
    nodes: Vec<String>,
    home: IpAddr,
    conversation: String,
    phase: Arc<Mutex<Phase>>,
    stop: CancellationToken,
}

impl Sending {
    async fn run(self, sender: User) -> Sent {
        let User { connection, mut pushes, .. } = sender;
        let current = RwLock::new(Arc::new(connection));
        let mut sent = Sent::default();
        let mut answers = FuturesUnordered::new();
        let mut due = Instant::now();
        loop {
            let stopped = self.stop.is_cancelled();
            if stopped && answers.is_empty() {
                return sent;
            }
            tokio::select! {
                Some(outcome) = answers.next() => sent.0.push(outcome),
                // The sender's own pushes are read, so that its connection does not count as slow.
                Some(_) = pushes.next() => {}
                () = self.stop.cancelled(), if !stopped => {}
                () = sleep_until(due), if !stopped => {
                    let phase = *self.phase.lock();
                    answers.push(self.deliver(&current, phase, due));
                    due += PACE;
                }
            }
        }
    }

    /// Sends one message until it is acknowledged or its time is over.
    async fn deliver(
        &self,
        current: &RwLock<Arc<Connection>>,
        phase: Phase,
        due: Instant,
    ) -> (Phase, Option<Duration>) {
        let request = Request::Send(wire::Send {
            conversation: self.conversation.clone(),
            client_message_id: random_id(),
            after: Default::default(),
            body: Some(wire::Body { kind: 1, content: "an honest word".into(), context: None }),
        });
        while due.elapsed() < PATIENCE {
            let connection = current.read().await.clone();
            match connection.request(request.clone()).await {
                Ok(_) => return (phase, Some(due.elapsed())),
                Err(Error::Overloaded { retry_after, .. }) => sleep(retry_after).await,
                Err(_) if connection.is_closed() => self.reconnect(current, &connection).await,
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
        (phase, None)
    }

    /// The first message that finds the connection closed opens another one; the others wait.
    async fn reconnect(&self, current: &RwLock<Arc<Connection>>, closed: &Arc<Connection>) {
        let mut place = current.write().await;
        if !Arc::ptr_eq(&place, closed) {
            return;
        }
        for node in &self.nodes {
            let Ok((connection, mut pushes)) = connect(self.home, node).await else { continue };
            if connection.login("alice", PASSWORD, "attack").await.is_ok() {
                tokio::spawn(async move { while pushes.next().await.is_some() {} });
                *place = Arc::new(connection);
                return;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_one_phase_and_count_what_was_lost() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let mut sent = Sent((1..=100).map(|n| (Phase::Calm, ms(n))).collect());
        sent.0.push((Phase::During, None));
        assert_eq!(sent.of(Phase::Calm), (100, 100, 99.0));
        assert_eq!(sent.of(Phase::During), (1, 0, PATIENCE.as_secs_f64() * 1_000.0));
        assert_eq!(sent.of(Phase::After), (0, 0, 0.0));
    }
}
