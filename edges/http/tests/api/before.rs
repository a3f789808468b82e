//! Hooks that are asked before a message: whichever way it comes, and whatever the receiver says.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use troupe_actors::hooks::signature;

use crate::harness::Node;
use crate::hooks::{Got, Receiver, SECRET, node};
use crate::http::Http;

const YES: &str = r#"200 OK|{"allow":true}"#;
const NO: &str = r#"200 OK|{"allow":false,"reason":"no links here"}"#;

struct Guarded {
    node: Node,
    ann: Http,
    bob: Http,
    group: String,
    hook: Value,
    receiver: Receiver,
}

impl Guarded {
    async fn by(policy: &str) -> Guarded {
        let node = node().await;
        let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
        let group = ann.group("Team", &[bob.user.as_str()]).await;
        let receiver = Receiver::listen().await;
        let new = json!({ "kind": "before", "name": "Guard", "secret": SECRET, "url": receiver.url, "policy": policy });
        let hook = ann.post(&format!("/v1/conversations/{group}/hooks"), new).await.good();
        Guarded { node, ann, bob, group, hook, receiver }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/conversations/{}/{rest}", self.group)
    }

    fn says(&self, answers: &[&'static str]) {
        self.receiver.answers.lock().extend(answers);
    }

    async fn asked(&mut self) -> (Got, Value) {
        let got = self.receiver.next().await;
        let ask = got.json()["ask"].clone();
        (got, ask)
    }
}

#[tokio::test]
async fn a_hook_allows_a_message_or_refuses_it_with_a_reason() {
    let mut guarded = Guarded::by("closed").await;
    assert_eq!(guarded.hook["policy"], json!("closed"));
    guarded.says(&[YES, NO, YES]);
    let messages = guarded.path("messages");
    let key = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");
    let text = Some(json!({ "text": "hello" }));
    let sent = guarded.bob.with_key(Method::POST, &messages, key, text.clone()).await.good();
    let (got, ask) = guarded.asked().await;
    assert_eq!(got.json()["conversation"], json!(guarded.group));
    assert_eq!((&ask["kind"], &ask["sender"]), (&json!("message"), &json!(guarded.bob.user)));
    assert_eq!(ask["body"]["text"], json!("hello"));
    assert_eq!(ask["client_message_id"].as_str().map(str::len), Some(32));
    let time: u64 = got.header("troupe-timestamp").parse().expect("a time");
    let signed: String = signature(SECRET, time, &got.body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(got.header("troupe-signature"), format!("v1={signed}"));

    // A placed message is answered without a question.
    let again = guarded.bob.with_key(Method::POST, &messages, key, text).await.good();
    assert_eq!((&again["seq"], &again["duplicate"]), (&sent["seq"], &json!(true)));
    assert!(guarded.receiver.is_quiet());

    let refused = guarded.bob.post(&messages, json!({ "text": "see http://x" })).await;
    assert_eq!(refused.json()["detail"], json!("no links here"));
    assert_eq!(refused.code(422), "refused_by_hook");
    guarded.asked().await;
    // The owner is asked about, too.
    guarded.ann.post(&messages, json!({ "text": "mine" })).await.good();
    guarded.asked().await;
    assert_eq!(guarded.ann.texts(&guarded.group).await, ["created", "added", "hello", "mine"]);
    guarded.node.stop().await;
}

#[tokio::test]
async fn each_way_into_the_group_comes_by_the_hook() {
    let mut guarded = Guarded::by("closed").await;
    let (ann, bob) = (&guarded.ann, &guarded.bob);
    let messages = guarded.path("messages");
    let direct = ann.direct(bob);
    let elsewhere = bob.send(&direct, "forward me").await;
    let new = json!({ "kind": "incoming", "name": "Builds", "secret": "another-secret-of-it" });
    let incoming = ann.post(&guarded.path("hooks"), new).await.good();
    guarded.says(&[YES, YES]);
    let open = bob.post(&messages, json!({ "text": "word", "stream": true })).await.good();
    let first = bob.post(&messages, json!({ "text": "first" })).await.good();
    let (open, first) = (open["seq"].clone(), first["seq"].clone());
    for _ in 0..2 {
        guarded.receiver.next().await;
    }
    guarded.says(&[NO; 5]);
    let refused = |code: String| assert_eq!(code, "refused_by_hook");
    let edit = guarded.bob.patch(&format!("{messages}/{first}"), json!({ "text": "edited" })).await;
    refused(edit.code(422));
    let (_, ask) = guarded.asked().await;
    assert_eq!((&ask["kind"], &ask["to"]), (&json!("edit"), &first));
    let piece = guarded.bob.post(&format!("{messages}/{open}/pieces"), json!({ "index": 0, "text": "more" })).await;
    refused(piece.code(422));
    let (_, ask) = guarded.asked().await;
    assert_eq!((&ask["kind"], &ask["to"], &ask["index"]), (&json!("piece"), &open, &json!(0)));
    let end = guarded.bob.post(&format!("{messages}/{open}/end"), json!({ "text": "another" })).await;
    refused(end.code(422));
    let (_, ask) = guarded.asked().await;
    assert_eq!(ask["kind"], json!("end"));
    let posted = format!("/v1/hooks/{}/another-secret-of-it", incoming["hook"].as_str().expect("a hook"));
    refused(Http::of(&guarded.node).post(&posted, json!({ "text": "red" })).await.code(422));
    let (_, ask) = guarded.asked().await;
    assert_eq!(ask["sender"], json!(guarded.ann.user));
    let forward = json!({ "from": direct, "seqs": [elsewhere], "to": [guarded.group] });
    let forwarded = guarded.bob.post("/v1/forward", forward).await.good();
    assert_eq!(forwarded["outcomes"][0]["problem"]["code"], json!("refused_by_hook"), "{forwarded}");
    guarded.asked().await;
    // A reaction says nothing.
    guarded.ann.ask(Method::PUT, &format!("{messages}/{first}/reactions/%F0%9F%91%8D"), &[], Body::empty()).await;
    assert!(guarded.receiver.is_quiet());
    assert_eq!(guarded.ann.texts(&guarded.group).await, ["created", "added", "word", "first", "reacted"]);
    guarded.node.stop().await;
}

#[tokio::test]
async fn a_silent_hook_lets_messages_pass_or_not_as_it_states() {
    for (policy, passes) in [("open", true), ("closed", false)] {
        let mut guarded = Guarded::by(policy).await;
        let messages = guarded.path("messages");
        for answer in ["503 Busy", "200 OK|maybe", "302 Found", "hang"] {
            guarded.says(&[answer]);
            let said = guarded.bob.post(&messages, json!({ "text": answer })).await;
            if passes {
                said.good();
            } else {
                assert_eq!(said.json()["kind"], json!("overloaded"));
                assert_eq!(said.code(503), "hook_unavailable", "{answer}");
            }
            guarded.asked().await;
        }
        // Another group, and one's own, are not delayed by it.
        let other = guarded.bob.group("Other", &[]).await;
        guarded.says(&["hang"]);
        let (bob, message) = (&guarded.bob, json!({ "text": "slow" }));
        let elsewhere = async { tokio::time::timeout(Duration::from_millis(900), bob.send(&other, "quick")).await };
        let (_, quick) = tokio::join!(bob.post(&messages, message), elsewhere);
        assert!(quick.is_ok());
        guarded.node.stop().await;
    }
}

#[tokio::test]
async fn a_scheduled_message_is_asked_about_at_its_time() {
    let mut guarded = Guarded::by("closed").await;
    guarded.says(&[NO, YES]);
    #[allow(clippy::disallowed_methods, reason = "it is outside of the node")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_millis() as u64;
    let messages = guarded.path("messages");
    for (text, after) in [("no", 300), ("yes", 1_500)] {
        let scheduled = guarded.bob.post(&messages, json!({ "text": text, "deliver_at_ms": now + after })).await;
        assert_eq!(scheduled.status, 202);
    }
    for text in ["no", "yes"] {
        let (_, ask) = guarded.asked().await;
        assert_eq!(ask["body"]["text"], json!(text));
    }
    while guarded.ann.texts(&guarded.group).await != ["created", "added", "yes"] {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let kept = guarded.bob.get(&guarded.path("scheduled")).await.good();
    assert!(kept.to_string().contains("refused_by_hook"), "{kept}");
    guarded.node.stop().await;
}

#[tokio::test]
async fn a_group_has_one_such_hook_which_its_managers_make_and_end() {
    let mut guarded = Guarded::by("open").await;
    let hooks = guarded.path("hooks");
    let new = |secret: &str, more: Value| {
        let mut new = json!({ "kind": "before", "name": "Guard", "secret": secret, "url": "http://127.0.0.1:9/" });
        new.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        new
    };
    let other = new("another-secret-of-it", json!({ "policy": "open" }));
    assert_eq!(guarded.ann.post(&hooks, other.clone()).await.code(409), "before_hook_exists");
    assert_eq!(guarded.bob.post(&hooks, other.clone()).await.code(403), "not_allowed");
    for wrong in
        [json!({}), json!({ "policy": "open", "url": "file:///x" }), json!({ "kind": "outgoing", "policy": "open" })]
    {
        let said = guarded.ann.post(&hooks, new("another-secret-of-it", wrong.clone())).await;
        assert_eq!(said.status, 422, "{wrong}");
    }
    let path = format!("/v1/hooks/{}", guarded.hook["hook"].as_str().expect("a hook"));
    assert_eq!(guarded.ann.delete(&path).await.status, 204);
    guarded.bob.send(&guarded.group, "free").await;
    assert!(guarded.receiver.is_quiet());
    guarded.ann.post(&hooks, other).await.good();
    guarded.node.stop().await;
}
