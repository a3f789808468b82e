//! Participants of a workload: names, logins, and the record of deliveries.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};
use troupe_client::connection::Pushes;
use troupe_client::{Client, Connection, Events, Incoming, MemoryStore, StartAt};
use troupe_core::EventKind;
use troupe_runtime::Platform;

use super::Positions;
use crate::history::{DeviceNumber, Record};
use crate::recorder::Recorder;

pub(super) const PASSWORD: &str = "a workload's password";
/// How long a login or a registration may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The names of a run's users, in a cluster of its own or a shared one.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    /// Prefix of every name, to avoid collisions.
    pub prefix: String,
    /// Others may send to `everyone`.
    pub shared: bool,
}

impl Namespace {
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn user(&self, number: usize) -> String {
        self.name(&format!("user-{number}"))
    }

    /// Whether events of a conversation are checked.
    pub fn judges(&self, conversation: &str) -> bool {
        !self.shared || conversation != "everyone"
    }
}

pub(super) async fn connect(nodes: &[String], number: usize, name: String, register: bool) -> Result<(Client, Events)> {
    let rotated: Vec<String> = (0..nodes.len()).map(|i| nodes[(number + i) % nodes.len()].clone()).collect();
    if register {
        let builder = Client::builder().nodes(rotated.clone()).credentials(&name, PASSWORD).patience(PATIENCE);
        builder.register().await.context("register")?;
    }
    connect_at(&rotated, &name, &format!("device-{number}")).await
}

/// Logs in a user whose registration is committed or in flight.
pub async fn connect_at(nodes: &[String], name: &str, device: &str) -> Result<(Client, Events)> {
    connect_over(Platform::production(), nodes, name, device).await
}

pub(super) async fn connect_over(
    platform: Platform,
    nodes: &[String],
    name: &str,
    device: &str,
) -> Result<(Client, Events)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let builder = Client::builder()
            .context(platform.clone())
            .nodes(nodes.to_vec())
            .credentials(name, PASSWORD)
            .device(device)
            .start_at(StartAt::Beginning)
            .patience(PATIENCE)
            .store(MemoryStore::default());
        match builder.connect().await {
            Ok(connected) => return Ok(connected),
            Err(error) if Instant::now() >= deadline => return Err(error).context("log in"),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Records the deliveries to a device.
#[derive(Clone)]
pub struct DeviceLog {
    pub device: DeviceNumber,
    pub recorder: Arc<Recorder>,
    pub positions: Positions,
    pub namespace: Namespace,
}

impl DeviceLog {
    /// Records the deliveries of an SDK client, and marks messages as read.
    pub async fn listen(self, client: Client, mut events: Events) {
        let device = self.device;
        let mut taken = 0u64;
        while let Some(incoming) = events.next().await {
            match incoming {
                Incoming::Event { conversation, event } => {
                    let name = conversation.to_string();
                    if !self.namespace.judges(&name) {
                        continue;
                    }
                    self.recorder.record(|at| Record::Deliver {
                        at,
                        device,
                        conversation: name.clone(),
                        seq: event.seq.0,
                        sender: event.sender.0,
                        id: format!("{}/{}", event.sender, event.client_message_id),
                        message: event.kind.number() == EventKind::MESSAGE,
                    });
                    {
                        let mut positions = self.positions.lock();
                        let position = positions.entry(device).or_default().entry(name).or_default();
                        *position = (*position).max(event.seq.0);
                    }
                    taken += 1;
                    if taken.is_multiple_of(50) {
                        let client = client.clone();
                        tokio::spawn(async move {
                            // A read mark that fails during faults proves nothing.
                            drop(client.mark_read(conversation, event.seq).await);
                        });
                    }
                }
                Incoming::Cursor { conversation, user, delivered, read }
                    if self.namespace.judges(&conversation.to_string()) =>
                {
                    self.recorder.record(|at| Record::Cursor {
                        at,
                        device,
                        conversation: conversation.to_string(),
                        user: user.0,
                        delivered: delivered.0,
                        read: read.0,
                    });
                }
                _ => {}
            }
        }
    }
}

/// A logged-in device with its own user, whose pushes are never read while it is held.
pub async fn non_reader(platform: &Platform, node: &str, number: usize) -> Result<(Connection, Pushes)> {
    let (connection, pushes) = Connection::open(&*platform.net, node).await?;
    let name = format!("deaf-{number}");
    // Registered the first time. Later the name is taken by the same user.
    drop(connection.register(&name, PASSWORD, platform.rng.bytes()).await);
    connection.login(&name, PASSWORD, "deaf").await?;
    Ok((connection, pushes))
}
