//! Bots: accounts of users, with tokens of scopes.

use axum::http::Method;
use serde_json::json;
use troupe_raft::api::LoginPolicy;

use crate::administration::administrator;
use crate::harness::one_node;
use crate::http::Http;

#[tokio::test]
async fn a_bot_does_what_its_token_is_for() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let made = ann.post("/v1/bots", json!({ "name": "weather", "scopes": ["read", "send"] })).await.good();
    let id = made["user_id"].as_str().expect("an id").to_owned();
    let bot = ann.with_token(made["token"].as_str().expect("a token"));
    // It is marked, and says whose it is.
    let shown = ann.get(&format!("/v1/users/{id}")).await.good();
    assert_eq!((&shown["name"], &shown["bot"]), (&json!("ann/weather"), &json!(true)));
    assert_eq!(shown["owner"], json!(ann.user));
    assert_eq!(bot.get("/v1/me").await.good()["name"], json!("ann/weather"));
    // Its owner adds it at once, as a member is added.
    let group = ann.group("Team", &[id.as_str()]).await;
    let mut stream = bot.stream("").await;
    bot.send(&group, "sunny").await;
    assert_eq!(stream.until("message").await.text("conversation"), group);
    // An operation without a scope of its token is refused.
    let rename = json!({ "name": "Mine" });
    assert_eq!(bot.patch(&format!("/v1/conversations/{group}"), rename).await.code(403), "not_for_bots");
    for path in ["/v1/bots", "/v1/me/sessions", "/v1/contacts"] {
        assert_eq!(bot.get(path).await.code(403), "not_for_bots", "{path}");
    }
    // No password opens it, not even that of its owner.
    let login = json!({ "name": id, "password": "the password", "device": "d" });
    assert_eq!(Http::of(&node).post("/v1/login", login).await.code(401), "wrong_credentials");
    node.stop().await;
}

#[tokio::test]
async fn a_token_ends_with_its_rotation_its_bot_and_its_owner() {
    let node = one_node(LoginPolicy::Replace).await;
    let root = administrator(&node).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let make = async |name: &str| ann.post("/v1/bots", json!({ "name": name, "scopes": ["read"] })).await;
    let made = make("one").await.good();
    let path = format!("/v1/bots/{}", made["user_id"].as_str().expect("an id"));
    let first = ann.with_token(made["token"].as_str().expect("a token"));
    first.get("/v1/me").await.good();
    assert_eq!(make("one").await.code(409), "bot_exists");
    assert_eq!(make("a b").await.code(422), "bad_request");
    // Another user's bot does not exist.
    assert_eq!(bob.delete(&path).await.code(404), "no_such_bot");
    let rotated = ann.with_key(Method::POST, &format!("{path}/token"), None, None).await.good();
    let second = ann.with_token(rotated["token"].as_str().expect("a token"));
    assert_eq!(first.get("/v1/me").await.code(401), "expired_token");
    second.get("/v1/me").await.good();
    // The owner is disabled, and enabled again: the token stays ended.
    let mut stream = second.stream("").await;
    assert_eq!(root.post("/v1/admin/users/ann/disable", json!({})).await.status, 204);
    assert_eq!(stream.until("end").await.text("code"), "account_disabled");
    assert_eq!(root.post("/v1/admin/users/ann/enable", json!({})).await.status, 204);
    // Another router has not verified the token in the last moments.
    let second = Http::of(&node).with_token(second.token());
    assert_eq!(second.get("/v1/conversations").await.code(401), "expired_token");
    let ann = Http::of(&node).logged_in("ann", "http").await;
    assert_eq!(ann.get("/v1/bots").await.good()["bots"].as_array().map(Vec::len), Some(1));
    assert_eq!(ann.delete(&path).await.status, 204);
    assert_eq!(ann.get("/v1/bots").await.good()["bots"], json!([]));
    assert_eq!(ann.get(&format!("/v1/users/{}", &path[9..])).await.good()["deleted"], json!(true));
    node.stop().await;
}
