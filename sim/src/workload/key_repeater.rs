//! A device that comes in by HTTP, and sends each message several times under its idempotency key:
//! with the same body and with another one, over several nodes, while leaders change.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use troupe_chaos::http::{Http, Said};
use troupe_core::{ClientMessageId, ConversationId, UserId};
use troupe_proto::wire::client as wire;
use troupe_runtime::Platform;

use super::{AGAIN, PASSWORD, Phase, WorkloadContext};

/// A connection is given up after this silence.
const SILENCE: Duration = Duration::from_secs(2);
/// Maximum number of requests under a key after its acknowledgement.
const REPEATS: u64 = 4;
/// Maximum pause between two messages.
const PAUSE_MS: u64 = 400;
const REUSED: &str = "idempotency_key_reused";
/// Answers after which a later request under the same key may get another one.
const LATER: [u16; 6] = [401, 408, 429, 503, 504, 507];

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let users = workload.everybody().await;
    let me = users[&user];
    let platform = workload.platform(number);
    let mut repeater = Repeater { workload, number, user, me, platform, token: None };
    repeater.speak(users.values().copied().collect()).await;
}

struct Repeater {
    workload: Arc<WorkloadContext>,
    number: u32,
    user: usize,
    me: UserId,
    platform: Platform,
    /// Of the session, for all nodes.
    token: Option<String>,
}

impl Repeater {
    async fn speak(&mut self, users: Vec<UserId>) {
        let phase = self.workload.phase.subscribe();
        while *phase.borrow() == Phase::Talking {
            self.insist(&users).await;
            sleep(Duration::from_millis(self.platform.rng.range(0, PAUSE_MS))).await;
        }
        self.workload.until(Phase::LastWords).await;
        self.insist(&users).await;
    }

    /// One message until it has a place, with other bodies before and after.
    async fn insist(&mut self, users: &[UserId]) {
        let other = users[self.platform.rng.range(0, users.len() as u64) as usize];
        let conversation = match self.platform.rng.range(0, 2) {
            0 => ConversationId::Everyone,
            _ => ConversationId::direct(self.me, other).unwrap_or(ConversationId::Everyone),
        };
        let id = ClientMessageId(self.platform.rng.bytes());
        let name = format!("{}/{id}", self.me);
        self.workload.evidence.invoked(self.number, self.me, conversation, &name);
        while !self.send(conversation, id, "first").await {
            sleep(Duration::from_millis(self.platform.rng.range(10, 200))).await;
        }
        for _ in 0..self.platform.rng.range(0, REPEATS) {
            let body = ["first", "second", "third"][self.platform.rng.range(0, 3) as usize];
            self.send(conversation, id, body).await;
        }
        self.look(conversation).await;
    }

    /// One request; returns whether it was answered with a place.
    async fn send(&mut self, conversation: ConversationId, id: ClientMessageId, body: &str) -> bool {
        let path = format!("/v1/conversations/{conversation}/messages");
        let (key, text) = (id.to_string(), format!("{body} {id}"));
        let Some(said) = self.ask("POST", &path, Some(&key), Some(&json!({ "text": text }))).await else {
            return false;
        };
        let (evidence, name) = (&self.workload.evidence, format!("{}/{id}", self.me));
        let answer = said.json().unwrap_or_default();
        match said.status {
            200 => {
                let (Some(seq), Some(duplicate)) = (answer["seq"].as_u64(), answer["duplicate"].as_bool()) else {
                    evidence.wrong(format!("{name} was answered with {answer}"));
                    return false;
                };
                evidence.keyed(self.number, conversation, &name, &text, Some(seq), duplicate);
                if body == "first" {
                    evidence.acked(self.number, conversation, &name, seq);
                }
                true
            }
            422 if answer["code"] == REUSED => {
                evidence.keyed(self.number, conversation, &name, &text, None, false);
                false
            }
            status if LATER.contains(&status) => false,
            status => {
                evidence.wrong(format!("{name} was refused in {conversation} with {status}: {answer}"));
                false
            }
        }
    }

    /// The line of a conversation, which its checker compares with the log.
    async fn look(&mut self, conversation: ConversationId) {
        let path = format!("/v1/conversations/{conversation}");
        let asked = self.workload.evidence.now();
        let Some(said) = self.ask("GET", &path, None, None).await.filter(|said| said.status == 200) else { return };
        let line = said.json().unwrap_or_default();
        let number = |name: &str| line[name].as_u64().unwrap_or(0);
        let conversation = line["conversation"].as_str().unwrap_or_default().to_owned();
        let (head, read, unread) = (number("head"), number("read"), number("unread"));
        let line = wire::Conversation { conversation, head, read, unread, ..Default::default() };
        self.workload.evidence.listed(self.number, self.me, asked, &[line]);
    }

    /// One request at any node. `None`: it has no answer, or not in this session.
    async fn ask(&mut self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Option<Said> {
        let node = self.platform.rng.range(0, self.workload.plan.nodes as u64) as usize;
        let address = self.workload.nodes(node)[0].clone();
        let asks = async {
            let mut http = Http::connect(&*self.platform.net, &address).await.ok()?;
            let token = match self.token.clone() {
                Some(token) => token,
                None => self.log_in(&mut http).await?,
            };
            let bearer = format!("Bearer {token}");
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend(key.map(|key| ("idempotency-key", key)));
            http.ask(method, path, &headers, body).await.ok()
        };
        let said = timeout(SILENCE, asks).await.ok().flatten();
        if said.as_ref().is_none_or(|said| said.status == 401) {
            sleep(AGAIN).await;
        }
        if said.as_ref().is_some_and(|said| said.status == 401) {
            self.token = None;
        }
        said
    }

    async fn log_in(&mut self, http: &mut Http) -> Option<String> {
        let device = format!("keys-{}", self.number);
        let login = json!({ "name": WorkloadContext::name(self.user), "password": PASSWORD, "device": device });
        let said = http.ask("POST", "/v1/login", &[], Some(&login)).await.ok()?;
        let token = said.good().ok()?["token"].as_str()?.to_owned();
        self.token = Some(token.clone());
        Some(token)
    }
}
