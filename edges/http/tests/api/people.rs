//! Profiles.

use axum::http::Method;
use serde_json::json;
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

#[tokio::test]
async fn a_profile_is_changed_shown_and_pushed() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let fresh = ann.get("/v1/me").await.good();
    assert_eq!((&fresh["name"], &fresh["display_name"], &fresh["version"]), (&json!("ann"), &json!(""), &json!(0)));
    let mut stream = ann.stream("").await;
    let change = async |body| ann.with_key(Method::PATCH, "/v1/me", KEY, Some(body)).await;
    let changed = change(json!({ "display_name": "Ann B.", "about": "one\ntwo", "language": "de" })).await.good();
    assert_eq!((&changed["display_name"], &changed["version"]), (&json!("Ann B."), &json!(1)));
    let told = stream.until("profile").await;
    assert_eq!((&told.data["display_name"], &told.data["version"]), (&json!("Ann B."), &json!(1)));
    // The name is for life, and a key has one body.
    assert_eq!(ann.patch("/v1/me", json!({ "name": "anne" })).await.code(409), "name_is_final");
    assert_eq!(change(json!({ "display_name": "Ann C." })).await.code(422), "request_reused");
    let shown = bob.get("/v1/users/ann").await.good();
    assert_eq!((&shown["display_name"], &shown["about"]), (&json!("Ann B."), &json!("one\ntwo")));
    let found = bob.get("/v1/users?prefix=an").await.good();
    assert_eq!(found["users"][0]["language"], json!("de"));
    for wrong in [json!({ "avatar": "a b" }), json!({ "language": "de_AT" }), json!({ "about": "\u{1b}[2J" })] {
        assert_eq!(ann.patch("/v1/me", wrong).await.code(422), "bad_request");
    }
    assert_eq!(ann.patch("/v1/me", json!({ "display_name": "" })).await.good()["display_name"], json!(""));
    node.stop().await;
}
