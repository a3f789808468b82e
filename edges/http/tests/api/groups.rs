//! Groups, their members, and invitations.

use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, one_node_that_invites, within};
use crate::http::Http;

#[tokio::test]
async fn a_group_is_made_changed_and_left() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let path = format!("/v1/conversations/{group}");
    let row = ann.get(&path).await.good();
    assert_eq!((&row["name"], &row["role"], &row["members"]), (&json!("The team"), &json!("owner"), &json!(2)));

    assert_eq!(bob.patch(&path, json!({ "name": "Bob's" })).await.code(403), "not_allowed");
    assert_eq!(ann.patch(&path, json!({ "name": "Our team" })).await.good()["seq"], json!(3));
    let added = bob.post(&format!("{path}/members"), json!({ "users": [eve.user] })).await.good();
    assert_eq!(added["seq"], json!(4));
    let owner = ann.patch(&format!("{path}/members/{}", bob.user), json!({ "role": "owner" })).await.good();
    assert_eq!(owner["seq"], json!(5));
    let listed = eve.get(&format!("{path}/members")).await.good();
    let roles: Vec<(&Value, &Value)> =
        listed["members"].as_array().expect("a list").iter().map(|row| (&row["user_id"], &row["role"])).collect();
    let as_set = [(&ann.user, "owner"), (&bob.user, "owner"), (&eve.user, "member")];
    for (user, role) in as_set {
        assert!(roles.contains(&(&json!(user), &json!(role))), "{listed}");
    }
    assert_eq!(bob.delete(&format!("{path}/members/{}", eve.user)).await.good()["seq"], json!(6));
    assert_eq!(ann.delete(&path).await.good()["seq"], json!(7));
    assert_eq!(ann.get(&path).await.code(404), "not_member");
    assert_eq!(bob.delete(&format!("{path}/members/{}", bob.user)).await.good()["seq"], json!(8));
    assert_eq!(bob.post(&format!("{path}/members/{}", bob.user), json!({})).await.code(404), "not_open");
    node.stop().await;
}

#[tokio::test]
async fn only_a_group_can_be_changed() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let direct = ann.direct(&bob);
    ann.send(&direct, "hi").await;
    for conversation in ["everyone", &direct] {
        let path = format!("/v1/conversations/{conversation}");
        let member = format!("{path}/members/{}", bob.user);
        for said in [
            ann.patch(&path, json!({ "name": "Mine" })).await,
            ann.delete(&path).await,
            ann.post(&format!("{path}/members"), json!({ "users": [bob.user] })).await,
            ann.post(&member, json!({})).await,
            ann.patch(&member, json!({ "role": "admin" })).await,
            ann.delete(&member).await,
        ] {
            assert_eq!(said.code(409), "not_a_group");
        }
    }
    // A foreign one is not told from one that is missing.
    let foreign = format!("/v1/conversations/d{}-{}", bob.user, u64::MAX >> 11);
    assert_eq!(ann.patch(&foreign, json!({ "name": "Mine" })).await.code(409), "not_a_group");
    node.stop().await;
}

#[tokio::test]
async fn an_open_group_is_joined_by_its_id() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, eve) = (Http::user(&node, "ann").await, Http::user(&node, "eve").await);
    let made = ann.post("/v1/groups", json!({ "name": "Open house", "open": true })).await.good();
    let path = format!("/v1/conversations/{}", made["conversation"].as_str().expect("an id"));
    let joined = eve.post(&format!("{path}/members/{}", eve.user), json!({})).await.good();
    assert_eq!(joined["seq"], json!(2));
    assert_eq!(eve.post(&format!("{path}/members/{}", eve.user), json!({})).await.code(409), "already_member");
    assert_eq!(eve.texts(path.rsplit('/').next().unwrap_or_default()).await, ["added"]);
    node.stop().await;
}

#[tokio::test]
async fn a_stranger_invites_and_the_invited_accepts() {
    let node = one_node_that_invites().await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let invited = async || loop {
        let list = bob.get("/v1/invitations").await.good();
        if let Some(line) = list["invitations"].as_array().and_then(|list| list.first().cloned()) {
            return line;
        }
        tokio::task::yield_now().await;
    };
    let line = within(invited()).await;
    assert_eq!(
        (&line["conversation"], &line["name"], &line["invited_by"]),
        (&json!(group), &json!("The team"), &json!(ann.user))
    );
    let path = format!("/v1/invitations/{group}/accept");
    let wrong = bob.post(&path, json!({ "seq": 9 })).await;
    assert_eq!(wrong.code(404), "no_such_invitation");
    assert_eq!(bob.post(&path, json!({ "seq": line["seq"] })).await.status, 204);
    assert_eq!(bob.get("/v1/invitations").await.good(), json!({ "invitations": [] }));
    node.stop().await;
}
