//! Hooks of groups: posts by a URL, and events to a receiver on this machine.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use troupe_actors::hooks::{Patience, signature};
use troupe_edge_http::{HttpReceivers, ReceiversConfig};
use troupe_raft::api::LoginPolicy;
use troupe_runtime::net::TcpNet;

use crate::harness::{Node, one_node, one_node_with_hooks, within};
use crate::http::Http;

pub const SECRET: &str = "a-secret-of-24-characters";
const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

/// A request that a receiver got.
pub struct Got {
    pub head: String,
    pub body: Vec<u8>,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        let found = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        found.unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn seq(&self) -> u64 {
        self.json()["event"]["seq"].as_u64().expect("a seq")
    }
}

/// A server on loopback that answers with these statuses, and then with 200. A body may stand
/// behind a bar; `hang` is no answer at all.
pub struct Receiver {
    pub url: String,
    got: mpsc::UnboundedReceiver<Got>,
    pub answers: Arc<Mutex<VecDeque<&'static str>>>,
}

impl Receiver {
    pub async fn listen() -> Receiver {
        #[allow(clippy::disallowed_methods, reason = "it is outside of the node")]
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/events?x=1", listener.local_addr().expect("an address"));
        let (tell, got) = mpsc::unbounded_channel();
        let answers: Arc<Mutex<VecDeque<&'static str>>> = Arc::default();
        let statuses = answers.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let status = statuses.lock().pop_front().unwrap_or("200 OK");
                let Some(one) = answer(stream, status).await else { continue };
                if tell.send(one).is_err() {
                    return;
                }
            }
        });
        Receiver { url, got, answers }
    }

    pub async fn next(&mut self) -> Got {
        within(self.got.recv()).await.expect("a delivery")
    }

    /// Whether nothing more has come.
    pub fn is_quiet(&mut self) -> bool {
        self.got.try_recv().is_err()
    }
}

async fn answer(mut stream: TcpStream, status: &str) -> Option<Got> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes.drain(..end + 4).collect()).ok()?;
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            break (head, length?);
        }
    };
    while bytes.len() < length {
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
    }
    let (status, said) = status.split_once('|').unwrap_or((status, "ok"));
    if status == "hang" {
        tokio::spawn(async move {
            let _open = stream;
            std::future::pending::<()>().await;
        });
        return Some(Got { head, body: bytes });
    }
    // A redirect is an answer like any other.
    let length = said.len();
    let answer =
        format!("HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: {length}\r\n\r\n{said}");
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some(Got { head, body: bytes })
}

pub async fn node() -> Node {
    let patience = Patience { attempts: 3, first: Duration::from_millis(10), longest: Duration::from_millis(40) };
    let config = ReceiversConfig { private: true, patience, ..ReceiversConfig::default() };
    one_node_with_hooks(HttpReceivers::new(Arc::new(TcpNet), config, Path::new("/dev/null"))).await
}

fn path(hook: &Value) -> String {
    format!("/v1/hooks/{}", hook["hook"].as_str().expect("a hook"))
}

