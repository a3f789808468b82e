//! Settings of groups, mutes, bans, transfer and end.

use axum::http::Method;
use serde_json::json;
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, within};
use crate::http::{Http, Said};

const FOR_EVER: u64 = (1 << 53) - 1;

async fn put(http: &Http, path: &str) -> Said {
    http.with_key(Method::PUT, path, None, None).await
}

#[tokio::test]
async fn settings_of_a_group_are_changed_in_one_step() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let path = format!("/v1/conversations/{group}");
    let change = json!({ "notice": "Be kind", "avatar": "file:1", "join": "open", "history": "everything",
        "slow_seconds": 30, "permissions": { "pin": "member" } });
    assert_eq!(bob.patch(&path, change.clone()).await.code(403), "not_allowed");
    let mut stream = ann.stream("").await;
    assert_eq!(ann.patch(&path, change.clone()).await.good()["seq"], json!(3));
    let told = stream.until("message").await;
    assert_eq!((told.text("kind"), &told.data["body"]), ("settings_changed", &change));
    let shown = bob.get(&format!("{path}/settings")).await.good();
    for (field, value) in change.as_object().expect("an object").iter().filter(|(field, _)| *field != "permissions") {
        assert_eq!(&shown[field], value, "{shown}");
    }
    assert_eq!((&shown["notice_by"], &shown["name"]), (&json!(ann.user), &json!("The team")));
    assert_eq!((&shown["permissions"]["pin"], &shown["permissions"]["ban"]), (&json!("member"), &json!("admin")));
    // The newcomer sees what was before it.
    assert_eq!(eve.get(&format!("{path}/settings")).await.code(404), "not_member");
    eve.post(&format!("{path}/members/{}", eve.user), json!({})).await.good();
    assert_eq!(eve.texts(&group).await, ["created", "added", "settings_changed", "added"]);
    for (wrong, status, code) in [
        (json!({}), 422, "bad_request"),
        (json!({ "slow_seconds": 86_401 }), 422, "bad_request"),
        (json!({ "permissions": { "ban": "member" } }), 422, "bad_request"),
        (json!({ "permissions": { "fly": "member" } }), 422, "bad_request"),
        (json!({ "muted_until_ms": 1 }), 422, "bad_time"),
        (json!({ "name": "" }), 422, "bad_name"),
    ] {
        assert_eq!(ann.patch(&path, wrong.clone()).await.code(status), code, "{wrong}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_muted_member_and_an_impatient_one_are_told_why() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let path = format!("/v1/conversations/{group}");
    let (messages, member) = (format!("{path}/messages"), format!("{path}/members/{}", bob.user));
    let text = || json!({ "text": "hello" });
    ann.patch(&member, json!({ "muted_until_ms": FOR_EVER })).await.good();
    assert_eq!(bob.post(&messages, text()).await.code(403), "muted");
    let members = ann.get(&format!("{path}/members")).await.good();
    let rows = members["members"].as_array().expect("a list");
    let muted: Vec<_> = rows.iter().filter(|row| row["muted_until_ms"] == json!(FOR_EVER)).collect();
    assert!(muted.len() == 1 && muted[0]["user_id"] == json!(bob.user), "{members}");
    ann.patch(&member, json!({ "muted_until_ms": 0 })).await.good();
    assert_eq!(ann.patch(&member, json!({ "muted_until_ms": 0 })).await.code(409), "not_muted");
    assert_eq!(ann.patch(&member, json!({ "role": "admin", "muted_until_ms": 0 })).await.code(422), "bad_request");
    ann.patch(&path, json!({ "slow_seconds": 86_400 })).await.good();
    bob.post(&messages, text()).await.good();
    assert_eq!(bob.post(&messages, text()).await.code(429), "slow_mode");
    ann.patch(&path, json!({ "slow_seconds": 0, "muted_until_ms": FOR_EVER })).await.good();
    assert_eq!(bob.post(&messages, text()).await.code(403), "group_muted");
    ann.post(&messages, text()).await.good();
    node.stop().await;
}

#[tokio::test]
async fn a_banned_user_is_out_until_the_ban_is_lifted() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let made = ann.post("/v1/groups", json!({ "name": "Open", "open": true, "members": [bob.user] })).await.good();
    let path = format!("/v1/conversations/{}", made["conversation"].as_str().expect("an id"));
    let (ban, member) = (format!("{path}/bans/{}", bob.user), format!("{path}/members/{}", bob.user));
    assert_eq!(bob.get(&format!("{path}/bans")).await.code(403), "not_allowed");
    // The removal, and the ban behind it.
    assert_eq!(put(&ann, &ban).await.good()["seq"], json!(4));
    assert_eq!(put(&ann, &ban).await.status, 204);
    assert_eq!(put(&ann, &format!("{path}/bans/99")).await.code(404), "no_such_user");
    assert_eq!(bob.post(&member, json!({})).await.code(403), "banned");
    assert_eq!(ann.post(&member, json!({})).await.code(403), "banned");
    let bans = ann.get(&format!("{path}/bans")).await.good();
    assert_eq!((&bans["bans"][0]["user_id"], &bans["bans"][0]["by"]), (&json!(bob.user), &json!(ann.user)));
    ann.delete(&ban).await.good();
    assert_eq!(ann.delete(&ban).await.status, 204);
    bob.post(&member, json!({})).await.good();
    node.stop().await;
}

