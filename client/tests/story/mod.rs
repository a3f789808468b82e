//! Plays one story, step by step.

mod application;
mod frames;
mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use troupe_core::planted::Planted;

use application::Application;
use frames::{Ids, Result, bytes};
use server::{Peer, Server};

/// The version of the format that this driver plays.
const FORM: u64 = 1;
/// Virtual time within which an expected thing happens.
const PATIENCE: Duration = Duration::from_secs(60);
/// Frames that a client may send at any time ...
const FREE: [&str; 4] = ["ping", "pong", "acknowledge", "list_conversations"];
/// ... and items that a story may leave out.
const FREE_TOLD: [&str; 4] = ["state", "conversation_added", "conversation_removed", "cursor"];

pub struct Player {
    options: Value,
    server: Arc<Server>,
    application: Application,
    peers: BTreeMap<String, Arc<Peer>>,
    requests: BTreeMap<String, (Arc<Peer>, u64)>,
    ids: Ids,
}

impl Player {
    pub fn new(story: &Value, planted: Planted) -> Player {
        let server = Server::new();
        let application = Application::new(server.clone(), planted);
        let (peers, requests, ids) = (BTreeMap::new(), BTreeMap::new(), Ids::new());
        Player { options: story["client"].clone(), server, application, peers, requests, ids }
    }

    pub async fn play(mut self, story: &Value) -> Result<()> {
        if story["story"] != FORM {
            return Err(format!("this driver plays form {FORM}"));
        }
        for (number, step) in story["steps"].as_array().ok_or("a story has steps")?.iter().enumerate() {
            let (verb, argument) = only(step)?;
            let played = match self.application_step(verb, argument).await {
                Some(played) => played,
                None => self.server_step(verb, argument).await,
            };
            played.map_err(|why| format!("step {} {step}: {why}; {}", number + 1, self.left().join(", ")))?;
        }
        // Nothing may be left that no step has taken.
        sleep(Duration::from_secs(1)).await;
        let left = self.left();
        self.application.kill();
        match left.is_empty() {
            true => Ok(()),
            false => Err(format!("not in the story: {}", left.join(", "))),
        }
    }

    async fn application_step(&mut self, verb: &str, argument: &Value) -> Option<Result<()>> {
        Some(match verb {
            "start" => {
                self.application.start(&self.options).await;
                Ok(())
            }
            "kill" => {
                self.application.kill();
                Ok(())
            }
            "hold" => {
                self.application.hold();
                Ok(())
            }
            "take" => {
                self.application.take();
                Ok(())
            }
            "close" => {
                self.application.close().await;
                Ok(())
            }
            "send" => self.send(argument),
            "acked" => match self.application.outcome(text(argument, "message"), PATIENCE).await {
                Ok(Ok(acked)) if json!(acked.seq.0) == argument["seq"] => Ok(()),
                other => Err(format!("{other:?}")),
            },
            "failed" => match self.application.outcome(text(argument, "message"), PATIENCE).await {
                Ok(Err(error))
                    if application::error(&error) == (text(argument, "error"), text(argument, "code").into()) =>
                {
                    Ok(())
                }
                other => Err(format!("{other:?}")),
            },
            "outbox" => match self.application.outbox() {
                Ok(count) if json!(count) == *argument => Ok(()),
                other => Err(format!("{other:?}")),
            },
            "told" => self.told(argument).await,
            _ => return None,
        })
    }

    fn send(&mut self, step: &Value) -> Result<()> {
        let name = text(step, "as");
        let id = step.get("id").map(|id| bytes(id, &self.ids)).transpose()?;
        let sent = self.application.send(step, id)?;
        match (sent, step["code"].as_str()) {
            (Ok(id), None) => {
                self.ids.insert(name.to_owned(), Bytes::copy_from_slice(&id));
                Ok(())
            }
            (Err(code), Some(expected)) if code == expected => Ok(()),
            (outcome, _) => Err(format!("{outcome:?}")),
        }
    }

    async fn told(&mut self, step: &Value) -> Result<()> {
        let (kind, wanted) = only(step)?;
        let wanted = self.named(wanted)?;
        let told = self.application.told.clone();
        if kind == "state" {
            // Only the latest state matters.
            return until(&self.server, || {
                let mut told = told.lock();
                let states = told.get_mut("state")?;
                let latest = fits(&wanted, states.back()?);
                latest.then(|| states.clear())
            })
            .await;
        }
        let found = until(&self.server, || told.lock().get_mut(kind)?.pop_front()).await?;
        match fits(&wanted, &found) {
            true => Ok(()),
            false => Err(found.to_string()),
        }
    }

