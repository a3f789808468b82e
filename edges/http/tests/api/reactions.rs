//! Reactions: given, taken back, counted.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::{Http, Said};

const LIKE: &str = "%F0%9F%91%8D";
const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

async fn put(http: &Http, path: &str, key: Option<&str>) -> Said {
    http.with_key(Method::PUT, path, key, None).await
}

#[tokio::test]
async fn a_reaction_is_given_once_counted_and_taken_back() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let messages = format!("/v1/conversations/{group}/messages");
    let seq = ann.send(&group, "like me").await;
    let like = format!("{messages}/{seq}/reactions/{LIKE}");
    let mut stream = ann.stream("").await;
    let given = put(&bob, &like, KEY).await.good();
    assert_eq!((&given["seq"], &given["duplicate"]), (&json!(seq + 1), &json!(false)));
    let told = stream.kind("reacted").await;
    let body = json!({ "to": seq, "emoji": "👍", "removed": false });
    assert_eq!((told.text("kind"), &told.data["body"]), ("reacted", &body));
    // A repeat with its key has the place, and one without finds nothing to do.
    assert_eq!(put(&bob, &like, KEY).await.good()["duplicate"], json!(true));
    assert_eq!(put(&bob, &like, None).await.status, 204);
    let other = format!("{messages}/{seq}/reactions/%F0%9F%8E%89");
    assert_eq!(put(&bob, &other, KEY).await.code(422), "idempotency_key_reused");
    assert_eq!(put(&ann, &like, None).await.status, 200);
    let shown = async |http: &Http| -> Value {
        let page = http.get(&format!("{messages}?after=2&limit=1")).await.good();
        page["messages"][0]["reactions"].clone()
    };
    assert_eq!(shown(&bob).await, json!([{ "emoji": "👍", "users": 2, "mine": true }]));
    assert_eq!(ann.delete(&like).await.status, 200);
    assert_eq!(ann.delete(&like).await.status, 204);
    assert_eq!(shown(&ann).await, json!([{ "emoji": "👍", "users": 1, "mine": false }]));
    assert_eq!(bob.delete(&like).await.status, 200);
    assert_eq!(shown(&bob).await, Value::Null, "a message without reactions has no such field");
    node.stop().await;
}

#[tokio::test]
async fn a_reaction_that_cannot_be_is_refused_with_its_reason() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, eve) = (Http::user(&node, "ann").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[]).await;
    let seq = ann.send(&group, "text").await;
    let path = |seq: &str, emoji: &str| format!("/v1/conversations/{group}/messages/{seq}/reactions/{emoji}");
    let seq = seq.to_string();
    for (seq, emoji, status, code) in [
        (seq.as_str(), "hello", 422, "bad_emoji"),
        (&seq, "%00", 422, "bad_emoji"),
        (&seq, "%FF", 400, "bad_request"),
        ("1", LIKE, 404, "no_such_message"),
        ("99", LIKE, 404, "no_such_message"),
        ("0", LIKE, 404, "no_such_message"),
        ("-1", LIKE, 404, "no_such_message"),
        ("x", LIKE, 404, "no_such_message"),
        ("99999999999999999999", LIKE, 404, "no_such_message"),
    ] {
        assert_eq!(put(&ann, &path(seq, emoji), None).await.code(status), code, "{seq} {emoji}");
    }
    for method in [Method::PUT, Method::DELETE] {
        let said = eve.with_key(method, &path(&seq, LIKE), None, None).await;
        assert_eq!(said.code(404), "not_member", "a foreign conversation is as one that is missing");
    }
    node.stop().await;
}
