//! Users that come in by HTTP requests alone and have push subscriptions, so that messages are
//! pushed to them. They end subscriptions and sessions, mute conversations and write to each other,
//! and a device of the first user writes to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use troupe_chaos::http::{Http, Said};
use troupe_core::{Body, ClientMessageId, ConversationId, UserId};
use troupe_proto::client::Refusal;
use troupe_runtime::Platform;

use super::account::Account;
use super::device::settled;
use super::{AGAIN, PASSWORD, Phase, WorkloadContext};
use crate::push_service::endpoint;

/// A connection is given up after this silence.
const SILENCE: Duration = Duration::from_secs(2);
/// Maximum pause between two acts of a subscriber.
const PAUSE_MS: u64 = 250;
/// The same between two messages of the first user.
const WRITES_MS: u64 = 120;
/// Subscriptions of one session.
const MOST: usize = 3;
/// Later than every run.
const FAR_MS: u64 = 9_000_000_000_000;

/// Waits until all subscribers have registered.
async fn everybody(workload: &WorkloadContext) -> BTreeMap<usize, UserId> {
    let all = workload.plan.society.subscribers;
    let mut subscribers = workload.subscribers.subscribe();
    subscribers.wait_for(|subscribers| subscribers.len() >= all).await.expect("the square outlives the people").clone()
}

/// The device that writes to all subscribers.
pub async fn write(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let me = workload.everybody().await[&user];
    let account = Account::new(workload.clone(), number, user, "writer");
    let subscribers: Vec<UserId> = everybody(&workload).await.into_values().collect();
    let (client, rng) = (account.start(), account.platform.rng.clone());
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(rng.range(10, WRITES_MS))).await;
        let other = subscribers[rng.range(0, subscribers.len() as u64) as usize];
        let Some(conversation) = ConversationId::direct(me, other) else { continue };
        let id = ClientMessageId(rng.bytes());
        // A full outbox takes none.
        let Ok(sent) = client.send_as(conversation, id, Body::text(&format!("{id} for you"))) else { continue };
        let name = format!("{me}/{id}");
        workload.evidence.invoked(number, me, conversation, &name);
        let workload = workload.clone();
        tokio::spawn(async move {
            let outcome = sent.await;
            settled(&workload, number, conversation, name, outcome);
        });
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let account = Account::new(workload.clone(), number, user, "subscriber");
    let me = account.register().await;
    let users = workload.everybody().await;
    workload.subscribers.send_modify(|subscribers| subscribers.extend([(user, me)]));
    let subscribers = everybody(&workload).await;
    let others = subscribers.into_values().chain(users.get(&0).copied()).filter(|other| *other != me).collect();
    let mut subscriber = Subscriber {
        workload: workload.clone(),
        number,
        user,
        me,
        platform: account.platform.clone(),
        others,
        token: None,
        open: BTreeSet::new(),
        asked: 0,
    };
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(subscriber.platform.rng.range(10, PAUSE_MS))).await;
        subscriber.act().await;
    }
}

struct Subscriber {
    workload: Arc<WorkloadContext>,
    number: u32,
    user: usize,
    me: UserId,
    platform: Platform,
    /// The users that it talks with.
    others: Vec<UserId>,
    /// Of the session.
    token: Option<String>,
    /// Subscriptions of the session whose requests were answered.
    open: BTreeSet<u64>,
    /// Subscriptions until now.
    asked: u64,
}

impl Subscriber {
    async fn act(&mut self) {
        match self.platform.rng.range(0, 24) {
            0..=9 if self.open.len() < MOST => self.subscribe().await,
            10..=13 => self.unsubscribe().await,
            14 | 15 => self.log_out().await,
            // The device's session is replaced by another one.
            16 | 17 => _ = self.log_in().await,
            18 => self.mute().await,
            _ => self.write().await,
        }
    }

    /// Each subscription has an endpoint of its own. One without an answer may begin late, and is
    /// no more looked at.
    async fn subscribe(&mut self) {
        self.asked += 1;
        let subscription = self.asked;
        self.workload.evidence.push_asked(self.me, subscription);
        let keys = json!({ "p256dh": "a key", "auth": "a secret" });
        let new = json!({ "endpoint": endpoint(self.me, subscription), "keys": keys });
        let told = self.ask("POST", "/v1/push/subscriptions", &[], Some(&new)).await;
        if told.is_some_and(|told| told.status == 204) {
            self.open.insert(subscription);
        }
    }

