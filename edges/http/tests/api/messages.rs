//! Send, history, the conversation list, and positions.

use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

#[tokio::test]
async fn a_message_is_sent_and_read() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let direct = ann.direct(&bob);
    let path = format!("/v1/conversations/{direct}/messages");
    let sent = ann.post(&path, json!({ "text": "hé" })).await.good();
    let (time, id) = (sent["time_ms"].clone(), sent["client_message_id"].clone());
    assert_eq!((&sent["seq"], &sent["duplicate"]), (&json!(1), &json!(false)));
    let bytes = ann.post(&path, json!({ "body": { "kind": 1000, "content": "/wA=" } })).await.good();
    assert_eq!(bytes["seq"], json!(2));
    let after = json!({ "text": "third", "after": bytes["client_message_id"] });
    assert_eq!(ann.post(&path, after).await.good()["seq"], json!(3));
    let missing = json!({ "text": "never", "after": "f".repeat(32) });
    assert_eq!(ann.post(&path, missing).await.code(409), "out_of_order");

    let page = bob.get(&path).await.good();
    assert_eq!((&page["head"], &page["more"]), (&json!(3), &json!(false)));
    let first = json!({ "seq": 1, "time_ms": time, "sender": ann.user, "client_message_id": id, "kind": "message",
        "body": { "kind": 1, "type": "text", "text": "hé" } });
    assert_eq!(page["messages"][0], first);
    assert_eq!(page["messages"][1]["body"], json!({ "kind": 1000, "content": "/wA=" }));
    let seqs = |page: &Value| -> Vec<u64> {
        let events = page["messages"].as_array().expect("a list");
        events.iter().filter_map(|event| event["seq"].as_u64()).collect()
    };
    let paged = async |query: &str| {
        let page = bob.get(&format!("{path}?{query}")).await.good();
        (seqs(&page), page["more"] == true)
    };
    assert_eq!(paged("after=1").await, (vec![2, 3], false));
    assert_eq!(paged("after=0&limit=2").await, (vec![1, 2], true));
    assert_eq!(paged("before=3&limit=1").await, (vec![2], true));
    assert_eq!(paged("limit=2").await, (vec![2, 3], true));
    assert_eq!(paged("after=1&before=3").await, (vec![2], false));
    assert_eq!(paged("after=0&before=3&limit=1").await, (vec![1], true));
    assert_eq!(paged("after=2&before=2").await, (vec![], false));
    let own = "0".repeat(32);
    let itself = Some(json!({ "text": "x", "after": own }));
    let refused = ann.with_key(axum::http::Method::POST, &path, Some(&own), itself).await;
    assert_eq!(refused.code(422), "follows_itself");
    assert_eq!(bob.get(&format!("{path}?after=4")).await.code(409), "seq_beyond_head");
    node.stop().await;
}

#[tokio::test]
async fn the_list_has_what_is_unread_and_a_position_moves_it() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let direct = ann.direct(&bob);
    for text in ["one", "two"] {
        ann.send(&direct, text).await;
    }
    // A user's list follows the first message within moments.
    let listed = async || loop {
        let list = bob.get("/v1/conversations").await.good();
        let found =
            list["conversations"].as_array().expect("a list").iter().find(|row| row["conversation"] == direct).cloned();
        if let Some(found) = found {
            return found;
        }
        tokio::task::yield_now().await;
    };
    let row = crate::harness::within(listed()).await;
    assert_eq!((&row["name"], &row["unread"], &row["head"]), (&json!("ann"), &json!(2), &json!(2)));
    assert_eq!(bob.get(&format!("/v1/conversations/{direct}")).await.good(), row);
    assert_eq!(bob.post(&format!("/v1/conversations/{direct}/delivered"), json!({ "seq": 2 })).await.status, 204);
    assert_eq!(bob.post(&format!("/v1/conversations/{direct}/read"), json!({ "seq": 1 })).await.status, 204);
    assert_eq!(bob.get(&format!("/v1/conversations/{direct}")).await.good()["unread"], json!(1));
    let beyond = bob.post(&format!("/v1/conversations/{direct}/read"), json!({ "seq": 3 })).await;
    assert_eq!(beyond.code(409), "seq_beyond_head");
    let members = ann.get(&format!("/v1/conversations/{direct}/members")).await.good();
    let of_bob = members["members"].as_array().into_iter().flatten().find(|row| row["user_id"] == bob.user);
    assert_eq!(of_bob.map(|row| &row["read"]), Some(&json!(1)), "{members}");
    node.stop().await;
}

#[tokio::test]
async fn users_and_nodes_are_found() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let bob = node.user("bobby").await;
    let found = ann.get("/v1/users?prefix=bob&limit=5").await.good();
    assert_eq!(found["users"][0]["name"], json!("bobby"));
    let by_id = ann.get(&format!("/v1/users/{}", bob.user)).await.good();
    assert_eq!(by_id, ann.get("/v1/users/Bobby").await.good());
    assert_eq!((&by_id["name"], &by_id["online"]), (&json!("bobby"), &json!(true)));
    assert_eq!(ann.get("/v1/users/9007199254740992").await.code(404), "no_such_user");
    assert_eq!(ann.get("/v1/users/nobody-here").await.code(404), "no_such_user");
    let online = ann.get("/v1/online").await.good();
    assert_eq!(online["users"].as_array().map(Vec::len), Some(1), "a request makes no user online: {online}");
    let nodes = Http::of(&node).get("/v1/nodes").await.good();
    assert_eq!(
        nodes["nodes"],
        json!([{ "id": 1, "client": "127.0.0.1:1", "http": "127.0.0.1:2", "reachable": true, "draining": false }])
    );
    // A client compares them before it shows its token.
    assert_eq!((&nodes["node_id"], &nodes["history"], &nodes["continues"]), (&json!(1), &json!("0"), &json!([])));
    assert_eq!(nodes["cluster_id"].as_str().map(str::len), Some(32), "{nodes}");
    node.stop().await;
}
