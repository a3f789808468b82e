//! A device that sends by `POST` with an `Idempotency-Key`, and polls the history or follows the
//! stream of events.
//!
//! Some messages are sent again after their answer, with the same body and with another one.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use troupe_runtime::Platform;

use super::edges::{Participant, Unsent};
use super::participants::PASSWORD;
use crate::http::{Http, Said};

/// A request without an answer after this is repeated at another node.
const PATIENCE: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at the history.
const POLL: Duration = Duration::from_millis(150);
/// Events of one page.
const PAGE: u64 = 500;
/// One message in this many is sent again after its answer.
const AGAIN: u64 = 4;
const REUSED: &str = "idempotency_key_reused";
const LATER: [u16; 3] = [429, 503, 507];

/// How a device receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receives {
    History,
    Events,
}

pub(super) async fn run(participant: Participant, receives: Receives, stop: CancellationToken) {
    let device = Device { participant, token: Mutex::default(), platform: Platform::production() };
    let receive = async {
        match receives {
            Receives::History => device.poll().await,
            Receives::Events => device.follow().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = async { tokio::join!(device.send_all(), receive); } => {}
    }
}

pub(super) struct Device {
    pub participant: Participant,
    token: Mutex<Option<String>>,
    platform: Platform,
}

/// The answer to a send.
enum Posted {
    Placed(u64),
    Refused(u16, String),
}

/// One connection, opened at the next node after a failure.
#[derive(Default)]
pub(super) struct Line {
    open: Option<Http>,
    node: usize,
}

impl Device {
    async fn send_all(&self) {
        let mut line = Line::default();
        loop {
            let begun = Instant::now();
            let mut unsent = self.participant.begin_when_due(begun).await;
            let body = unsent.id.to_string();
            if self.settle(&mut line, &mut unsent, &body).await && self.participant.rng.range(0, AGAIN) == 0 {
                for body in [body.as_str(), "another body"] {
                    // A failed attempt proves nothing.
                    drop(self.post(&mut line, &unsent, body).await);
                }
            }
        }
    }

    /// Until the message has an outcome; returns whether it has a place.
    async fn settle(&self, line: &mut Line, unsent: &mut Unsent, body: &str) -> bool {
        loop {
            match self.post(line, unsent, body).await {
                Ok(Posted::Placed(seq)) => {
                    self.participant.acked(unsent, seq);
                    return true;
                }
                // Nothing was done, and a later attempt may succeed.
                Ok(Posted::Refused(status, _)) if LATER.contains(&status) => {}
                // Nothing was done, now or later.
                Ok(Posted::Refused(status, code)) if (400..500).contains(&status) && !unsent.in_doubt => {
                    self.participant.rejected(unsent, &code);
                    return false;
                }
                _ => unsent.in_doubt = true,
            }
            sleep(PAUSE).await;
        }
    }

    /// One request under the key of the message.
    async fn post(&self, line: &mut Line, unsent: &Unsent, body: &str) -> Result<Posted> {
        let path = format!("/v1/conversations/{}/messages", unsent.conversation);
        let key = unsent.id.to_string();
        let said = self.ask(line, "POST", &path, Some(&key), Some(&json!({ "text": body }))).await?;
        let answer = said.json().unwrap_or_default();
        match said.status {
            200 => {
                let seq = answer["seq"].as_u64().context("a seq")?;
                let duplicate = answer["duplicate"].as_bool().context("whether it was there")?;
                self.participant.keyed(unsent, body, Some(seq), duplicate);
                Ok(Posted::Placed(seq))
            }
            // Too late, and the outcome is open.
            408 => bail!("the request took too long"),
            status => {
                let code = answer["code"].as_str().unwrap_or("no_code").to_owned();
                if code == REUSED {
                    self.participant.keyed(unsent, body, None, false);
                }
                Ok(Posted::Refused(status, code))
            }
        }
    }

    /// Reads all conversations from where this device stands.
    async fn poll(&self) {
        let mut line = Line::default();
        loop {
            for conversation in &self.participant.conversations {
                let name = conversation.to_string();
                // A failed look is repeated.
                while matches!(self.look(&mut line, &name, u64::MAX).await, Ok(true)) {}
            }
            sleep(POLL).await;
        }
    }

    /// One page, and of it the events up to `until`; returns whether there are more.
    pub async fn look(&self, line: &mut Line, conversation: &str, until: u64) -> Result<bool> {
        let after = self.participant.position(conversation);
        let path = format!("/v1/conversations/{conversation}/messages?after={after}&limit={PAGE}");
        let said = self.ask(line, "GET", &path, None, None).await?;
        // A node whose replica is behind does not know `after` yet.
        let page = said.good()?;
        for event in page["messages"].as_array().context("no list")? {
            if event["seq"].as_u64().context("a seq")? > until {
                return Ok(false);
            }
            self.deliver(conversation, event)?;
        }
        Ok(page["more"] == json!(true))
    }

    /// An error leaves the outcome open; the next attempt goes to the next node.
    async fn ask(
        &self,
        line: &mut Line,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Said> {
        let said = timeout(PATIENCE, self.attempt(line, method, path, key, body)).await;
        match said {
            Ok(Ok(said)) if said.status == 401 => {
                self.refused(said.status);
                bail!("the session has ended")
            }
            Ok(Ok(said)) => {
                if said.status >= 500 {
                    line.fails();
                }
                Ok(said)
            }
            Ok(Err(error)) => {
                line.fails();
                Err(error)
            }
            Err(_) => {
                line.fails();
                bail!("no answer within {PATIENCE:?}")
            }
        }
    }

    async fn attempt(
        &self,
        line: &mut Line,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Said> {
        let nodes = &self.participant.nodes;
        let http = match &mut line.open {
            Some(http) => http,
            None => line.open.insert(Http::connect(&*self.platform.net, &nodes[line.node % nodes.len()]).await?),
        };
        let token = self.session(http).await?;
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        http.ask(method, path, &headers, body).await
    }

    /// The token of the session, which this opens if there is none.
    pub async fn session(&self, http: &mut Http) -> Result<String> {
        let known = self.token.lock().clone();
        match known {
            Some(token) => Ok(token),
            None => {
                let token = self.log_in(http).await?;
                Ok(self.token.lock().insert(token).clone())
            }
        }
    }

    /// A session that has ended is not used again.
    pub fn refused(&self, status: u16) {
        if status == 401 {
            *self.token.lock() = None;
        }
    }

    async fn log_in(&self, http: &mut Http) -> Result<String> {
        let device = format!("device-{}", self.participant.log.device);
        let login = json!({ "name": self.participant.name, "password": PASSWORD, "device": device });
        let said = http.ask("POST", "/v1/login", &[], Some(&login)).await?;
        ensure!(said.status == 200, "login: status {}", said.status);
        said.json()?["token"].as_str().map(str::to_owned).context("a token")
    }
}

impl Line {
    pub fn at(node: usize) -> Line {
        Line { open: None, node }
    }

    fn fails(&mut self) {
        self.open = None;
        self.node += 1;
    }
}
