//! Signals by HTTP: typing, and words to one device.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

#[tokio::test]
async fn typing_is_told_as_an_event_without_a_place() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let conversation = ann.direct(&bob);
    let of = |what: &str| format!("/v1/conversations/{conversation}/{what}");
    let typing = async |http: &Http| http.ask(Method::POST, &of("typing"), &[], Body::empty()).await;
    assert_eq!(typing(&ann).await.code(404), "not_member", "neither has written to the other");
    let mut stream = bob.stream("").await;
    let seq = ann.send(&conversation, "hello").await;
    assert_eq!(stream.place().await, (conversation.clone(), seq));
    assert_eq!(typing(&ann).await.status, 204);
    let told = stream.until("signal").await;
    assert_eq!(told.id, None, "a cursor does not count it");
    let device = told.data["device"].as_u64().expect("a number");
    let user = json!(ann.user);
    let shown = json!({ "conversation": conversation, "user_id": user, "device": device, "kind": 1, "payload": "", "seq": seq });
    assert_eq!(told.data, shown);
    assert_eq!(ann.delete(&of("typing")).await.status, 204);
    assert_eq!(stream.until("signal").await.data["kind"], json!(2));

    let mut back = ann.stream("").await;
    let words = json!({ "kind": 1001, "payload": "aGk=", "device": device });
    let told = back.signal(async || assert_eq!(bob.post(&of("signals"), words.clone()).await.status, 204)).await;
    assert_eq!((told.text("user_id"), told.text("payload")), (bob.user.as_str(), "aGk="));
    for (wrong, status) in [
        (json!({ "kind": 4 }), 422),
        (json!({ "kind": 1, "payload": "?" }), 422),
        (json!({ "kind": 4294967296u64 }), 422),
        (json!({ "kind": 1, "loud": true }), 400),
    ] {
        assert_eq!(bob.post(&of("signals"), wrong.clone()).await.code(status), "bad_request", "{wrong}");
    }
    node.stop().await;
}