    /// With `$name` replaced by the id, as it is shown.
    fn named(&self, value: &Value) -> Result<Value> {
        match value {
            Value::String(text) if text.starts_with('$') => {
                let id = bytes(value, &self.ids)?;
                Ok(json!(id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
            }
            Value::Object(parts) => {
                let named: Result<Map<String, Value>> =
                    parts.iter().map(|(name, part)| Ok((name.clone(), self.named(part)?))).collect();
                Ok(Value::Object(named?))
            }
            other => Ok(other.clone()),
        }
    }

    async fn server_step(&mut self, verb: &str, step: &Value) -> Result<()> {
        match verb {
            "accept" => self.accept(step).await,
            "login" => self.login(step).await,
            "expect" => {
                let (kind, wanted) = only(&step["frame"])?;
                let peer = self.peer(step)?;
                let (id, message) = until(&self.server, || peer.take(kind)).await?;
                self.server.frames.fits(&message, wanted, &self.ids)?;
                if let Some(name) = step["as"].as_str() {
                    self.requests.insert(name.to_owned(), (peer, id));
                }
                Ok(())
            }
            "answer" => {
                let (peer, id) = self.requests.get(text(step, "to")).ok_or("no request has this name")?;
                peer.say(self.server.frames.write(*id, &step["frame"], &self.ids)?);
                Ok(())
            }
            "push" => {
                self.peer(step)?.say(self.server.frames.write(0, &step["frame"], &self.ids)?);
                Ok(())
            }
            "none" => {
                sleep(Duration::from_millis(step["ms"].as_u64().unwrap_or_default())).await;
                let there = match text(step, "kind") {
                    "connection" => self.server.arrived.lock().iter().any(|peer| !peer.is_closed()),
                    kind => self.peer(step)?.take(kind).is_some(),
                };
                if there { Err("there is one".to_owned()) } else { Ok(()) }
            }
            "list" => {
                *self.server.list.lock() = step.clone();
                Ok(())
            }
            "cut" => {
                self.peer(step)?.cut.cancel();
                Ok(())
            }
            "freeze" => {
                self.peer(step)?.frozen.store(true, Ordering::Relaxed);
                Ok(())
            }
            "closed" => {
                let peer = self.peer(step)?;
                until(&self.server, || peer.is_closed().then_some(())).await
            }
            "down" => {
                self.server.down.lock().extend(addresses(step));
                Ok(())
            }
            "up" => {
                let up: Vec<String> = addresses(step).collect();
                self.server.down.lock().retain(|node| !up.contains(node));
                Ok(())
            }
            "wait_ms" => {
                sleep(Duration::from_millis(step.as_u64().unwrap_or_default())).await;
                Ok(())
            }
            other => Err(format!("there is no step {other}")),
        }
    }

    async fn accept(&mut self, step: &Value) -> Result<()> {
        let server = self.server.clone();
        let peer = until(&server, || {
            let mut arrived = server.arrived.lock();
            let at = arrived.iter().position(|peer| !peer.is_closed())?;
            arrived.remove(at)
        })
        .await?;
        if step["node"].as_str().is_some_and(|node| node != peer.node) {
            return Err(format!("the client connects to {}", peer.node));
        }
        let (id, _) = until(&server, || peer.take("hello")).await?;
        let mut welcome = json!({
            "version": 1,
            "cluster_id": "text:cluster-of-story",
            "node_id": 1,
            "nodes": self.options["nodes"],
            "send_window": 16,
            "ping_seconds": 30,
        });
        for (name, value) in step["welcome"].as_object().into_iter().flatten() {
            welcome[name] = value.clone();
        }
        peer.say(server.frames.write(id, &json!({"welcome": welcome}), &self.ids)?);
        self.peers.insert(text(step, "as").to_owned(), peer);
        Ok(())
    }

    async fn login(&mut self, step: &Value) -> Result<()> {
        let peer = self.peer(step)?;
        let token = json!(format!("text:{}", step["token"].as_str().unwrap_or("token-1")));
        let mut answer = json!({
            "user_id": self.options["user_id"],
            "name": self.options["name"],
            "device": self.options["device"],
        });
        let id = match text(step, "by") {
            "token" => {
                let (id, resume) = until(&self.server, || peer.take("resume")).await?;
                self.server.frames.fits(&resume, &json!({"token": token}), &self.ids)?;
                id
            }
            _ => {
                answer["token"] = token;
                until(&self.server, || peer.take("login")).await?.0
            }
        };
        peer.say(self.server.frames.write(id, &json!({"logged_in": answer}), &self.ids)?);
        Ok(())
    }

    fn peer(&self, step: &Value) -> Result<Arc<Peer>> {
        let name = text(step, "on");
        self.peers.get(name).cloned().ok_or_else(|| format!("no connection is named {name}"))
    }

    /// Frames and items that no step has taken.
    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (name, peer) in &self.peers {
            for (kind, frames) in peer.heard.lock().iter().filter(|(kind, _)| !FREE.contains(&kind.as_str())) {
                left.extend(frames.iter().map(|_| format!("{kind} on {name}")));
            }
        }
        let arrived = self.server.arrived.lock();
        left.extend(arrived.iter().filter(|peer| !peer.is_closed()).map(|_| "a connection".to_owned()));
        for (kind, told) in self.application.told.lock().iter().filter(|(kind, _)| !FREE_TOLD.contains(kind)) {
            left.extend(told.iter().map(|item| format!("{kind} {item}")));
        }
        left
    }
}

/// Waits until something is there.
async fn until<T>(server: &Server, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ready() {
            return Ok(found);
        }
        timeout_at(deadline, server.changed.notified()).await.map_err(|_| "it does not happen".to_owned())?;
    }
}

/// The only entry of an object.
fn only(value: &Value) -> Result<(&str, &Value)> {
    let entries = value.as_object().filter(|entries| entries.len() == 1).ok_or_else(|| format!("{value}: one key"))?;
    let (name, value) = entries.iter().next().ok_or("one key")?;
    Ok((name, value))
}

fn text<'a>(step: &'a Value, name: &str) -> &'a str {
    step[name].as_str().unwrap_or_default()
}

fn addresses(step: &Value) -> impl Iterator<Item = String> + '_ {
    step.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}

/// Whether each wanted value is in what was found.
fn fits(wanted: &Value, found: &Value) -> bool {
    match wanted {
        Value::Object(parts) => parts.iter().all(|(name, part)| found.get(name).is_some_and(|found| fits(part, found))),
        other => other == found,
    }
}
