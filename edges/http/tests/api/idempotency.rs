//! A key is a client message id: it places one thing, for life.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::{Http, Said};

const KEY: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f";

async fn post(http: &Http, path: &str, body: Value) -> Said {
    http.with_key(Method::POST, path, Some(KEY), Some(body)).await
}

#[tokio::test]
async fn a_message_is_placed_once_and_another_body_is_refused() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let path = "/v1/conversations/everyone/messages";
    let first = post(&ann, path, json!({ "text": "once" })).await.good();
    assert_eq!(first["client_message_id"], json!(KEY.replace('-', "")));
    let again = post(&ann, path, json!({ "text": "once" })).await.good();
    assert_eq!(
        again,
        json!({ "seq": first["seq"], "time_ms": first["time_ms"],
        "client_message_id": first["client_message_id"], "duplicate": true })
    );
    // The same content in another writing is the same.
    assert_eq!(post(&ann, path, json!({ "body": { "kind": 1, "text": "once" } })).await.good(), again);
    for other in [json!({ "text": "twice" }), json!({ "body": { "kind": 1000, "content": "b25jZQ==" } })] {
        assert_eq!(post(&ann, path, other).await.code(422), "idempotency_key_reused");
    }
    // A key belongs to its user and its conversation.
    assert_eq!(post(&bob, path, json!({ "text": "mine" })).await.good()["duplicate"], json!(false));
    let direct = format!("/v1/conversations/{}/messages", ann.direct(&bob));
    assert_eq!(post(&ann, &direct, json!({ "text": "twice" })).await.good()["duplicate"], json!(false));
    assert_eq!(ann.texts("everyone").await, ["once", "mine"]);
    node.stop().await;
}

#[tokio::test]
async fn an_account_is_made_once_and_another_password_is_refused() {
    let node = one_node(LoginPolicy::Replace).await;
    let guest = Http::of(&node);
    let register = |password: &str| json!({ "name": "ann", "password": password });
    let made = post(&guest, "/v1/register", register("correct horse")).await.good();
    assert_eq!(post(&guest, "/v1/register", register("correct horse")).await.good(), made);
    let other = post(&guest, "/v1/register", register("another horse")).await;
    assert_eq!(other.code(422), "request_reused");
    let another_key = Some("ffffffffffffffffffffffffffffffff");
    let taken = guest.with_key(Method::POST, "/v1/register", another_key, Some(register("correct horse"))).await;
    assert_eq!(taken.code(409), "name_taken");
    node.stop().await;
}

#[tokio::test]
async fn without_a_key_each_request_is_another_message() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    assert_eq!((ann.send("everyone", "same").await, ann.send("everyone", "same").await), (1, 2));
    for key in ["", "1", "not-a-key", "0001020304050607", &"0".repeat(31), &"0".repeat(33)] {
        let said = ann
            .with_key(Method::POST, "/v1/conversations/everyone/messages", Some(key), Some(json!({ "text": "x" })))
            .await;
        assert_eq!(said.code(400), "bad_request", "{key}");
    }
    assert_eq!(ann.texts("everyone").await.len(), 2);
    node.stop().await;
}

#[tokio::test]
async fn a_group_is_made_once_and_changed_once() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = |name: &str, open: bool, members: &[&str]| json!({ "name": name, "open": open, "members": members });
    let made = post(&ann, "/v1/groups", group("Team", false, &[&bob.user])).await.good();
    assert_eq!(post(&ann, "/v1/groups", group("Team", false, &[&bob.user])).await.good(), made);
    for other in [group("Other", false, &[&bob.user]), group("Team", true, &[&bob.user]), group("Team", false, &[])] {
        assert_eq!(post(&ann, "/v1/groups", other).await.code(422), "idempotency_key_reused");
    }
    let conversation = made["conversation"].as_str().expect("an id");
    let path = format!("/v1/conversations/{conversation}");
    let key = "ffffffffffffffffffffffffffffffff";
    let rename = async |name: &str| ann.with_key(Method::PATCH, &path, Some(key), Some(json!({ "name": name }))).await;
    assert_eq!(rename("Our team").await.good()["duplicate"], json!(false));
    assert_eq!(rename("Our team").await.good()["duplicate"], json!(true));
    assert_eq!(rename("Their team").await.code(422), "idempotency_key_reused");
    let sends = ann.with_key(Method::POST, &format!("{path}/messages"), Some(key), Some(json!({ "text": "x" }))).await;
    assert_eq!(sends.code(422), "idempotency_key_reused", "a change and a message share one log");
    // A member that has left is answered as before.
    let leave = async || bob.with_key(Method::DELETE, &path, Some(key), None).await.good();
    let left = leave().await;
    assert_eq!((&left["duplicate"], &leave().await["duplicate"]), (&json!(false), &json!(true)));
    node.stop().await;
}
