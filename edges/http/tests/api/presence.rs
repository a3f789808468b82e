//! Presence and the last time online, as far as a user shows them.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use tokio::time::{interval, timeout};
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, three_nodes};
use crate::http::Http;
use crate::stream::Stream;

/// Asks both ways until they agree: the presence may change between two requests.
async fn shown(viewer: &Http, user: &Http) -> (bool, Option<u64>) {
    let asking = async {
        loop {
            let presence = viewer.get(&format!("/v1/users/{}/presence", user.user)).await.good();
            let of_user = viewer.get(&format!("/v1/users/{}", user.user)).await.good();
            let both = [&presence, &of_user].map(|of| (of["online"] == json!(true), of["last_seen_ms"].as_u64()));
            if both[0] == both[1] {
                return both[0];
            }
        }
    };
    timeout(Duration::from_secs(20), asking).await.expect("they agree")
}

async fn is_listed(viewer: &Http, user: &Http) -> bool {
    let online = viewer.get("/v1/online").await.good();
    online["users"].as_array().expect("a list").iter().any(|line| line["user_id"] == json!(user.user))
}

/// Asks until it is so.
async fn until(viewer: &Http, user: &Http, is: impl Fn((bool, Option<u64>)) -> bool) {
    let asking = async {
        let mut again = interval(Duration::from_millis(50));
        while !is(shown(viewer, user).await) {
            again.tick().await;
        }
    };
    timeout(Duration::from_secs(20), asking).await.expect("in time");
}

#[tokio::test]
async fn presence_is_shown_to_those_that_the_user_names() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    // Requests are no connection, but a login is one for a moment.
    until(&bob, &ann, |seen| seen == (false, None)).await;
    let stream = ann.stream("").await;
    until(&bob, &ann, |seen| seen == (true, None)).await;
    assert!(is_listed(&eve, &ann).await);
    let shows = async |to: &str| {
        let body = json!({ "shown_to": to });
        ann.with_key(Method::PUT, "/v1/me/presence", None, Some(body)).await.status
    };
    assert_eq!(shows("contacts").await, 204);
    assert_eq!(ann.get("/v1/me/presence").await.good(), json!({ "shown_to": "contacts" }));
    assert_eq!((shown(&eve, &ann).await.0, is_listed(&eve, &ann).await), (false, false));
    for (from, to) in [(&ann, &bob), (&bob, &ann)] {
        let path = format!("/v1/contacts/{}", to.user);
        from.with_key(Method::PUT, &path, None, Some(json!({}))).await.good();
    }
    until(&bob, &ann, |seen| seen.0).await;
    assert!(is_listed(&bob, &ann).await && !shown(&eve, &ann).await.0);
    drop(stream);
    until(&bob, &ann, |seen| !seen.0 && seen.1.is_some()).await;
    assert_eq!(shown(&eve, &ann).await, (false, None));
    assert!(shown(&ann, &ann).await.1.is_some(), "its own is no secret");
    assert_eq!(shows("no_one").await, 204);
    assert_eq!(shown(&bob, &ann).await, (false, None));
    assert_eq!(shows("all").await, 400);
    node.stop().await;
}

/// The next push about this user that says so.
async fn pushed(stream: &mut Stream, user: &Http, online: bool) -> serde_json::Value {
    loop {
        let told = stream.until("presence").await.data;
        if told["user_id"] == json!(user.user) && told["online"] == json!(online) {
            return told;
        }
    }
}

#[tokio::test]
async fn a_stream_hears_of_the_users_that_its_session_watches_by_any_node() {
    let nodes = three_nodes().await;
    let (ann, bob) = (Http::user(&nodes[0], "ann").await, Http::user(&nodes[1], "bob").await);
    let mut stream = ann.stream("").await;
    let elsewhere = Http::of(&nodes[2]).with_token(ann.token());
    let watch = async |users: serde_json::Value| {
        let body = json!({ "users": users });
        elsewhere.with_key(Method::PUT, "/v1/me/watch", None, Some(body)).await
    };
    let watched = watch(json!([bob.user])).await.good();
    assert_eq!(watched["users"][0]["user_id"], json!(bob.user));
    let online = bob.stream("").await;
    pushed(&mut stream, &bob, true).await;
    drop(online);
    assert!(pushed(&mut stream, &bob, false).await["last_seen_ms"].is_u64());
    // The next stream of the session has the watch, if it begins soon.
    drop(stream);
    let mut stream = ann.stream("").await;
    pushed(&mut stream, &bob, false).await;
    assert_eq!(watch(json!([])).await.good(), json!({ "users": [] }));
    let many: Vec<String> = (1..=201).map(|id| id.to_string()).collect();
    assert_eq!(watch(json!(many)).await.code(422), "too_many");
    for node in nodes {
        node.stop().await;
    }
}