#[tokio::test]
async fn an_incoming_hook_posts_once_for_each_key_until_it_ends() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, guest) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::of(&node));
    let group = ann.group("Team", &[bob.user.as_str()]).await;
    let hooks = format!("/v1/conversations/{group}/hooks");
    let new = json!({ "kind": "incoming", "name": "Builds", "secret": SECRET });
    assert_eq!(bob.post(&hooks, new.clone()).await.code(403), "not_allowed");
    let hook = ann.with_key(Method::POST, &hooks, KEY, Some(new.clone())).await.good();
    assert_eq!(ann.with_key(Method::POST, &hooks, KEY, Some(new)).await.good(), hook, "a repeat");
    let listed = ann.get(&hooks).await.good();
    assert_eq!(listed["hooks"], json!([hook]));
    assert!(!listed.to_string().contains(SECRET), "the secret is in no answer");

    let post = format!("{}/{SECRET}", path(&hook));
    let text = Some(json!({ "text": "the build is red" }));
    let posted = guest.with_key(Method::POST, &post, KEY, text.clone()).await.good();
    let again = guest.with_key(Method::POST, &post, KEY, text).await.good();
    assert_eq!((&again["seq"], &again["duplicate"]), (&posted["seq"], &json!(true)));
    guest.post(&post, json!({ "body": { "type": "notice", "text": "done" } })).await.good();
    let page = bob.get(&format!("/v1/conversations/{group}/messages")).await.good();
    let posts = page["messages"].as_array().expect("a list").iter().filter(|event| event["kind"] == "message");
    let senders: Vec<&Value> = posts.map(|event| &event["sender"]).collect();
    assert_eq!(senders, [&json!(ann.user); 2], "they are messages of the member that made it");

    for (wrong, status) in [("another-secret-of-24-chars", 403), (&"x".repeat(100), 403)] {
        let said = guest.post(&format!("{}/{wrong}", path(&hook)), json!({ "text": "x" })).await;
        assert_eq!(said.code(status), "bad_hook");
    }
    assert_eq!(guest.post(&post, json!({})).await.code(400), "bad_request");
    let mut refused = 0;
    for _ in 0..80 {
        refused += u32::from(guest.post(&post, json!({ "text": "flood" })).await.status == 429);
    }
    assert!(refused > 0, "a hook has a rate of its own");
    let other = "another-secret-of-24-chars";
    let new = json!({ "kind": "incoming", "name": "Other", "secret": other });
    let hook = ann.post(&hooks, new).await.good();
    let post = format!("{}/{other}", path(&hook));
    guest.post(&post, json!({ "text": "x" })).await.good();
    assert_eq!(ann.delete(&path(&hook)).await.status, 204);
    assert_eq!(guest.post(&post, json!({ "text": "x" })).await.code(403), "bad_hook");
    assert_eq!(ann.delete(&path(&hook)).await.code(404), "no_such_hook");
    node.stop().await;
}

#[tokio::test]
async fn each_event_reaches_the_receiver_signed_and_in_order() {
    let node = node().await;
    let ann = Http::user(&node, "ann").await;
    let group = ann.group("Team", &[]).await;
    let mut receiver = Receiver::listen().await;
    let new = json!({ "kind": "outgoing", "name": "Events", "secret": SECRET, "url": receiver.url });
    let hook = ann.post(&format!("/v1/conversations/{group}/hooks"), new).await.good();
    let mut sent = Vec::new();
    for text in ["one", "two", "three"] {
        sent.push(ann.send(&group, text).await);
    }
    for (at, seq) in sent.iter().enumerate() {
        let got = receiver.next().await;
        assert_eq!((got.seq(), got.header("troupe-seq")), (*seq, seq.to_string().as_str()));
        assert!(got.head.starts_with("POST /events?x=1 HTTP/1.1\r\n"), "{}", got.head);
        assert_eq!(
            (got.header("troupe-hook"), got.header("content-type")),
            (hook["hook"].as_str().expect("a hook"), "application/json")
        );
        let time: u64 = got.header("troupe-timestamp").parse().expect("a time");
        let signed: String = signature(SECRET, time, &got.body).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(got.header("troupe-signature"), format!("v1={signed}"));
        let event = got.json();
        assert_eq!(event["conversation"], json!(group));
        assert_eq!(event["event"]["body"]["text"], json!(["one", "two", "three"][at]));
    }
    node.stop().await;
}

