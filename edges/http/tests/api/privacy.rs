//! A missing conversation and a foreign one have the same answer, byte for byte.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

#[tokio::test]
async fn missing_and_foreign_conversations_look_the_same() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("Secret", &[&bob.user]).await;
    let direct = ann.direct(&bob);
    ann.send(&group, "hidden").await;
    ann.send(&direct, "hidden").await;
    let foreign = [group.clone(), direct];
    let missing = ["g1024000", "d1-2", "nonsense", "d2-1", "g0"];
    let user = bob.user.clone();
    let member = format!("/members/{user}");
    let me = format!("/members/{}", eve.user);
    let requests: &[(Method, &str, Option<Value>)] = &[
        (Method::GET, "", None),
        (Method::GET, "/messages", None),
        (Method::GET, "/messages?after=99", None),
        (Method::POST, "/messages", Some(json!({ "text": "let me in" }))),
        (Method::GET, "/members", None),
        (Method::GET, "/files", None),
        (Method::POST, "/read", Some(json!({ "seq": 1 }))),
    ];
    let of_groups: &[(Method, &str, Option<Value>)] = &[
        (Method::PATCH, "", Some(json!({ "name": "Mine" }))),
        (Method::DELETE, "", None),
        (Method::POST, "/members", Some(json!({ "users": [user] }))),
        (Method::POST, &member, None),
        (Method::POST, &me, None),
        (Method::PATCH, &member, Some(json!({ "role": "admin" }))),
        (Method::DELETE, &member, None),
        (Method::DELETE, &me, None),
    ];
    let answer = async |conversation: &str, (method, path, body): &(Method, &str, Option<Value>)| {
        let path = format!("/v1/conversations/{conversation}{path}");
        let said = eve.with_key(method.clone(), &path, None, body.clone()).await;
        (said.status, format!("{:?}", said.headers), String::from_utf8_lossy(&said.body).into_owned())
    };
    for request in requests {
        let first = answer(missing[0], request).await;
        assert_eq!(first.0, 404, "{request:?} {}", first.2);
        for conversation in foreign.iter().map(String::as_str).chain(missing) {
            assert_eq!(answer(conversation, request).await, first, "{conversation} {request:?}");
        }
    }
    for request in of_groups {
        let first = answer(missing[0], request).await;
        assert_eq!(first.0, 404, "{request:?} {}", first.2);
        for conversation in [group.as_str(), "g2048000", "g0", "nonsense"] {
            let said = answer(conversation, request).await;
            let joins = request.1 == me && request.0 == Method::POST;
            // An id in another form is no group's: it is refused before it is looked for.
            if !(joins && conversation.parse::<troupe_core::ConversationId>().is_err()) {
                assert_eq!(said, first, "{conversation} {request:?}");
            }
        }
    }
    // The same holds for members that were removed.
    assert_eq!(ann.delete(&format!("/v1/conversations/{group}{member}")).await.status, 200);
    let path = format!("/v1/conversations/{group}/messages");
    assert_eq!(bob.get(&path).await.code(404), "not_member");
    assert_eq!(bob.post(&path, json!({ "text": "still here" })).await.code(404), "not_member");
    node.stop().await;
}
