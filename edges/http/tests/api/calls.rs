//! Calls by HTTP, and what the other edge sees of them.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::{Http, Said};

const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

async fn step(http: &Http, path: &str) -> Said {
    http.ask(Method::POST, path, &[], Body::empty()).await
}

#[tokio::test]
async fn the_first_device_takes_a_call_and_the_others_learn_of_it() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, phone) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let tablet = Http::of(&node).logged_in("bob", "tablet").await;
    let conversation = ann.direct(&phone);
    let calls = format!("/v1/conversations/{conversation}/calls");
    assert_eq!(ann.post(&calls, json!({})).await.code(404), "not_member", "neither has written to the other");
    ann.send(&conversation, "hello").await;
    let mut stream = tablet.stream("").await;
    let started = ann.with_key(Method::POST, &calls, KEY, Some(json!({ "video": true }))).await.good();
    let call = started["seq"].as_u64().expect("a seq");
    let again = ann.with_key(Method::POST, &calls, KEY, Some(json!({ "video": true }))).await.good();
    assert_eq!((&again["seq"], &again["duplicate"]), (&json!(call), &json!(true)));
    let other = ann.with_key(Method::POST, &calls, KEY, Some(json!({ "video": false }))).await;
    assert_eq!(other.code(422), "idempotency_key_reused");
    assert_eq!(phone.post(&calls, json!({})).await.code(409), "call_under_way");
    let told = stream.kind("call_started").await;
    assert_eq!((told.text("kind"), &told.data["body"]["video"]), ("call_started", &json!(true)));
    let caller = told.data["body"]["device"].as_u64().expect("a number");

    let of = |what: &str| format!("{calls}/{call}/{what}");
    assert_eq!(step(&ann, &of("accept")).await.code(409), "own_call");
    let taken = step(&phone, &of("accept")).await.good();
    assert_eq!(taken["seq"], json!(call + 1));
    assert_eq!(step(&tablet, &of("accept")).await.code(409), "already_answered");
    assert_eq!(step(&tablet, &of("refuse")).await.code(409), "already_answered");
    let told = stream.kind("call_answered").await;
    assert_eq!((told.text("kind"), &told.data["body"]["call"]), ("call_answered", &json!(call)));
    let winner = told.data["body"]["device"].as_u64().expect("a number");
    assert_ne!(winner, caller);

    // The two devices agree on the rest by signals, which reach no other device.
    let mut back = phone.stream("").await;
    let words = json!({ "kind": 10, "payload": "dj0w", "device": winner });
    let signals = format!("/v1/conversations/{conversation}/signals");
    let signal = back.signal(async || assert_eq!(ann.post(&signals, words.clone()).await.status, 204)).await;
    assert_eq!((signal.data["device"].as_u64(), signal.text("payload")), (Some(caller), "dj0w"));

    step(&tablet, &of("end")).await.good();
    let told = stream.kind("call_ended").await;
    let body = &told.data["body"];
    assert_eq!(
        (told.text("kind"), &body["outcome"], &body["caller"]),
        ("call_ended", &json!("talked"), &json!(ann.user))
    );
    assert!(body["lasted_ms"].is_u64());
    for late in ["accept", "refuse", "busy", "end"] {
        assert_eq!(step(&phone, &of(late)).await.code(409), "call_over", "{late}");
    }
    assert_eq!(step(&phone, &format!("{calls}/x/end")).await.code(409), "call_over");
    node.stop().await;
}

#[tokio::test]
async fn a_call_is_refused_or_taken_back_and_groups_have_none() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let conversation = ann.direct(&bob);
    ann.send(&conversation, "hello").await;
    let calls = format!("/v1/conversations/{conversation}/calls");
    for (by_caller, act, outcome) in [(false, "refuse", "refused"), (false, "busy", "busy"), (true, "end", "cancelled")]
    {
        let call = ann.post(&calls, json!({})).await.good()["seq"].as_u64().expect("a seq");
        let ended = step(if by_caller { &ann } else { &bob }, &format!("{calls}/{call}/{act}")).await.good();
        let (seq, after) = (ended["seq"].as_u64().expect("a seq"), call);
        let page = bob.get(&format!("/v1/conversations/{conversation}/messages?after={after}")).await.good();
        let record = &page["messages"][0];
        let told = (record["seq"].as_u64(), &record["body"]["outcome"], &record["body"]["lasted_ms"]);
        assert_eq!(told, (Some(seq), &json!(outcome), &json!(0)));
    }
    let group = ann.group("The team", &[&bob.user]).await;
    for place in [group.as_str(), "everyone"] {
        let refused = ann.post(&format!("/v1/conversations/{place}/calls"), json!({})).await;
        assert_eq!(refused.code(422), "bad_request", "{place}");
    }
    node.stop().await;
}
