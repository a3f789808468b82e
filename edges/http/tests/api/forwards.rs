//! Forwards and broadcasts over HTTP: what the caller sees, once per conversation.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::files::uploaded;
use crate::harness::one_node;
use crate::http::Http;

const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

async fn bodies(http: &Http, conversation: &str) -> Vec<Value> {
    let page = http.get(&format!("/v1/conversations/{conversation}/messages")).await.good();
    let events = page["messages"].as_array().expect("a list").clone();
    events.into_iter().filter(|event| event["kind"] == "message").map(|event| event["body"].clone()).collect()
}

#[tokio::test]
async fn messages_are_forwarded_once_to_each_conversation() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let from = ann.group("From", &[]).await;
    let (one, other) = (ann.group("One", &[&bob.user]).await, ann.group("Other", &[]).await);
    let seqs = [ann.send(&from, "first").await, ann.send(&from, "secnd").await];
    ann.patch(&format!("/v1/conversations/{from}/messages/{}", seqs[1]), json!({ "text": "second" })).await.good();
    let outside = bob.group("Outside", &[]).await;
    let forward = json!({ "from": from, "seqs": seqs, "to": [one, outside, other], "text": "see above" });
    let said = ann.with_key(Method::POST, "/v1/forward", KEY, Some(forward.clone())).await.good();
    let placed = |said: &Value, at: usize| said["outcomes"][at]["placed"].as_array().expect("a list").len();
    assert_eq!([placed(&said, 0), placed(&said, 1), placed(&said, 2)], [3, 0, 3]);
    assert_eq!(said["outcomes"][1]["problem"]["code"], "not_member");
    assert!(said["outcomes"][0].get("problem").is_none());
    // A repeat after a crash of the client.
    let again = ann.with_key(Method::POST, "/v1/forward", KEY, Some(forward)).await.good();
    let place = &again["outcomes"][2]["placed"][2];
    assert_eq!((&place["seq"], &place["duplicate"]), (&said["outcomes"][2]["placed"][2]["seq"], &json!(true)));
    let texts = |bodies: &[Value]| bodies.iter().map(|body| body["text"].clone()).collect::<Vec<_>>();
    for conversation in [&one, &other] {
        assert_eq!(texts(&bodies(&ann, conversation).await), [json!("first"), json!("second"), json!("see above")]);
    }
    assert_eq!(texts(&bodies(&bob, &one).await).len(), 3);
    node.stop().await;
}

#[tokio::test]
async fn a_bundle_has_senders_and_times_and_is_made_by_forwards_only() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let from = ann.group("From", &[&bob.user]).await;
    let to = bob.group("To", &[]).await;
    let (first, second) = (ann.send(&from, "first").await, bob.send(&from, "second").await);
    let forward = |seqs: &[u64]| json!({ "from": from, "seqs": seqs, "to": [to], "bundle": true });
    let said = bob.post("/v1/forward", forward(&[first, second])).await.good();
    assert_eq!(said["outcomes"][0]["placed"].as_array().map(Vec::len), Some(1), "{said}");
    let bundle = bodies(&bob, &to).await.remove(0);
    assert_eq!((&bundle["type"], &bundle["from"]), (&json!("bundle"), &json!(from)));
    let [one, two] = [&bundle["messages"][0], &bundle["messages"][1]];
    assert_eq!((&one["sender"], &one["body"]["text"]), (&json!(ann.user), &json!("first")));
    assert_eq!((&two["seq"], &two["body"]["text"]), (&json!(second), &json!("second")));
    assert!(one["time_ms"].as_u64() <= two["time_ms"].as_u64());
    // The same bytes by hand could say anything.
    let forged = json!({ "body": { "kind": 13, "content": bundle["content"] } });
    let refused = bob.post(&format!("/v1/conversations/{to}/messages"), forged.clone()).await;
    assert_eq!(refused.code(403), "bundle_by_forward");
    let edit = bob.patch(&format!("/v1/conversations/{to}/messages/2"), forged).await;
    assert_eq!(edit.code(403), "bundle_by_forward");

    let recalled = ann.send(&from, "gone").await;
    ann.delete(&format!("/v1/conversations/{from}/messages/{recalled}")).await.good();
    let carl = Http::user(&node, "carl").await;
    let own = carl.group("Own", &[]).await;
    for (http, body, status, code) in [
        (&bob, forward(&[recalled]), 409, "erased"),
        (&bob, forward(&[999]), 404, "no_such_message"),
        (&bob, forward(&[1]), 404, "no_such_message"),
        (&bob, forward(&[first, first]), 422, "bad_forward"),
        (&bob, json!({ "from": from, "seqs": [], "to": [to] }), 422, "bad_forward"),
        (&bob, json!({ "from": from, "seqs": [first], "to": [to, to] }), 422, "bad_forward"),
        (&carl, json!({ "from": from, "seqs": [first], "to": [own] }), 404, "not_member"),
        (&bob, json!({ "from": from, "seqs": ["x"], "to": [to] }), 400, "bad_request"),
    ] {
        assert_eq!(http.post("/v1/forward", body.clone()).await.code(status), code, "{body}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_file_is_forwarded_to_a_conversation_that_has_it() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let (from, to) = (ann.group("From", &[]).await, ann.group("To", &[]).await);
    let hash = uploaded(&ann, &from, "cat.png", b"hello").await;
    let file = json!({ "hash": hash, "name": "cat.png", "size": 5, "type": "image/png" });
    let sent = ann
        .post(&format!("/v1/conversations/{from}/messages"), json!({ "body": { "type": "file", "file": file } }))
        .await
        .good();
    let forward = json!({ "from": from, "seqs": [sent["seq"]], "to": [to, from] });
    let said = ann.post("/v1/forward", forward).await.good();
    assert_eq!(said["outcomes"][0]["problem"]["code"], "file_elsewhere");
    assert_eq!(said["outcomes"][1]["placed"].as_array().map(Vec::len), Some(1));
    node.stop().await;
}

#[tokio::test]
async fn a_broadcast_reaches_each_contact_once_page_by_page() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let mut others = Vec::new();
    for name in ["bob", "carl", "dora"] {
        let other = Http::user(&node, name).await;
        ann.with_key(Method::PUT, &format!("/v1/contacts/{}", other.user), None, Some(json!({}))).await;
        if name != "dora" {
            let accept = format!("/v1/contacts/{}/accept", ann.user);
            other.post(&accept, json!({})).await;
        }
        others.push(other);
    }
    let broadcast = async |after: Option<Value>| {
        let mut body = json!({ "text": "I moved", "limit": 1 });
        if let Some(after) = after {
            body["after"] = after;
        }
        ann.with_key(Method::POST, "/v1/broadcast", KEY, Some(body)).await.good()
    };
    // The relation reaches the shard of each other user after a moment.
    for _ in 0..2 {
        let (mut after, mut sent) = (None, 0);
        loop {
            let said = broadcast(after).await;
            sent +=
                said["outcomes"].as_array().expect("a list").iter().filter(|of| of.get("problem").is_none()).count();
            after = said.get("next").cloned();
            if after.is_none() {
                break;
            }
        }
        assert_eq!(sent, 2, "contacts, and no open request");
    }
    for other in &others[..2] {
        assert_eq!(bodies(&ann, &ann.direct(other)).await.len(), 1);
    }
    assert_eq!(ann.post("/v1/broadcast", json!({ "text": "" })).await.code(400), "bad_request");
    node.stop().await;
}
