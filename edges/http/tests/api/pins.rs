//! Pinned messages.

use axum::http::Method;
use serde_json::json;
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

#[tokio::test]
async fn a_pin_is_of_all_members_until_it_is_taken_away_or_its_message_recalled() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let path = format!("/v1/conversations/{group}");
    let (messages, pins) = (format!("{path}/messages"), format!("{path}/pins"));
    let say = async |text: &str| ann.post(&messages, json!({ "text": text })).await.good()["seq"].clone();
    let (first, second) = (say("one").await, say("two").await);
    let (one, two) = (format!("{pins}/{first}"), format!("{pins}/{second}"));
    let put = async |http: &Http, path: &str| http.with_key(Method::PUT, path, None, None).await;

    assert_eq!(put(&bob, &one).await.code(403), "not_allowed");
    let mut stream = bob.stream("").await;
    put(&ann, &two).await.good();
    let told = stream.until("message").await;
    assert_eq!((told.text("kind"), &told.data["body"]), ("pinned", &json!({ "to": second, "removed": false })));
    put(&ann, &one).await.good();
    assert_eq!(put(&ann, &one).await.status, 204, "it is pinned already");
    let seqs = async |http: &Http| {
        let list = http.get(&pins).await.good();
        list["pins"].as_array().expect("a list").iter().map(|pin| pin["seq"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(seqs(&bob).await, [second.clone(), first.clone()]);
    assert_eq!(eve.get(&pins).await.code(404), "not_member");

    // The owner lets members pin, and a newcomer sees no pin of what it does not see.
    ann.patch(&path, json!({ "permissions": { "pin": "member" } })).await.good();
    ann.post(&format!("{path}/members"), json!({ "users": [eve.user] })).await.good();
    assert_eq!(seqs(&eve).await, Vec::<serde_json::Value>::new());
    assert_eq!(put(&eve, &two).await.code(404), "no_such_message");
    bob.delete(&one).await.good();
    assert_eq!(bob.delete(&one).await.status, 204);
    ann.delete(&format!("{messages}/{second}")).await.good();
    assert_eq!(seqs(&bob).await, Vec::<serde_json::Value>::new(), "the recall took the pin away");
    assert_eq!(put(&ann, &two).await.code(409), "erased");

    // Both users of a direct conversation pin, and no one does in the channel.
    let direct = format!("/v1/conversations/{}", ann.direct(&bob));
    let said = ann.post(&format!("{direct}/messages"), json!({ "text": "hello" })).await.good()["seq"].clone();
    put(&bob, &format!("{direct}/pins/{said}")).await.good();
    assert_eq!(eve.get(&format!("{direct}/pins")).await.code(404), "not_member");
    let everyone = "/v1/conversations/everyone";
    let said = ann.post(&format!("{everyone}/messages"), json!({ "text": "hello" })).await.good()["seq"].clone();
    assert_eq!(put(&ann, &format!("{everyone}/pins/{said}")).await.code(403), "not_allowed");
    assert_eq!(put(&ann, &format!("{pins}/0")).await.code(404), "no_such_message");
    node.stop().await;
}
