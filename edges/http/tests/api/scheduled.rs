//! Messages that wait for their time: kept, listed, cancelled, sent once, refused with a reason.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::{Http, Said};

const NONE: [Value; 0] = [];
const HOUR: u64 = 3_600_000;
const KEY: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f";
const ID: &str = "000102030405460788090a0b0c0d0e0f";

/// The time of the node, from a message.
async fn now(http: &Http, conversation: &str) -> u64 {
    let said = http.post(&format!("/v1/conversations/{conversation}/messages"), json!({ "text": "now" })).await;
    said.good()["time_ms"].as_u64().expect("a time")
}

async fn schedule(http: &Http, conversation: &str, key: &str, text: &str, at: u64) -> Said {
    let path = format!("/v1/conversations/{conversation}/messages");
    http.with_key(Method::POST, &path, Some(key), Some(json!({ "text": text, "deliver_at_ms": at }))).await
}

async fn listed(http: &Http, conversation: &str) -> Vec<Value> {
    let list = http.get(&format!("/v1/conversations/{conversation}/scheduled")).await.good();
    list["messages"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_scheduled_message_is_sent_at_its_time() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let here = ann.direct(&bob);
    let at = now(&ann, &here).await + 1_200;
    let said = schedule(&ann, &here, KEY, "later", at).await;
    assert_eq!(said.status, 202);
    let kept = json!({ "client_message_id": ID, "deliver_at_ms": at, "duplicate": false });
    assert_eq!(said.json(), kept);
    assert_eq!(schedule(&ann, &here, KEY, "later", at).await.json()["duplicate"], json!(true));
    assert_eq!(schedule(&ann, &here, KEY, "later", at + 1).await.code(422), "idempotency_key_reused");
    assert_eq!(schedule(&ann, &here, KEY, "other", at).await.code(422), "idempotency_key_reused");
    let waits =
        json!({ "client_message_id": ID, "deliver_at_ms": at, "body": { "kind": 1, "type": "text", "text": "later" } });
    assert_eq!(listed(&ann, &here).await, [waits]);
    assert_eq!(listed(&bob, &here).await, NONE, "nobody else sees it");
    let mut stream = bob.stream("").await;
    let told = stream.until("message").await;
    assert_eq!(told.data["body"]["text"], json!("later"));
    assert_eq!(told.data["client_message_id"], json!(ID));
    assert!(told.data["time_ms"].as_u64().is_some_and(|time| time >= at), "{}", told.data);
    assert_eq!(ann.texts(&here).await, ["now", "later"]);
    assert_eq!(listed(&ann, &here).await, NONE);
    let again = schedule(&ann, &here, KEY, "later", at).await.json();
    assert_eq!((&again["seq"], &again["duplicate"]), (&json!(2), &json!(true)));
    assert_eq!(schedule(&ann, &here, KEY, "other", at).await.code(422), "idempotency_key_reused");
    let path = format!("/v1/conversations/{here}/scheduled/{ID}");
    assert_eq!(ann.delete(&path).await.code(409), "already_sent");
    node.stop().await;
}

#[tokio::test]
async fn a_scheduled_message_is_cancelled_for_good() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let here = ann.direct(&bob);
    let path = format!("/v1/conversations/{here}/scheduled/{KEY}");
    assert_eq!(ann.delete(&path).await.code(404), "no_such_scheduled");
    let at = now(&ann, &here).await + HOUR;
    assert_eq!(schedule(&ann, &here, KEY, "secret", at).await.status, 202);
    assert_eq!(bob.delete(&path).await.code(404), "no_such_scheduled", "only its sender cancels it");
    assert_eq!(ann.delete(&path).await.status, 204);
    assert_eq!(ann.delete(&path).await.status, 204);
    assert_eq!(schedule(&ann, &here, KEY, "secret", at).await.json()["duplicate"], json!(true));
    assert_eq!(listed(&ann, &here).await, NONE, "a late repeat does not bring it back");
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_is_refused_at_its_time_is_not_lost() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let at = now(&bob, &group).await + 1_200;
    assert_eq!(schedule(&bob, &group, KEY, "from outside", at).await.status, 202);
    assert_eq!(ann.delete(&format!("/v1/conversations/{group}/members/{}", bob.user)).await.status, 200);
    let mut stream = ann.stream("").await;
    assert_eq!(schedule(&ann, &group, KEY, "behind it", at + 1).await.status, 202);
    assert_eq!(stream.until("message").await.data["body"]["text"], json!("behind it"));
    let refused = listed(&bob, &group).await;
    assert_eq!((refused.len(), &refused[0]["refused"]), (1, &json!("not_member")));
    assert_eq!(ann.texts(&group).await, ["created", "added", "now", "removed", "behind it"]);
    let path = format!("/v1/conversations/{group}/scheduled/{KEY}");
    assert_eq!(bob.delete(&path).await.status, 204);
    assert_eq!(listed(&bob, &group).await, NONE);
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_scheduled_is_refused_with_its_reason() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, eve) = (Http::user(&node, "ann").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[]).await;
    let now = now(&ann, &group).await;
    let path = format!("/v1/conversations/{group}/messages");
    for (message, status, code) in [
        (json!({ "text": "late", "deliver_at_ms": 0 }), 422, "time_passed"),
        (json!({ "text": "late", "deliver_at_ms": now - HOUR }), 422, "time_passed"),
        (json!({ "text": "far", "deliver_at_ms": now + 400 * 24 * HOUR }), 422, "time_too_far"),
        (json!({ "text": "", "deliver_at_ms": now + HOUR }), 400, "bad_request"),
        (json!({ "text": "when", "deliver_at_ms": -1 }), 400, "bad_request"),
        (json!({ "text": "when", "deliver_at_ms": "soon" }), 400, "bad_request"),
        (json!({ "text": "when", "deliver_at_ms": now + HOUR, "after": KEY }), 422, "bad_request"),
    ] {
        assert_eq!(ann.post(&path, message.clone()).await.code(status), code, "{message}");
    }
    let later = json!({ "text": "hello", "deliver_at_ms": now + HOUR });
    assert_eq!(eve.post(&path, later.clone()).await.code(404), "not_member");
    let missing = "/v1/conversations/g1030/messages";
    assert_eq!(eve.post(missing, later).await.code(404), "not_member", "as one that is missing");
    assert_eq!(listed(&eve, &group).await, NONE);
    let bad = format!("/v1/conversations/{group}/scheduled/x");
    assert_eq!(ann.delete(&bad).await.code(404), "no_such_scheduled");
    node.stop().await;
}
