//! A device that sends by `POST`, and receives by `GET /v1/events`.
//!
//! It records each event of a stream as it comes, without a look at its seq, so that the checkers
//! judge what the server says. The cursor moves with the event that carries it. A stream is left
//! after a while, in the middle of an event as a rule, and resumed at the next node.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use troupe_runtime::Platform;

use super::by_http::{Device, Line};
use crate::http::Http;
use crate::http::events::{EventStream, Opened, ServerEvent};

/// A stream carries a comment within this time, unless its node is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// For a connection and the head of the answer.
const PATIENCE: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(100);
/// Milliseconds that a stream is followed, at most.
const FOLLOWED_MS: u64 = 4_000;

impl Device {
    /// Follows streams, one after the other.
    pub async fn follow(&self) {
        let (mut cursor, mut node) = (None, 0);
        loop {
            let until = Duration::from_millis(self.participant.rng.range(100, FOLLOWED_MS));
            // Any end of a stream is one from which the next goes on.
            drop(timeout(until, self.follow_one(node, &mut cursor)).await);
            node += 1;
            sleep(PAUSE).await;
        }
    }

    async fn follow_one(&self, node: usize, cursor: &mut Option<String>) -> Result<()> {
        let mut stream = timeout(PATIENCE, self.open(node, cursor.as_deref())).await??;
        // History, for what was there before the first stream.
        let mut line = Line::at(node);
        loop {
            let event = timeout(SILENCE, stream.next()).await??;
            self.take(&mut line, &event).await?;
            if let Some(id) = event.id {
                *cursor = Some(id);
            }
            if event.name == "end" {
                bail!("ended: {}", event.data);
            }
        }
    }

    async fn open(&self, node: usize, cursor: Option<&str>) -> Result<EventStream> {
        let nodes = &self.participant.nodes;
        let mut http = Http::connect(&*Platform::production().net, &nodes[node % nodes.len()]).await?;
        let token = self.session(&mut http).await?;
        match http.open_events(&token, cursor).await? {
            Opened::Stream(stream) => Ok(stream),
            Opened::Refused(status) => {
                self.refused(status);
                bail!("no stream: status {status}")
            }
        }
    }

    async fn take(&self, line: &mut Line, event: &ServerEvent) -> Result<()> {
        let data = &event.data;
        let conversation = || data["conversation"].as_str().context("a conversation");
        match event.name.as_str() {
            "message" => self.deliver(conversation()?, data),
            // The stream has the events behind this place; the history holds those before it.
            "conversation" if data["present"] == json!(true) => {
                let (name, after) = (conversation()?, data["after"].as_u64().context("a seq")?);
                loop {
                    let position = self.participant.position(name);
                    if position >= after || !self.participant.log.namespace.judges(name) {
                        return Ok(());
                    }
                    self.look(line, name, after).await?;
                    ensure!(self.participant.position(name) > position, "no history of {name} after {position}");
                }
            }
            _ => Ok(()),
        }
    }

    /// An event of history, or of a stream.
    pub fn deliver(&self, conversation: &str, event: &Value) -> Result<()> {
        if !self.participant.log.namespace.judges(conversation) {
            return Ok(());
        }
        let seq = event["seq"].as_u64().context("a seq")?;
        let sender = event["sender"].as_str().and_then(|id| id.parse().ok()).context("a sender")?;
        let id = event["client_message_id"].as_str().context("an id")?;
        ensure!(seq > 0, "an event without a place");
        self.participant.deliver(conversation, seq, sender, id, event["kind"] == "message");
        Ok(())
    }
}
