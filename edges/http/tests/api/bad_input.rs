//! Bad input has a problem with a stable code: never a server error, and nothing is placed.

use std::fmt::Write;

use axum::body::{Body, Bytes};
use axum::http::Method;
use futures::stream;
use serde_json::json;
use troupe_actors::budgets::Limits;
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, one_node_with};
use crate::http::Http;

const SEND: &str = "/v1/conversations/everyone/messages";
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Bodies of a send, with the code and a part of the text that the sender gets.
const SENDS: &[(&str, u16, &str, &str)] = &[
    ("", 400, "bad_request", "not JSON"),
    ("{", 400, "bad_request", "not JSON"),
    ("null", 400, "bad_request", "invalid type"),
    ("[]", 400, "bad_request", ""),
    ("\"text\"", 400, "bad_request", "invalid type"),
    ("{}", 400, "bad_request", "\"text\" or a \"body\""),
    ("{\"text\":\"a\"} {}", 400, "bad_request", "goes on"),
    ("{\"txet\":\"a\"}", 400, "bad_request", "did you mean \"text\"?"),
    ("{\"text\":\"a\",\"Text\":\"b\"}", 400, "bad_request", "did you mean \"text\"?"),
    ("{\"text\":\"a\",\"text\":\"b\"}", 400, "bad_request", "duplicate field"),
    ("{\"text\":7}", 400, "bad_request", "text: invalid type"),
    ("{\"text\":\"\"}", 400, "bad_request", "a text is not empty"),
    ("{\"text\":\"\\ud800\"}", 400, "bad_request", "not JSON"),
    ("{\"text\":\"a\",\"after\":\"short\"}", 400, "bad_request", "after:"),
    ("{\"text\":null,\"body\":{\"kind\":1,\"text\":\"a\"}}", 400, "bad_request", "invalid type"),
    ("{\"text\":\"a\",\"body\":{\"kind\":1,\"text\":\"a\"}}", 400, "bad_request", "not both"),
    ("{\"body\":{\"kind\":1}}", 400, "bad_request", "body:"),
    ("{\"body\":{\"kind\":0,\"content\":\"\"}}", 400, "bad_request", "kind"),
    ("{\"body\":{\"kind\":7,\"text\":\"a\"}}", 400, "bad_request", "body:"),
    ("{\"body\":{\"kind\":7,\"content\":\"%\"}}", 400, "bad_request", "base64"),
    ("{\"body\":{\"kind\":-1}}", 400, "bad_request", "body.kind:"),
    ("{\"body\":{\"kind\":1.5}}", 400, "bad_request", "body.kind:"),
    ("{\"body\":{\"kind\":99999999999999999999999999}}", 400, "bad_request", "body.kind:"),
    ("{\"body\":{\"kind\":1e400}}", 400, "bad_request", ""),
    ("{\"body\":{\"kind\":7,\"contents\":\"\"}}", 400, "bad_request", "did you mean \"content\"?"),
];

