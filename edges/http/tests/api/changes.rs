//! Edits and recalls: the present state of a message on every edge, and the end of its content.

use axum::http::Method;
use bytes::Bytes;
use serde_json::{Value, json};
use troupe_proto::wire::client as wire;
use troupe_raft::api::{LoginPolicy, Settings};

use crate::harness::{Ask, ServerMessage, node_with, one_node};
use crate::http::Http;

const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

async fn message(http: &Http, path: &str, seq: u64) -> Value {
    let page = http.get(&format!("{path}?after={}&limit=1", seq - 1)).await.good();
    page["messages"][0].clone()
}

#[tokio::test]
async fn an_edit_is_the_present_state_of_its_message() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let messages = format!("/v1/conversations/{group}/messages");
    let seq = ann.send(&group, "helo").await;
    let path = format!("{messages}/{seq}");
    let mut stream = bob.stream("").await;
    let edit = |text: &str| Some(json!({ "text": text }));
    let first = ann.with_key(Method::PATCH, &path, KEY, edit("hello")).await.good();
    assert_eq!((&first["seq"], &first["duplicate"]), (&json!(seq + 1), &json!(false)));
    let told = stream.kind("edited").await;
    let body = json!({ "to": seq, "body": { "kind": 1, "type": "text", "text": "hello" } });
    assert_eq!((told.text("kind"), &told.data["body"]), ("edited", &body));
    assert_eq!(ann.with_key(Method::PATCH, &path, KEY, edit("hello")).await.good()["duplicate"], json!(true));
    assert_eq!(ann.with_key(Method::PATCH, &path, KEY, edit("other")).await.code(422), "idempotency_key_reused");
    ann.patch(&path, json!({ "text": "hello, all" })).await.good();
    let shown = message(&bob, &messages, seq).await;
    assert_eq!(shown["body"]["text"], "helo", "history has every version");
    let edited = json!({ "edits": [seq + 1, seq + 2], "body": { "kind": 1, "type": "text", "text": "hello, all" } });
    assert_eq!((&shown["edited"], &shown["erased"]), (&edited, &Value::Null));
    assert_eq!(message(&bob, &messages, seq + 1).await["edited"], Value::Null);

    for (http, path, body, status, code) in [
        (&bob, path.clone(), json!({ "text": "mine" }), 403, "not_your_message"),
        (&ann, path.clone(), json!({ "body": { "kind": 1000, "content": "AA==" } }), 409, "another_kind"),
        (&ann, path.clone(), json!({ "text": "" }), 400, "bad_request"),
        (&ann, path.clone(), json!({ "text": "x", "after": "00" }), 400, "bad_request"),
        (&ann, format!("{messages}/{}", seq + 1), json!({ "text": "x" }), 404, "no_such_message"),
        (&ann, format!("{messages}/x"), json!({ "text": "x" }), 404, "no_such_message"),
    ] {
        assert_eq!(http.patch(&path, body).await.code(status), code, "{path}");
    }
    for text in 3..=32 {
        ann.patch(&path, json!({ "text": format!("{text}") })).await.good();
    }
    assert_eq!(ann.patch(&path, json!({ "text": "33" })).await.code(409), "too_many_edits");
    assert_eq!(message(&bob, &messages, seq).await["edited"]["body"]["text"], "32");
    node.stop().await;
}

#[tokio::test]
async fn a_recalled_message_is_gone_everywhere() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let messages = format!("/v1/conversations/{group}/messages");
    let seq = bob.send(&group, "a secret").await;
    let path = format!("{messages}/{seq}");
    bob.patch(&path, json!({ "text": "the secret" })).await.good();
    bob.with_key(Method::PUT, &format!("{path}/reactions/%F0%9F%91%8D"), None, None).await.good();
    let mut stream = ann.stream("").await;
    assert_eq!(bob.with_key(Method::DELETE, &path, KEY, None).await.good()["seq"], json!(seq + 3));
    let told = stream.kind("recalled").await;
    assert_eq!((told.text("kind"), &told.data["body"]), ("recalled", &json!({ "to": seq })));
    assert_eq!(bob.with_key(Method::DELETE, &path, KEY, None).await.good()["duplicate"], json!(true));
    assert_eq!(bob.delete(&path).await.status, 204);
    assert_eq!(ann.delete(&path).await.status, 204);
    assert_eq!(bob.patch(&path, json!({ "text": "again" })).await.code(409), "erased");
    let like = ann.with_key(Method::PUT, &format!("{path}/reactions/%F0%9F%91%8D"), None, None).await;
    assert_eq!(like.code(409), "erased");

    let shown = message(&ann, &messages, seq).await;
    assert_eq!((&shown["erased"], &shown["edited"]), (&json!(true), &Value::Null));
    let page = ann.get(&messages).await.good().to_string();
    assert!(!page.contains("secret"), "{page}");
    // Over the client port too.
    let mut carl = node.user("carl").await;
    let add = format!("/v1/conversations/{group}/members/{}", carl.user);
    ann.patch(&format!("/v1/conversations/{group}"), json!({ "history": "everything" })).await.good();
    ann.post(&add, json!({})).await.good();
    let fetch = wire::Fetch { conversation: group.clone(), ..Default::default() };
    let ServerMessage::Page(page) = carl.ask(Ask::Fetch(fetch)).await else { panic!("no page") };
    let state = wire::MessageState { seq, erased: true, ..Default::default() };
    assert_eq!(page.states, [state]);
    let contents = page.events.iter().filter(|event| event.seq == seq || event.seq == seq + 1);
    assert!(contents.clone().count() == 2 && contents.clone().all(|event| event.content.is_empty()));
    let id = Bytes::from_static(&[9; 16]);
    let recall =
        |seq| Ask::RecallMessage(wire::RecallMessage { request: id.clone(), conversation: group.clone(), seq });
    assert_eq!(carl.fails(recall(seq)).await.code, "erased");
    node.stop().await;
}

#[tokio::test]
async fn a_sender_recalls_in_time_and_an_admin_always() {
    let node = node_with(Settings { recall_seconds: 0, ..Settings::default() }).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let messages = format!("/v1/conversations/{group}/messages");
    let of = |seq: &Value| format!("{messages}/{seq}");
    let send = async |http: &Http| http.post(&messages, json!({ "text": "hello" })).await.good();
    let (own, mut last) = (send(&bob).await, send(&ann).await);
    // The times of the log decide, so it has to have a later one.
    while last["time_ms"] == own["time_ms"] {
        last = send(&ann).await;
    }
    assert_eq!(bob.delete(&of(&own["seq"])).await.code(403), "recall_too_late");
    assert_eq!(bob.delete(&of(&last["seq"])).await.code(403), "not_your_message");
    assert_eq!(bob.delete(&of(&json!(1))).await.code(404), "no_such_message");
    assert_eq!(ann.delete(&of(&own["seq"])).await.status, 200, "an owner may");
    node.stop().await;
}
