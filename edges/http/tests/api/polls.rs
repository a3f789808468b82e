//! Polls over HTTP: votes, the votes of a page and of all users, and the end of a poll.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

async fn shown(http: &Http, messages: &str, seq: u64) -> Value {
    let page = http.get(&format!("{messages}?after={}&limit=1", seq - 1)).await.good();
    page["messages"][0].clone()
}

async fn ask(http: &Http, messages: &str, poll: Value) -> u64 {
    let placed = http.post(messages, json!({ "body": poll })).await.good();
    placed["seq"].as_u64().expect("a seq")
}

#[tokio::test]
async fn members_vote_change_their_votes_and_see_the_counts() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let messages = format!("/v1/conversations/{group}/messages");
    let poll = json!({ "type": "poll", "question": "Lunch?", "options": ["soup", "pasta"] });
    let seq = ask(&ann, &messages, poll).await;
    let path = format!("{messages}/{seq}");
    let vote = |options: &[u32]| Some(json!({ "options": options }));
    let mut stream = ann.stream("").await;
    let first = bob.with_key(Method::PUT, &format!("{path}/vote"), KEY, vote(&[0])).await.good();
    assert_eq!((&first["seq"], &first["duplicate"]), (&json!(seq + 1), &json!(false)));
    let told = stream.kind("voted").await;
    let body = json!({ "to": seq, "options": [0], "removed": false });
    assert_eq!((told.text("kind"), &told.data["body"]), ("voted", &body));
    let again = bob.with_key(Method::PUT, &format!("{path}/vote"), KEY, vote(&[0])).await.good();
    assert_eq!(again["duplicate"], json!(true));
    let other = bob.with_key(Method::PUT, &format!("{path}/vote"), KEY, vote(&[1])).await;
    assert_eq!(other.code(422), "idempotency_key_reused");
    assert_eq!(bob.with_key(Method::PUT, &format!("{path}/vote"), None, vote(&[0])).await.status, 204);
    bob.with_key(Method::PUT, &format!("{path}/vote"), None, vote(&[1])).await.good();
    ann.with_key(Method::PUT, &format!("{path}/vote"), None, vote(&[1])).await.good();
    let state = shown(&bob, &messages, seq).await;
    assert_eq!(state["body"]["question"], "Lunch?");
    assert_eq!(state["poll"], json!({ "counts": [0, 2], "voters": 2, "mine": [1], "closed": false }));
    let mut users = [&ann.user, &bob.user];
    users.sort_by_key(|user| user.parse::<u64>().expect("an id"));
    let votes = ann.get(&format!("{path}/votes?limit=1")).await.good();
    assert_eq!(votes, json!({ "votes": [{ "user": users[0], "options": [1] }], "more": true }));
    let rest = ann.get(&format!("{path}/votes?after={}", users[0])).await.good();
    assert_eq!(rest, json!({ "votes": [{ "user": users[1], "options": [1] }], "more": false }));
    bob.delete(&format!("{path}/vote")).await.good();
    assert_eq!(bob.delete(&format!("{path}/vote")).await.status, 204);

    for (options, status, code) in [
        (json!([0, 1]), 422, "bad_vote"),
        (json!([]), 422, "bad_vote"),
        (json!([2]), 422, "no_such_option"),
        (json!(["soup"]), 400, "bad_request"),
    ] {
        let body = Some(json!({ "options": options }));
        assert_eq!(bob.with_key(Method::PUT, &format!("{path}/vote"), None, body).await.code(status), code);
    }
    assert_eq!(bob.post(&format!("{path}/close"), json!({})).await.code(403), "not_your_message");
    let closed = ann.with_key(Method::POST, &format!("{path}/close"), KEY, None).await.good();
    let told = stream.kind("poll_closed").await;
    assert_eq!(told.data["body"], json!({ "to": seq, "voters": 1, "counts": [0, 1] }));
    assert_eq!(ann.with_key(Method::POST, &format!("{path}/close"), KEY, None).await.good()["seq"], closed["seq"]);
    assert_eq!(ann.post(&format!("{path}/close"), json!({})).await.status, 204);
    let late = bob.with_key(Method::PUT, &format!("{path}/vote"), None, vote(&[0])).await;
    assert_eq!(late.code(409), "poll_closed");
    let text = ann.send(&group, "no poll").await;
    let none = bob.with_key(Method::PUT, &format!("{messages}/{text}/vote"), None, vote(&[0])).await;
    assert_eq!(none.code(409), "not_a_poll");
    node.stop().await;
}

#[tokio::test]
async fn an_anonymous_poll_shows_no_votes_and_its_counts_at_the_end() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let messages = format!("/v1/conversations/{group}/messages");
    let poll = json!({ "type": "poll", "question": "Stay?", "options": ["yes", "no"], "anonymous": true });
    let seq = ask(&ann, &messages, poll).await;
    let path = format!("{messages}/{seq}");
    let mut stream = ann.stream("").await;
    bob.with_key(Method::PUT, &format!("{path}/vote"), KEY, Some(json!({ "options": [1] }))).await.good();
    let again = bob.with_key(Method::PUT, &format!("{path}/vote"), KEY, Some(json!({ "options": [1] }))).await;
    assert_eq!(again.good()["duplicate"], json!(true));
    let told = stream.kind("voted").await;
    assert_eq!(told.data["body"], json!({ "to": seq, "options": [], "removed": false }));
    let state = shown(&bob, &messages, seq).await;
    assert_eq!(state["poll"], json!({ "counts": [], "voters": 1, "mine": [1], "closed": false }));
    assert_eq!(ann.get(&format!("{path}/votes")).await.code(403), "anonymous_poll");
    ann.post(&format!("{path}/close"), json!({})).await.good();
    let state = shown(&ann, &messages, seq).await;
    assert_eq!(state["poll"], json!({ "counts": [0, 1], "voters": 1, "mine": [], "closed": true }));
    for poll in [
        json!({ "type": "poll", "question": "One?", "options": ["a"] }),
        json!({ "type": "poll", "question": "Same?", "options": ["a", "a"] }),
    ] {
        assert_eq!(ann.post(&messages, json!({ "body": poll })).await.code(422), "bad_poll");
    }
    let past = json!({ "type": "poll", "question": "Past?", "options": ["a", "b"], "ends_ms": 1 });
    assert_eq!(ann.post(&messages, json!({ "body": past })).await.code(422), "bad_poll_end");
    node.stop().await;
}

#[tokio::test]
async fn a_poll_with_a_time_closes_by_itself() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let group = ann.group("Alone", &[]).await;
    let messages = format!("/v1/conversations/{group}/messages");
    let now = ann.post(&messages, json!({ "text": "now" })).await.good()["time_ms"].as_u64().expect("a time");
    let poll = json!({ "type": "poll", "question": "Soon?", "options": ["a", "b"], "ends_ms": now + 1_500 });
    let mut stream = ann.stream("").await;
    let seq = ask(&ann, &messages, poll).await;
    let told = stream.kind("poll_closed").await;
    assert_eq!(told.data["body"], json!({ "to": seq, "voters": 0, "counts": [] }));
    node.stop().await;
}
