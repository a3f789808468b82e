//! Requests to join a group by approval.

use serde_json::json;
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, within};
use crate::http::Http;

#[tokio::test]
async fn a_request_to_join_is_listed_pushed_and_decided_once() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let path = format!("/v1/conversations/{group}");
    let requests = format!("{path}/requests");
    let text = || json!({ "text": "It is me" });
    // A group that takes no requests answers like one that is missing.
    assert_eq!(eve.post(&requests, text()).await.code(404), "not_open");
    assert_eq!(eve.post("/v1/conversations/g99/requests", text()).await.code(404), "not_open");
    ann.patch(&path, json!({ "join": "approval" })).await.good();
    assert_eq!(ann.get(&format!("{path}/settings")).await.good()["join"], json!("approval"));
    assert_eq!(eve.post(&format!("{path}/members/{}", eve.user), json!({})).await.code(404), "not_open");

    let mut stream = ann.stream("").await;
    eve.post(&requests, text()).await.good();
    let told = stream.until("message").await;
    assert_eq!((told.text("kind"), told.text("sender")), ("join_asked", eve.user.as_str()));
    assert!(!told.data.to_string().contains("It is me"), "the text is for those that decide: {}", told.data);
    assert_eq!(eve.post(&requests, text()).await.code(409), "already_asked");
    assert_eq!(eve.get(&format!("{path}/settings")).await.code(404), "not_member");

    let listed = ann.get(&requests).await.good();
    let first = &listed["requests"][0];
    assert_eq!(
        (&first["user_id"], &first["text"], &listed["more"]),
        (&json!(eve.user), &json!("It is me"), &json!(false))
    );
    assert_eq!(eve.get(&requests).await.good()["requests"][0]["text"], json!("It is me"), "its own");
    assert_eq!(bob.get(&requests).await.code(403), "not_allowed");
    let accept = format!("{requests}/{}/accept", eve.user);
    assert_eq!(bob.post(&accept, json!({})).await.code(403), "not_allowed");
    ann.post(&accept, json!({})).await.good();
    assert_eq!(ann.post(&accept, json!({})).await.code(404), "no_such_request");
    assert_eq!(ann.get(&requests).await.good()["requests"], json!([]));
    let listed = async {
        loop {
            let list = eve.get("/v1/conversations").await.good();
            if list["conversations"]
                .as_array()
                .is_some_and(|all| all.iter().any(|row| row["conversation"] == json!(group)))
            {
                break;
            }
        }
    };
    within(listed).await;

    eve.delete(&path).await.good();
    eve.post(&requests, json!({})).await.good();
    ann.post(&format!("{requests}/{}/refuse", eve.user), json!({})).await.good();
    assert_eq!(eve.get(&requests).await.code(404), "not_member");
    eve.post(&requests, json!({})).await.good();
    eve.delete(&requests).await.good();
    assert_eq!(eve.delete(&requests).await.code(404), "no_such_request");
    for (wrong, status) in [
        (json!({ "text": "x".repeat(513) }), 422),
        (json!({ "text": "a\u{7}" }), 422),
        (json!({ "text": 1 }), 400),
        (json!({ "other": "x" }), 400),
    ] {
        assert_eq!(eve.post(&requests, wrong.clone()).await.code(status), "bad_request", "{wrong}");
    }
    node.stop().await;
}
