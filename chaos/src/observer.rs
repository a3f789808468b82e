//! A device without the SDK that takes the server's pushes literally.
//!
//! It fetches missing events only up to an announced head, and records pushed events as they
//! arrive. A push across a gap is therefore detected, which an SDK client would repair silently.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use troupe_client::Connection;
use troupe_client::connection::Push;
use troupe_core::EventKind;
use troupe_proto::wire::client::{Event, Fetch, Page, client_frame::Request, server_frame::Message};
use troupe_runtime::Platform;

use crate::history::Record;
use crate::workload::DeviceLog;

/// The connection is given up after this silence. The server pings more often.
const SILENCE: Duration = Duration::from_secs(3);

pub async fn run(device_log: DeviceLog, nodes: Vec<String>, credentials: (String, String), stop: CancellationToken) {
    let device = device_log.device;
    let observer = Observer { device_log, credentials, platform: Platform::production() };
    for address in nodes.iter().cycle() {
        tokio::select! {
            () = stop.cancelled() => return,
            ended = observer.follow(address) => {
                if let Err(error) = ended {
                    tracing::debug!(device, %address, "observer: {error:#}");
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Observer {
    device_log: DeviceLog,
    credentials: (String, String),
    platform: Platform,
}

impl Observer {
    /// Follows one connection until it ends.
    async fn follow(&self, address: &str) -> Result<()> {
        let open = Connection::open(&*self.platform.net, address);
        let (connection, mut pushes) = timeout(SILENCE, open).await.context("connect")??;
        let device = format!("observer-{}", self.device_log.device);
        timeout(SILENCE * 3, connection.login(&self.credentials.0, &self.credentials.1, &device))
            .await
            .context("login")??;
        loop {
            let push = match timeout(SILENCE, pushes.next()).await {
                Ok(push) => push.context("the connection ended")?,
                Err(_) => {
                    // Silence is fine while the node answers.
                    timeout(SILENCE, connection.request(Request::Ping(Default::default())))
                        .await
                        .context("frozen")??;
                    continue;
                }
            };
            match push {
                Push::Conversation(news) if news.present && self.device_log.namespace.judges(&news.conversation) => {
                    self.catch_up(&connection, &news.conversation, news.head).await?
                }
                Push::Event(pushed) if self.device_log.namespace.judges(&pushed.conversation) => {
                    let event = pushed.event.context("an event")?;
                    if event.seq > self.position(&pushed.conversation) {
                        self.deliver(&pushed.conversation, &event);
                    }
                }
                Push::Kicked(kicked) => anyhow::bail!("kicked: {}", kicked.text),
                _ => {}
            }
        }
    }

    async fn catch_up(&self, connection: &Connection, conversation: &str, head: u64) -> Result<()> {
        while self.position(conversation) < head {
            let seq = self.position(conversation);
            let fetch = Fetch { conversation: conversation.to_owned(), seq, backward: false, limit: 500 };
            let answer = timeout(SILENCE * 2, connection.request(Request::Fetch(fetch))).await.context("fetch")??;
            let Message::Page(Page { events, .. }) = answer else { anyhow::bail!("not a page") };
            anyhow::ensure!(!events.is_empty(), "{conversation}: nothing after {seq} although the head is {head}");
            events.iter().for_each(|event| self.deliver(conversation, event));
        }
        Ok(())
    }

    fn position(&self, conversation: &str) -> u64 {
        self.device_log
            .positions
            .lock()
            .get(&self.device_log.device)
            .and_then(|of| of.get(conversation))
            .copied()
            .unwrap_or(0)
    }

    fn deliver(&self, conversation: &str, event: &Event) {
        let id: String = event.client_message_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let device = self.device_log.device;
        self.device_log.recorder.record(|at| Record::Deliver {
            at,
            device,
            conversation: conversation.to_owned(),
            seq: event.seq,
            sender: event.sender,
            id: format!("{}/{id}", event.sender),
            message: event.kind == EventKind::MESSAGE,
        });
        self.device_log.positions.lock().entry(device).or_default().insert(conversation.to_owned(), event.seq);
    }
}
