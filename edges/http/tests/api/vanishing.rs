//! Messages that vanish: by the time that the sender names, and by the retention of a conversation.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

async fn message(http: &Http, path: &str, seq: u64) -> Value {
    let page = http.get(&format!("{path}?after={}&limit=1", seq - 1)).await.good();
    page["messages"][0].clone()
}

#[tokio::test]
async fn a_message_vanishes_at_its_time() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let here = ann.direct(&bob);
    let messages = format!("/v1/conversations/{here}/messages");
    let mut stream = bob.stream("").await;
    let secret = json!({ "text": "a secret", "expires_in_ms": 4_000 });
    let sent = ann.with_key(Method::POST, &messages, KEY, Some(secret.clone())).await.good();
    let seq = sent["seq"].as_u64().expect("a seq");
    let path = format!("{messages}/{seq}");
    let told = stream.until("message").await;
    assert_eq!(told.data["expires_in_ms"], 4_000, "each device knows when to drop it");
    ann.patch(&path, json!({ "text": "the secret" })).await.good();
    let shown = message(&bob, &messages, seq).await;
    assert_eq!((&shown["expires_in_ms"], &shown["edited"]["body"]["text"]), (&json!(4_000), &json!("the secret")));
    let told = stream.kind("vanished").await;
    assert_eq!(told.data["body"], json!({ "to": seq }));
    let lasted = told.data["time_ms"].as_u64().zip(sent["time_ms"].as_u64()).map(|(end, begin)| end - begin);
    assert!(lasted.is_some_and(|lasted| (4_000..60_000).contains(&lasted)), "{lasted:?}");
    let shown = message(&bob, &messages, seq).await;
    assert_eq!((&shown["erased"], &shown["edited"]), (&json!(true), &Value::Null));
    let page = bob.get(&messages).await.good().to_string();
    assert!(!page.contains("secret"), "{page}");
    let again = ann.with_key(Method::POST, &messages, KEY, Some(secret)).await.good();
    assert_eq!((&again["seq"], &again["duplicate"]), (&json!(seq), &json!(true)));
    assert_eq!(ann.patch(&path, json!({ "text": "again" })).await.code(409), "erased");
    let line = bob.get(&format!("/v1/conversations/{here}")).await.good();
    assert_eq!(line["unread"], 0, "there is nothing to read");
    for after in [json!(999), json!(31_622_400_001_u64)] {
        let wrong = json!({ "text": "x", "expires_in_ms": after });
        assert_eq!(ann.post(&messages, wrong).await.code(422), "bad_expiry");
    }
    assert_eq!(ann.post(&messages, json!({ "text": "x", "expires_in_ms": -1 })).await.code(400), "bad_request");
    node.stop().await;
}

#[tokio::test]
async fn the_retention_of_a_conversation_is_a_setting() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let here = format!("/v1/conversations/{group}");
    let retain = |seconds: u64| json!({ "retention_seconds": seconds });
    assert_eq!(bob.patch(&here, retain(1)).await.code(403), "not_allowed");
    assert_eq!(ann.patch(&here, retain(31_622_401)).await.code(422), "bad_request");
    ann.patch(&here, retain(5)).await.good();
    assert_eq!(bob.get(&format!("{here}/settings")).await.good()["retention_seconds"], 5);
    let mut stream = bob.stream("").await;
    let messages = format!("{here}/messages");
    let said = json!({ "text": "by the group" });
    let seq = ann.with_key(Method::POST, &messages, KEY, Some(said.clone())).await.good()["seq"].clone();
    let again = ann.with_key(Method::POST, &messages, KEY, Some(said.clone())).await.good();
    assert_eq!((&again["seq"], &again["duplicate"]), (&seq, &json!(true)), "the retention is not of the request");
    assert_eq!(stream.until("message").await.data["expires_in_ms"], 5_000);
    ann.patch(&here, retain(0)).await.good();
    let stays = ann.send(&group, "stays").await;
    assert_eq!(stream.kind("vanished").await.data["body"], json!({ "to": seq }));
    assert_eq!(message(&bob, &messages, stays).await["body"]["text"], "stays");

    // Either user sets that of a direct conversation, as soon as there is one.
    let direct = format!("/v1/conversations/{}", ann.direct(&bob));
    assert_eq!(ann.patch(&direct, retain(60)).await.code(404), "not_member");
    ann.send(&ann.direct(&bob), "hello").await;
    bob.patch(&direct, retain(60)).await.good();
    assert_eq!(ann.get(&format!("{direct}/settings")).await.good()["retention_seconds"], 60);
    assert_eq!(eve.patch(&direct, retain(60)).await.code(404), "not_member");
    assert_eq!(ann.patch(&direct, json!({ "slow_seconds": 5 })).await.code(409), "not_a_group");
    assert_eq!(ann.patch("/v1/conversations/everyone", retain(60)).await.code(409), "not_a_group");
    node.stop().await;
}
