//! Requests to any node of a cluster of three.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use tokio::time::Instant;

use crate::harness::{three_nodes, within};
use crate::http::Http;

#[tokio::test]
async fn any_node_serves_and_a_session_ends_everywhere_within_two_seconds() {
    let nodes = three_nodes().await;
    let ann = within(async {
        // A fresh cluster elects its leaders first.
        let register = json!({ "name": "ann", "password": crate::harness::password("ann") });
        let key = Some("000102030405060708090a0b0c0d0e0f");
        let guest = Http::of(&nodes[0]);
        while guest.with_key(Method::POST, "/v1/register", key, Some(register.clone())).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        guest.logged_in("ann", "http").await
    })
    .await;
    let elsewhere: Vec<Http> = nodes.iter().map(|node| Http::of(node).with_token(ann.token())).collect();
    let key = Some("ffffffffffffffffffffffffffffffff");
    let path = "/v1/conversations/everyone/messages";
    let mut seqs = Vec::new();
    for http in &elsewhere {
        let said = http.with_key(Method::POST, path, key, Some(json!({ "text": "once" }))).await.good();
        seqs.push((said["seq"].as_u64(), said["duplicate"] == true));
    }
    assert_eq!(seqs, [(Some(1), false), (Some(1), true), (Some(1), true)]);
    for http in &elsewhere {
        assert_eq!(http.texts("everyone").await, ["once"]);
        assert_eq!(http.get("/v1/nodes").await.good()["nodes"].as_array().map(Vec::len), Some(3));
    }
    assert_eq!(elsewhere[1].post("/v1/logout", json!({})).await.status, 204);
    let ended = Instant::now();
    for http in &elsewhere {
        within(async {
            while http.get("/v1/me").await.status != 401 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    // Two seconds, and some for a machine under load.
    assert!(ended.elapsed() < Duration::from_secs(4), "{:?}", ended.elapsed());
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn without_a_majority_a_send_is_refused_or_unknown_and_says_so() {
    let mut nodes = three_nodes().await;
    drop(nodes[0].user("ann").await);
    let path = "/v1/conversations/everyone/messages";
    let ann = within(async {
        // A fresh cluster elects its leaders first.
        let ann = Http::of(&nodes[0]).logged_in("ann", "http").await;
        while ann.post(path, json!({ "text": "before" })).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ann
    })
    .await;
    for node in nodes.drain(1..) {
        node.stop().await;
    }
    let said = ann.post(path, json!({ "text": "alone" })).await;
    let problem = said.json();
    let found = (said.status, problem["code"].as_str(), problem["kind"].as_str());
    let refused = (503, Some("no_leader"), Some("overloaded"));
    let unknown = (504, Some("unavailable"), Some("unavailable"));
    assert!(found == refused || found == unknown, "{problem}");
    assert!(found != refused || said.header("retry-after").parse::<u64>().is_ok_and(|after| after > 0), "{problem}");
    for node in nodes {
        node.stop().await;
    }
}