    async fn unsubscribe(&mut self) {
        let Some(subscription) = self.open.first().copied() else { return };
        let path = format!("/v1/push/subscriptions?endpoint={}", endpoint(self.me, subscription));
        let told = self.ask("DELETE", &path, &[], None).await;
        if told.is_some_and(|told| told.status == 204) && self.open.remove(&subscription) {
            self.workload.evidence.push_ended(self.me, subscription);
        }
    }

    async fn log_out(&mut self) {
        let told = self.ask("POST", "/v1/logout", &[], None).await;
        if told.is_some_and(|told| told.status == 204) {
            self.token = None;
            self.all_ended();
        }
    }

    /// The session is over, and its subscriptions with it.
    fn all_ended(&mut self) {
        for subscription in std::mem::take(&mut self.open) {
            self.workload.evidence.push_ended(self.me, subscription);
        }
    }

    async fn mute(&mut self) {
        let Some(conversation) = self.somewhere() else { return };
        let path = format!("/v1/conversations/{conversation}/me");
        let told = self.ask("PATCH", &path, &[], Some(&json!({ "muted_until_ms": FAR_MS }))).await;
        if told.is_some_and(|told| told.status == 200) {
            self.workload.evidence.push_muted(self.me, conversation);
        }
    }

    fn somewhere(&self) -> Option<ConversationId> {
        let other = self.others[self.platform.rng.range(0, self.others.len() as u64) as usize];
        ConversationId::direct(self.me, other)
    }

    /// One message until it has a place.
    async fn write(&mut self) {
        let Some(conversation) = self.somewhere() else { return };
        let id = ClientMessageId(self.platform.rng.bytes());
        let (name, key) = (format!("{}/{id}", self.me), id.to_string());
        self.workload.evidence.invoked(self.number, self.me, conversation, &name);
        let path = format!("/v1/conversations/{conversation}/messages");
        let text = json!({ "text": format!("{id} from me") });
        loop {
            let told = self.ask("POST", &path, &[("idempotency-key", key.as_str())], Some(&text)).await;
            let placed = told.filter(|told| told.status == 200).and_then(|told| told.json().ok()?["seq"].as_u64());
            if let Some(seq) = placed {
                return self.workload.evidence.acked(self.number, conversation, &name, seq);
            }
            sleep(AGAIN).await;
        }
    }

    /// One request in the session, which begins if there is none. `None`: it has no answer.
    async fn ask(&mut self, method: &str, path: &str, more: &[(&str, &str)], body: Option<&Value>) -> Option<Said> {
        if self.token.is_none() && !self.log_in().await {
            sleep(AGAIN).await;
            return None;
        }
        let bearer = format!("Bearer {}", self.token.as_ref()?);
        let headers: Vec<(&str, &str)> = more.iter().copied().chain([("authorization", bearer.as_str())]).collect();
        let told = self.send(method, path, &headers, body).await?;
        if told.status == 401 {
            self.token = None;
            let is_over = told.json().is_ok_and(|told| told["code"] == Refusal::ExpiredToken.code());
            if is_over {
                self.all_ended();
            }
        }
        Some(told)
    }

    async fn log_in(&mut self) -> bool {
        let name = WorkloadContext::name(self.user);
        let login = json!({ "name": name, "password": PASSWORD, "device": "browser" });
        let told = self.send("POST", "/v1/login", &[], Some(&login)).await;
        let told = told.and_then(|told| told.good().ok());
        let Some(token) = told.and_then(|told| told["token"].as_str().map(str::to_owned)) else { return false };
        self.all_ended();
        self.token = Some(token);
        true
    }

    /// One request at any node.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Option<Said> {
        let node = self.platform.rng.range(0, self.workload.plan.nodes as u64) as usize;
        let address = self.workload.nodes(node)[0].clone();
        let asks = async {
            let mut http = Http::connect(&*self.platform.net, &address).await.ok()?;
            http.ask(method, path, headers, body).await.ok()
        };
        let told = timeout(SILENCE, asks).await.ok().flatten();
        if told.is_none() {
            sleep(AGAIN).await;
        }
        told
    }
}