#[tokio::test]
async fn an_event_is_tried_again_then_dead_and_retried_on_demand() {
    let node = node().await;
    let ann = Http::user(&node, "ann").await;
    let group = ann.group("Team", &[]).await;
    let mut receiver = Receiver::listen().await;
    // A failure and a redirect, which is not followed; then three failures, which kill the event.
    let statuses = ["503 Busy", "302 Found", "200 OK", "500 Wrong", "500 Wrong", "410 Gone"];
    receiver.answers.lock().extend(statuses);
    let new = json!({ "kind": "outgoing", "name": "Events", "secret": SECRET, "url": receiver.url });
    let hook = ann.post(&format!("/v1/conversations/{group}/hooks"), new).await.good();
    let (first, second, third) =
        (ann.send(&group, "one").await, ann.send(&group, "two").await, ann.send(&group, "three").await);
    let mut seen = Vec::new();
    for _ in 0..7 {
        let got = receiver.next().await;
        seen.push((got.seq(), got.header("troupe-attempt").to_owned()));
    }
    let expected =
        [(first, "1"), (first, "2"), (first, "3"), (second, "1"), (second, "2"), (second, "3"), (third, "1")];
    assert_eq!(seen, expected.map(|(seq, attempt)| (seq, attempt.to_owned())));
    let dead = until(&ann, &format!("{}/dead", path(&hook)), |page| page["events"] != json!([])).await;
    let event = &dead["events"][0];
    assert_eq!((&event["seq"], &event["attempts"], &event["status"]), (&json!(second), &json!(3), &json!(410)));
    assert_eq!(dead["more"], json!(false));

    let retry = format!("{}/retry", path(&hook));
    assert_eq!(ann.post(&retry, json!({ "seq": 999 })).await.code(404), "no_dead_event");
    ann.post(&retry, json!({})).await.good();
    assert_eq!(receiver.next().await.seq(), second);
    until(&ann, &format!("{}/dead", path(&hook)), |page| page["events"] == json!([])).await;
    let hooks = format!("/v1/conversations/{group}/hooks");
    let listed = until(&ann, &hooks, |page| page["hooks"][0]["delivered"] == json!(third)).await;
    assert_eq!(listed["hooks"][0]["dead"], json!(0));
    // It ends: nothing more comes.
    assert_eq!(ann.delete(&path(&hook)).await.status, 204);
    ann.send(&group, "four").await;
    assert!(tokio::time::timeout(Duration::from_millis(300), receiver.got.recv()).await.is_err());
    node.stop().await;
}

#[tokio::test]
async fn hooks_reach_no_private_address_and_are_for_admins() {
    let config = ReceiversConfig::default();
    let node = one_node_with_hooks(HttpReceivers::new(Arc::new(TcpNet), config, Path::new("/dev/null"))).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("Team", &[]).await;
    let hooks = format!("/v1/conversations/{group}/hooks");
    let new = |url: &str| json!({ "kind": "outgoing", "name": "Events", "secret": SECRET, "url": url });
    for url in ["http://127.0.0.1:80/", "http://169.254.169.254/latest", "https://[::1]/", "file:///etc/passwd", "x"] {
        assert_eq!(ann.post(&hooks, new(url)).await.code(422), "bad_hook_url", "{url}");
    }
    assert_eq!(bob.get(&hooks).await.code(404), "not_member");
    for (wrong, status) in [("short", 422), ("with a space in the secret", 422)] {
        let new = json!({ "kind": "incoming", "name": "x", "secret": wrong });
        assert_eq!(ann.post(&hooks, new).await.code(status), "bad_request");
    }
    // A name that leads to this machine is refused at each connection, and the event is kept.
    let hook = ann.post(&hooks, new("http://127.1:9/")).await.good();
    let other = bob.get(&format!("{}/dead", path(&hook))).await;
    assert_eq!(other.code(404), "not_member");
    assert_eq!(ann.get("/v1/hooks/g1.1/dead").await.code(404), "not_member");
    assert_eq!(ann.get("/v1/hooks/nothing/dead").await.code(404), "no_such_hook");
    node.stop().await;
}

async fn until(http: &Http, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let waiting = async {
        loop {
            let page = http.get(path).await.good();
            if is_it(&page) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(waiting).await
}
