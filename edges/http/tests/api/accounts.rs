//! Registration, sessions and tokens.

use axum::http::Method;
use serde_json::json;
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, password};
use crate::http::Http;

#[tokio::test]
async fn a_user_registers_logs_in_and_logs_out() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let me = ann.get("/v1/me").await.good();
    let new = json!({
        "user_id": ann.user, "name": "ann", "device": "http", "admin": false, "role": "user", "version": 0, "messages_from": "everyone",
        "display_name": "", "avatar": "", "about": "", "language": "",
    });
    assert_eq!(me, new);
    assert_eq!(ann.patch("/v1/me", json!({})).await.good(), me);
    assert_eq!(ann.patch("/v1/me", json!({ "name": "ann" })).await.good(), me);
    assert_eq!(ann.patch("/v1/me", json!({ "name": "anna" })).await.code(409), "name_is_final");
    assert_eq!(ann.patch("/v1/me", json!({ "nmae": "anna" })).await.code(400), "bad_request");
    let phone = ann.logged_in("ann", "phone").await;
    let sessions = ann.get("/v1/me/sessions").await.good();
    let listed = sessions["sessions"].as_array().expect("a list");
    let shown =
        |at: usize| (listed[at]["device"].as_str(), listed[at]["current"].as_bool(), listed[at]["online"].as_bool());
    assert_eq!(
        (shown(0), shown(1)),
        ((Some("http"), Some(true), Some(false)), (Some("phone"), Some(false), Some(false)))
    );

    // A session that ends at this node is refused at once.
    assert_eq!(ann.delete("/v1/me/sessions/phone").await.status, 204);
    assert_eq!(phone.get("/v1/me").await.code(401), "expired_token");
    assert_eq!(ann.post("/v1/logout", json!({})).await.status, 204);
    assert_eq!(ann.get("/v1/me").await.code(401), "expired_token");
    node.stop().await;
}

#[tokio::test]
async fn a_token_is_the_one_of_the_other_edge_and_no_connection_of_it_ends() {
    let node = one_node(LoginPolicy::Refuse).await;
    let mut native = node.greeted().await;
    native.register("ann").await;
    let entered = native.log_in("ann", "phone").await;
    use base64::Engine;
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&entered.token);
    let http = Http::of(&node).with_token(&token);
    assert_eq!(http.get("/v1/me").await.good()["device"], "phone");
    let seq = http.send("everyone", "by HTTP").await;
    // The connection goes on, although this cluster refuses a second one.
    assert_eq!(native.event("everyone").await, (seq, "by HTTP".to_owned()));
    let seq = native.send("everyone", "by TCP").await.seq;
    assert_eq!(http.texts("everyone").await[seq as usize - 1], "by TCP");
    let another = json!({ "name": "ann", "password": password("ann"), "device": "tv" });
    assert_eq!(Http::of(&node).post("/v1/login", another).await.code(409), "already_online");
    node.stop().await;
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let phone = ann.logged_in("ann", "phone").await;
    assert_eq!(phone.get("/v1/me").await.status, 200);
    let change = |old: &str| json!({ "old_password": old, "new_password": "another password" });
    assert_eq!(ann.post("/v1/me/password", change("a wrong one")).await.code(401), "wrong_credentials");
    let changed = change(&password("ann"));
    let key = "11111111-1111-4111-8111-111111111111";
    for _ in 0..2 {
        let said = ann.with_key(Method::POST, "/v1/me/password", Some(key), Some(changed.clone())).await;
        assert_eq!(said.status, 204, "a repeat is answered alike");
    }
    assert_eq!(ann.get("/v1/me").await.status, 200);
    assert_eq!(phone.get("/v1/me").await.code(401), "expired_token");
    node.stop().await;
}

#[tokio::test]
async fn tokens_that_are_none_are_refused_alike() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    assert_eq!(Http::of(&node).get("/v1/me").await.code(401), "not_logged_in");
    let mut wrong = ann.token().to_owned();
    wrong.replace_range(60..62, if &wrong[60..62] == "AA" { "BB" } else { "AA" });
    for token in ["", "x", "%%%", &wrong, &"A".repeat(100_000)] {
        let said = Http::of(&node).with_token(token).get("/v1/me").await;
        assert_eq!(said.code(401), "expired_token", "{token}");
        assert_eq!(said.header("www-authenticate"), "Bearer");
    }
    node.stop().await;
}