#[tokio::test]
async fn a_bad_message_is_refused_with_what_is_wrong() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    for (body, status, code, text) in SENDS {
        let said = ann.ask(Method::POST, SEND, JSON, Body::from(*body)).await;
        assert_eq!(said.code(*status), *code, "{body}");
        assert!(said.json()["detail"].as_str().is_some_and(|detail| detail.contains(text)), "{body}: {}", said.json());
    }
    let deep = |open: &str, close: &str| format!("{{\"text\":{}1{}}}", open.repeat(50_000), close.repeat(50_000));
    for body in [deep("[", "]"), deep("{\"a\":", "}"), "[".repeat(300_000)] {
        let said = ann.ask(Method::POST, SEND, JSON, Body::from(body)).await;
        assert_eq!(said.code(400), "bad_request");
    }
    let invalid: &[&[u8]] = &[b"{\"text\":\"\xff\xfe\"}", b"\xef\xbb\xbf{}", b"{\"text\":\"a\0\"}", b"\x00"];
    for body in invalid {
        let said = ann.ask(Method::POST, SEND, JSON, Body::from(Bytes::from_static(body))).await;
        assert_eq!(said.code(400), "bad_request", "{body:?}");
    }
    for content_type in [None, Some("text/plain"), Some("application/jsonp"), Some("multipart/form-data; boundary=x")] {
        let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        let said = ann.ask(Method::POST, SEND, &headers, Body::from("{\"text\":\"a\"}")).await;
        assert_eq!(said.code(415), "unsupported_media_type", "{content_type:?}");
    }
    assert_eq!(ann.texts("everyone").await.len(), 0, "nothing was placed");
    let good = ann.ask(
        Method::POST,
        SEND,
        &[("content-type", "Application/JSON; charset=utf-8")],
        Body::from("{\"text\":\"a\"}"),
    );
    assert_eq!(good.await.status, 200);
    node.stop().await;
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let most = "x".repeat(64 * 1024);
    let escaped = "\\u0001".repeat(64 * 1024);
    for text in [&most, &escaped] {
        let said = ann.ask(Method::POST, SEND, JSON, Body::from(format!("{{\"text\":\"{text}\"}}"))).await;
        assert_eq!(said.status, 200, "{}", String::from_utf8_lossy(&said.body));
    }
    let above = ann.ask(Method::POST, SEND, JSON, Body::from(format!("{{\"text\":\"{most}x\"}}"))).await;
    assert_eq!(above.code(413), "too_large");
    // It announces more than there will ever be; no byte of it is awaited.
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let headers = [JSON[0], ("content-length", "99999999999")];
    assert_eq!(ann.ask(Method::POST, SEND, &headers, never).await.code(413), "too_large");
    // It announces nothing, and goes on.
    let piece = Bytes::from(vec![b' '; 16 * 1024]);
    let endless = Body::from_stream(stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone())));
    assert_eq!(ann.ask(Method::POST, SEND, JSON, endless).await.code(413), "too_large");
    let broken = Body::from_stream(stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("reset"))]));
    assert_eq!(ann.ask(Method::POST, SEND, JSON, broken).await.code(400), "bad_request");
    let login = format!("{{\"name\":\"{}\"}}", "x".repeat(20_000));
    assert_eq!(Http::of(&node).ask(Method::POST, "/v1/login", JSON, Body::from(login)).await.code(413), "too_large");
    node.stop().await;
}

