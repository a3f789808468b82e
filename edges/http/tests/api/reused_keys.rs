//! A key of an administrator or of an account belongs to one request: another one under it is
//! refused, and does nothing.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::administration::administrator;
use crate::harness::{one_node, password};
use crate::http::{Http, Said};

const KEY: &str = "000102030405460788090a0b0c0d0e0f";

async fn ask(http: &Http, method: &Method, path: &str, body: &Value) -> Said {
    http.with_key(method.clone(), path, Some(KEY), Some(body.clone()).filter(|body| !body.is_null())).await
}

#[tokio::test]
async fn a_key_of_an_administrator_belongs_to_one_operation() {
    let node = one_node(LoginPolicy::Replace).await;
    let admin = administrator(&node).await;
    let once = json!({ "name": "bob", "password": "only for one login" });
    let made = ask(&admin, &Method::POST, "/v1/admin/users", &once).await.good();
    assert_eq!(ask(&admin, &Method::POST, "/v1/admin/users", &once).await.good(), made, "a repeat");
    let user = "/v1/admin/users/bob";
    let operations = |first: &str| {
        let (reset, admin) = (json!({ "password": "for one more login" }), json!({ "admin": true }));
        [
            (Method::POST, "disable", Value::Null),
            (Method::POST, "enable", Value::Null),
            (Method::POST, "admin", admin),
            (Method::POST, "admin", json!({ "admin": false })),
            (Method::POST, "password", reset),
            (Method::POST, "password", json!({ "password": "for another login" })),
            (Method::DELETE, "sessions", Value::Null),
            (Method::DELETE, "sessions/phone", Value::Null),
            (Method::DELETE, "sessions/tablet", Value::Null),
            (Method::DELETE, "", Value::Null),
        ]
        .map(|(method, path, body)| (method, format!("{first}/{path}").trim_end_matches('/').to_owned(), body))
    };
    let shown = async || admin.get(user).await.good();
    // The key has made the account, so it changes nothing there.
    let before = shown().await;
    for (method, path, body) in operations(user) {
        assert_eq!(ask(&admin, &method, &path, &body).await.code(422), "request_reused", "{method} {path} {body}");
    }
    for other in [json!({ "name": "bob", "password": "another for one login" }), {
        json!({ "name": "bob", "password": "only for one login", "admin": true })
    }] {
        assert_eq!(ask(&admin, &Method::POST, "/v1/admin/users", &other).await.code(422), "request_reused", "{other}");
    }
    assert_eq!(shown().await, before);
    // Each operation in turn is the first of its key on an account of its own.
    for (number, (method, _, body)) in operations(user).into_iter().enumerate() {
        let name = format!("user-{number}");
        Http::user(&node, &name).await;
        let first = operations(&format!("/v1/admin/users/{name}"));
        let path = &first[number].1;
        assert_eq!(ask(&admin, &method, path, &body).await.status, 204, "{method} {path} {body}");
        assert_eq!(ask(&admin, &method, path, &body).await.status, 204, "a repeat of {method} {path} {body}");
        for (other, (method, path, body)) in first.iter().enumerate().filter(|(other, _)| *other != number) {
            let said = ask(&admin, method, path, body).await;
            assert_eq!(said.code(422), "request_reused", "{other} after {number}: {method} {path} {body}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn a_key_of_an_invitation_or_of_settings_belongs_to_one_body() {
    let node = one_node(LoginPolicy::Replace).await;
    let admin = administrator(&node).await;
    let invite = |uses: u32, expires_ms: u64, note: &str| json!({ "code": "come-in-please", "uses": uses, "expires_ms": expires_ms, "note": note });
    let path = "/v1/admin/invites";
    let made = ask(&admin, &Method::POST, path, &invite(1, 4_000_000_000_000, "dan")).await.good();
    assert_eq!(ask(&admin, &Method::POST, path, &invite(1, 4_000_000_000_000, "dan")).await.good(), made, "a repeat");
    for other in
        [invite(2, 4_000_000_000_000, "dan"), invite(1, 4_000_000_000_001, "dan"), invite(1, 4_000_000_000_000, "eve")]
    {
        assert_eq!(ask(&admin, &Method::POST, path, &other).await.code(422), "request_reused", "{other}");
    }
    let path = "/v1/admin/settings";
    let changed = ask(&admin, &Method::PATCH, path, &json!({ "session_idle_seconds": 4000 })).await.good();
    assert_eq!(ask(&admin, &Method::PATCH, path, &json!({ "session_idle_seconds": 4000 })).await.good(), changed);
    for other in [json!({ "session_idle_seconds": 8000 }), json!({ "registration": "closed" })] {
        assert_eq!(ask(&admin, &Method::PATCH, path, &other).await.code(422), "request_reused", "{other}");
    }
    assert_eq!(admin.get(path).await.good()["registration"], json!("open"));
    node.stop().await;
}

#[tokio::test]
async fn a_key_of_a_password_or_of_an_account_belongs_to_one_password() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let change = |new: &str| json!({ "old_password": password("ann"), "new_password": new });
    let path = "/v1/me/password";
    assert_eq!(ask(&ann, &Method::POST, path, &change("a second password")).await.status, 204);
    assert_eq!(ask(&ann, &Method::POST, path, &change("a second password")).await.status, 204, "a repeat");
    let other = ask(&ann, &Method::POST, path, &change("a third password")).await;
    assert_eq!(other.code(422), "request_reused");
    let later = json!({ "old_password": "a second password", "new_password": "a fourth password" });
    assert_eq!(ann.post(path, later).await.status, 204);
    // The first password is not comparable any more, so a late repeat is answered as before.
    assert_eq!(ask(&ann, &Method::POST, path, &change("a second password")).await.status, 204);

    let guest = Http::of(&node);
    let register = |password: &str| json!({ "name": "bob", "password": password });
    let made = ask(&guest, &Method::POST, "/v1/register", &register("correct horse")).await.good();
    assert_eq!(ask(&guest, &Method::POST, "/v1/register", &register("correct horse")).await.good(), made);
    let other = ask(&guest, &Method::POST, "/v1/register", &register("another horse")).await;
    assert_eq!(other.code(422), "request_reused");
    node.stop().await;
}