#[tokio::test]
async fn a_group_is_handed_over_and_ended() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let path = format!("/v1/conversations/{group}");
    ann.post(&format!("{path}/transfer"), json!({ "user": bob.user })).await.good();
    assert_eq!(ann.post(&format!("{path}/disband"), json!({})).await.code(403), "not_allowed");
    let mut stream = ann.stream("").await;
    bob.post(&format!("{path}/disband"), json!({})).await.good();
    let gone = within(async {
        loop {
            let told = stream.until("conversation").await;
            if told.data["present"] == json!(false) {
                return told;
            }
        }
    })
    .await;
    assert_eq!(gone.data["conversation"], json!(group));
    let said = bob.post(&format!("{path}/messages"), json!({ "text": "hello" })).await;
    assert_eq!(said.code(404), "not_member");
    // The slot of each member learns it by a relay.
    let unlisted = async {
        loop {
            let list = bob.get("/v1/conversations").await.good();
            if list["conversations"].as_array().expect("a list").iter().all(|row| row["conversation"] != json!(group)) {
                return;
            }
        }
    };
    within(unlisted).await;
    node.stop().await;
}

#[tokio::test]
async fn a_link_lets_in_as_many_as_it_may() {
    const CODE: &str = "a1b2-c3d4-e5f6-a7b8";
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[]).await;
    let path = format!("/v1/conversations/{group}/invites");
    let made = ann.post(&path, json!({ "code": CODE, "uses": 1 })).await.good();
    assert_eq!((&made["text"], &made["seq"]), (&json!(format!("{group}.{CODE}")), &json!(2)));
    let code = json!({ "code": CODE.to_uppercase() });
    let seen = eve.post(&format!("{path}/preview"), code.clone()).await.good();
    assert_eq!((&seen["name"], &seen["members"]), (&json!("The team"), &json!(1)));
    let (preview, join) = (format!("{path}/preview"), format!("{path}/join"));
    let other = json!({ "code": "another-code-0" });
    for path in [&preview, &join] {
        assert_eq!(eve.post(path, other.clone()).await.code(403), "bad_link");
        let missing = path.replace(&group, "g99");
        assert_eq!(eve.post(&missing, code.clone()).await.code(403), "bad_link", "a missing group says the same");
    }
    eve.post(&join, code.clone()).await.good();
    assert_eq!(bob.post(&join, code.clone()).await.code(403), "link_used_up");
    assert_eq!(bob.post(&preview, code.clone()).await.code(403), "link_used_up");
    assert_eq!(eve.get(&path).await.code(403), "not_allowed");
    let links = ann.get(&path).await.good();
    assert_eq!((&links["links"][0]["used"], &links["links"][0]["link"]), (&json!(1), &made["link"]));
    let link = format!("{path}/{}", made["link"].as_str().expect("an id"));
    ann.delete(&link).await.good();
    assert_eq!(bob.post(&join, code).await.code(403), "bad_link");
    assert_eq!(ann.post(&path, json!({ "code": "short", "uses": 1 })).await.code(400), "bad_request");
    assert_eq!(ann.post(&path, json!({ "code": CODE, "uses": 0 })).await.code(400), "bad_request");
    node.stop().await;
}