/// Paths of other resources with their bodies.
const OTHERS: &[(&str, &str, &str, u16, &str)] = &[
    ("POST", "/v1/register", r#"{"name":"x","password":"long enough"}"#, 422, "bad_name"),
    ("POST", "/v1/register", r#"{"name":"bob","password":"short"}"#, 422, "bad_password"),
    ("POST", "/v1/register", r#"{"name":"ann","password":"long enough"}"#, 409, "name_taken"),
    ("POST", "/v1/register", r#"{"name":"bob"}"#, 400, "bad_request"),
    ("POST", "/v1/login", r#"{"name":"ann","password":"wrong","device":"x"}"#, 401, "wrong_credentials"),
    ("POST", "/v1/login", r#"{"name":"ann","password":"wrong","device":"a b"}"#, 400, "bad_request"),
    ("POST", "/v1/login", r#"{"name":"ann","pasword":"x","device":"x"}"#, 400, "bad_request"),
    ("PATCH", "/v1/me", r#"{"name":"eve"}"#, 409, "name_is_final"),
    ("PATCH", "/v1/me", r#"{"nmae":"eve"}"#, 400, "bad_request"),
    ("POST", "/v1/groups", r#"{"name":""}"#, 422, "bad_name"),
    ("POST", "/v1/groups", r#"{"name":"x","members":[7]}"#, 400, "bad_request"),
    ("POST", "/v1/groups", r#"{"name":"x","members":["7"]}"#, 404, "no_such_user"),
    ("POST", "/v1/groups", r#"{"name":"x","members":["9999999999999999"]}"#, 404, "no_such_user"),
    ("POST", "/v1/groups", r#"{"name":"x","open":"yes"}"#, 400, "bad_request"),
    ("POST", "/v1/conversations/everyone/read", r#"{"seq":-1}"#, 400, "bad_request"),
    ("POST", "/v1/conversations/everyone/read", r#"{"seq":18446744073709551615}"#, 400, "bad_request"),
    ("POST", "/v1/conversations/everyone/read", r#"{"seq":"1"}"#, 400, "bad_request"),
    ("POST", "/v1/conversations/everyone/read", r#"{"seq":9}"#, 409, "seq_beyond_head"),
    ("POST", "/v1/conversations/everyone/members", r#"{"users":["7"]}"#, 409, "not_a_group"),
    ("PATCH", "/v1/conversations/everyone", r#"{"name":"ours"}"#, 409, "not_a_group"),
    ("PATCH", "/v1/conversations/g1024/members/7", r#"{"role":"king"}"#, 400, "bad_request"),
    ("POST", "/v1/invitations/g1024/accept", r#"{"seq":1}"#, 404, "no_such_invitation"),
    ("GET", "/v1/conversations/everyone/messages?limit=0", "", 400, "bad_request"),
    ("GET", "/v1/conversations/everyone/messages?limit=501", "", 400, "bad_request"),
    ("GET", "/v1/conversations/everyone/messages?limit=99999999999", "", 400, "bad_request"),
    ("GET", "/v1/conversations/everyone/messages?limt=1", "", 400, "bad_request"),
    ("GET", "/v1/conversations/everyone/messages?limit=1&limit=2", "", 400, "bad_request"),
    ("GET", "/v1/conversations/everyone/messages?after=1&before=0", "", 400, "bad_request"),
    ("GET", "/v1/conversations/everyone/messages?before=0", "", 400, "bad_request"),
    ("GET", "/v1/conversations/everyone/messages?after=%ff", "", 400, "bad_request"),
    ("GET", "/v1/conversations?after=nonsense", "", 404, "not_member"),
    ("GET", "/v1/users/%ff", "", 400, "bad_request"),
    ("GET", "/v1/users/0", "", 404, "no_such_user"),
    ("GET", "/v1/users?prefix=%00", "", 200, ""),
    ("DELETE", "/v1/me/sessions/a%20b", "", 400, "bad_request"),
    ("GET", "/v1/nothing", "", 404, "not_found"),
    ("GET", "/v2/me", "", 404, "not_found"),
    ("PUT", "/v1/me", "", 405, "method_not_allowed"),
    ("BREW", "/v1/me", "", 405, "method_not_allowed"),
    ("GET", "/v1/admin/users", "", 403, "not_admin"),
];

#[tokio::test]
async fn bad_requests_of_all_resources_are_problems() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let mut wrong = String::new();
    for (method, path, body, status, code) in OTHERS {
        let headers = if body.is_empty() { &[] } else { JSON };
        let method: Method = method.parse().expect("a method");
        let said = ann.ask(method, path, headers, Body::from(*body)).await;
        let found = said.json()["code"].as_str().unwrap_or_default().to_owned();
        if (said.status, found.as_str()) != (*status, *code) {
            let _ = writeln!(wrong, "{path} {body}: {} {found}", said.status);
        }
    }
    assert_eq!(wrong, "");
    let said = ann.ask(Method::PUT, "/v1/me", &[], Body::empty()).await;
    assert_eq!(said.header("allow"), "GET,HEAD,PATCH");
    let nearest = ann.get("/v1/conversations/everyone/messages?limt=1").await.json();
    assert!(nearest["detail"].as_str().is_some_and(|text| text.contains("did you mean \"limit\"?")), "{nearest}");
    node.stop().await;
}

#[tokio::test]
async fn above_a_budget_a_request_waits_for_its_time() {
    let node = one_node_with(Limits { user_rate: 1, user_burst: 40, ..Limits::default() }).await;
    let ann = Http::user(&node, "ann").await;
    assert_eq!(ann.get("/v1/users?prefix=a").await.status, 200);
    let said = ann.get("/v1/users?prefix=a").await;
    assert_eq!(said.code(429), "rate_limited");
    let (after, problem) = (said.header("retry-after").parse::<u64>().expect("seconds"), said.json());
    let after_ms = problem["retry_after_ms"].as_u64().expect("a time");
    assert!(after_ms > 1_000 && after == after_ms.div_ceil(1_000), "{after} {problem}");
    assert_eq!(problem["kind"], json!("overloaded"));
    node.stop().await;
}
