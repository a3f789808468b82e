//! A device that speaks JSON over WebSocket, as a client written by hand does. It takes the
//! server's pushes literally, and fetches only up to an announced head.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use troupe_runtime::Platform;

use super::edges::{Participant, Unsent};
use super::participants::PASSWORD;
use crate::websocket::{PING, PONG, Reads, TEXT, WebSocket, Writes};

/// A connection without an answer for this time is given up.
const PATIENCE: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(100);
/// The connection is tried after this silence.
const SILENCE: Duration = Duration::from_secs(2);

pub(super) async fn run(participant: Participant, stop: CancellationToken) {
    let platform = Platform::production();
    let mut unsent = None;
    for node in participant.nodes.iter().cycle() {
        let following = async {
            let open = timeout(PATIENCE, WebSocket::open(&*platform.net, node)).await.context("connect")??;
            let mut line = Line::new(open, &participant);
            line.log_in().await?;
            line.follow(&mut unsent).await
        };
        tokio::select! {
            () = stop.cancelled() => return,
            ended = following => {
                let ended: Result<()> = ended;
                if let Err(error) = ended {
                    tracing::debug!(%node, "JSON over WebSocket: {error:#}");
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// One connection.
struct Line<'a> {
    participant: &'a Participant,
    reads: Reads,
    writes: Writes,
    /// Pushes that came while an answer was awaited.
    pushes: VecDeque<Value>,
    next_id: u64,
}

impl<'a> Line<'a> {
    fn new(socket: WebSocket, participant: &'a Participant) -> Line<'a> {
        let WebSocket { reads, writes } = socket;
        Line { participant, reads, writes, pushes: VecDeque::new(), next_id: 1 }
    }

    async fn log_in(&mut self) -> Result<()> {
        self.ask("hello", json!({ "min_version": 1, "max_version": 1, "client": "chaos" })).await?;
        let device = format!("device-{}", self.participant.log.device);
        let login = json!({ "name": self.participant.name, "password": PASSWORD, "device": device });
        let answer = self.ask("login", login).await?;
        anyhow::ensure!(answer.get("logged_in").is_some(), "no login: {answer}");
        Ok(())
    }

    /// Sends and receives until the connection ends.
    async fn follow(&mut self, unsent: &mut Option<Unsent>) -> Result<()> {
        let mut last = Instant::now();
        loop {
            if let Some(waiting) = unsent {
                if !self.send(waiting).await? {
                    sleep(PAUSE).await;
                    continue;
                }
                (*unsent, last) = (None, Instant::now());
            }
            while let Some(push) = self.pushes.pop_front() {
                self.take(&push).await?;
            }
            tokio::select! {
                () = self.participant.due(last) => *unsent = Some(self.participant.begin()),
                frame = timeout(SILENCE, self.reads.frame()) => match frame {
                    Ok(frame) => {
                        if let Some(push) = self.heard(frame?).await? {
                            self.pushes.push_back(push);
                        }
                    }
                    // Silence is fine while the node answers.
                    Err(_) => drop(self.ask("ping", json!({})).await?),
                }
            }
        }
    }

    /// One attempt; returns whether the message has its outcome.
    async fn send(&mut self, unsent: &mut Unsent) -> Result<bool> {
        let send = json!({
            "conversation": unsent.conversation.to_string(),
            "client_message_id": STANDARD.encode(unsent.id.0),
            "body": { "kind": 1, "content": STANDARD.encode(unsent.id.to_string()) },
        });
        let before = std::mem::replace(&mut unsent.in_doubt, true);
        let answer = self.ask("send", send).await?;
        if let Some(seq) = answer["send_ack"]["seq"].as_str().and_then(|seq| seq.parse().ok()) {
            self.participant.acked(unsent, seq);
            return Ok(true);
        }
        let failure = answer.get("failure").with_context(|| format!("neither an ack nor a failure: {answer}"))?;
        match failure["kind"].as_str() {
            Some("OVERLOADED") => unsent.in_doubt = before,
            Some("REJECTED" | "FAILED_PRECONDITION") if !before => {
                self.participant.rejected(unsent, failure["code"].as_str().unwrap_or("no_code"));
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }

    /// The answer; pushes before it are kept.
    async fn ask(&mut self, name: &str, request: Value) -> Result<Value> {
        let id = self.next_id.to_string();
        self.next_id += 1;
        let frame = json!({ "request_id": id, name: request });
        self.writes.send(TEXT, frame.to_string().as_bytes()).await?;
        let until = Instant::now() + PATIENCE;
        loop {
            let frame = tokio::time::timeout_at(until, self.reads.frame()).await.context("no answer")??;
            let Some(message) = self.heard(frame).await? else { continue };
            if message["request_id"] == json!(id) {
                return Ok(message);
            }
            self.pushes.push_back(message);
        }
    }

    /// A message of the protocol; frames of WebSocket itself are answered here.
    async fn heard(&mut self, (op, payload): (u8, bytes::Bytes)) -> Result<Option<Value>> {
        match op {
            TEXT => Ok(Some(serde_json::from_slice(&payload).context("no JSON")?)),
            PING => {
                self.writes.send(PONG, &payload).await?;
                Ok(None)
            }
            PONG => Ok(None),
            _ => bail!("the server ends the connection"),
        }
    }

    async fn take(&mut self, push: &Value) -> Result<()> {
        if let Some(news) = push.get("conversation").filter(|news| news["present"] == json!(true)) {
            let name = news["conversation"].as_str().context("a conversation")?.to_owned();
            let head = number(&news["head"]);
            if self.participant.log.namespace.judges(&name) {
                self.catch_up(&name, head).await?;
            }
        }
        if let Some(pushed) = push.get("event") {
            let name = pushed["conversation"].as_str().context("a conversation")?;
            let seq = number(&pushed["event"]["seq"]);
            if self.participant.log.namespace.judges(name) && seq > self.participant.position(name) {
                self.deliver(name, &pushed["event"])?;
            }
        }
        if let Some(kicked) = push.get("kicked") {
            bail!("kicked: {kicked}");
        }
        Ok(())
    }

    async fn catch_up(&mut self, conversation: &str, head: u64) -> Result<()> {
        while self.participant.position(conversation) < head {
            let seq = self.participant.position(conversation);
            let fetch = json!({ "conversation": conversation, "seq": seq.to_string(), "limit": 500 });
            let answer = self.ask("fetch", fetch).await?;
            let events = answer["page"]["events"].as_array().cloned().context("no page")?;
            anyhow::ensure!(!events.is_empty(), "{conversation}: nothing after {seq} although the head is {head}");
            for event in &events {
                self.deliver(conversation, event)?;
            }
        }
        Ok(())
    }

    fn deliver(&self, conversation: &str, event: &Value) -> Result<()> {
        let id = STANDARD.decode(event["client_message_id"].as_str().unwrap_or_default()).context("an id")?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let is_message = event.get("message").is_some();
        self.participant.deliver(conversation, number(&event["seq"]), number(&event["sender"]), &id, is_message);
        Ok(())
    }
}

/// Numbers of 64 bits are texts, and zero is absent.
fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).or(value.as_u64()).unwrap_or(0)
}
