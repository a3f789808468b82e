//! Profiles, contacts, blocks, messages of strangers, and reports.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::administration::administrator;
use crate::harness::{one_node, within};
use crate::http::{Http, Said};
use crate::stream::Stream;

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

async fn put(http: &Http, path: &str, body: Option<Value>) -> Said {
    http.with_key(Method::PUT, path, None, body).await
}

/// The next change of a contact on a stream with this state.
async fn becomes(stream: &mut Stream, state: &str) -> Value {
    loop {
        let told = stream.until("contact").await;
        if told.text("state") == state {
            return told.data;
        }
    }
}

#[tokio::test]
async fn a_contact_is_asked_accepted_named_and_ended() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let (mut of_ann, mut of_bob) = (ann.stream("").await, bob.stream("").await);
    let (to_bob, to_ann) = (format!("/v1/contacts/{}", bob.user), format!("/v1/contacts/{}", ann.user));
    assert_eq!(ann.get(&to_bob).await.good()["state"], json!("none"));
    let asked = put(&ann, &to_bob, Some(json!({ "text": "hello" }))).await.good();
    assert_eq!((&asked["state"], &asked["text"]), (&json!("requested"), &json!("hello")));
    let received = becomes(&mut of_bob, "received").await;
    assert_eq!((&received["user_id"], &received["text"]), (&json!(ann.user), &json!("hello")));
    let accept = format!("{to_ann}/accept");
    assert_eq!(bob.with_key(Method::POST, &accept, None, None).await.good()["state"], json!("mutual"));
    let version = becomes(&mut of_ann, "mutual").await["version"].as_u64().expect("a version");
    let named = ann.patch(&to_bob, json!({ "remark": "Bob B." })).await.good();
    assert_eq!((&named["state"], &named["remark"]), (&json!("mutual"), &json!("Bob B.")));
    let list = ann.get("/v1/contacts").await.good();
    assert_eq!((list["contacts"].as_array().map(Vec::len), list.get("next")), (Some(1), None));
    // A device that was away asks for what it has missed.
    assert_eq!(bob.delete(&to_ann).await.status, 204);
    becomes(&mut of_ann, "none").await;
    let missed = ann.get(&format!("/v1/contacts?since={version}")).await.good();
    assert_eq!(missed["contacts"][0]["state"], json!("none"));
    assert_eq!(ann.get("/v1/contacts").await.good()["contacts"], json!([]));
    assert_eq!(bob.delete(&to_ann).await.code(404), "no_such_contact");
    assert_eq!(bob.with_key(Method::POST, &accept, None, None).await.code(404), "no_such_contact");
    // Requests that cross make contacts.
    put(&ann, &to_bob, Some(json!({}))).await.good();
    put(&bob, &to_ann, Some(json!({}))).await.good();
    becomes(&mut of_ann, "mutual").await;
    assert_eq!(put(&ann, "/v1/contacts/999", Some(json!({}))).await.code(404), "no_such_user");
    assert_eq!(put(&ann, &format!("/v1/contacts/{}", ann.user), Some(json!({}))).await.code(422), "bad_request");
    node.stop().await;
}

#[tokio::test]
async fn a_block_is_in_force_when_it_is_answered() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let direct = ann.direct(&bob);
    let messages = format!("/v1/conversations/{direct}/messages");
    bob.send(&direct, "hello").await;
    let block = format!("/v1/blocks/{}", bob.user);
    assert_eq!(put(&ann, &block, None).await.status, 204);
    let said = json!({ "body": { "kind": 1, "text": "are you there?" } });
    assert_eq!(bob.post(&messages, said.clone()).await.code(403), "not_taken");
    let like = format!("{messages}/1/reactions/%F0%9F%91%8D");
    assert_eq!(put(&bob, &like, None).await.code(403), "not_taken");
    assert_eq!(ann.get("/v1/blocks").await.good()["blocks"][0]["user_id"], json!(bob.user));
    // A request waits unseen, and a group is left at once.
    assert_eq!(
        put(&bob, &format!("/v1/contacts/{}", ann.user), Some(json!({}))).await.good()["state"],
        json!("requested")
    );
    let mut of_bob = bob.stream("").await;
    let group = bob.group("The team", &[&ann.user]).await;
    loop {
        let told = of_bob.until("message").await;
        if told.text("conversation") == group && told.text("kind") == "removed" {
            break;
        }
    }
    assert_eq!(ann.get("/v1/contacts").await.good()["contacts"], json!([]));
    assert_eq!(ann.delete(&block).await.status, 204);
    bob.send(&direct, "thank you").await;
    assert_eq!(ann.get("/v1/contacts").await.good()["contacts"][0]["state"], json!("received"));
    assert_eq!(bob.post(&messages, said).await.status, 200);
    node.stop().await;
}

#[tokio::test]
async fn a_strangers_first_message_waits_where_the_user_wants_it() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let set = ann.patch("/v1/me", json!({ "messages_from": "contacts" })).await.good();
    assert_eq!(set["messages_from"], json!("contacts"));
    let mut of_ann = ann.stream("").await;
    let direct = ann.direct(&bob);
    bob.send(&direct, "hello").await;
    let told = of_ann.until("invitation").await;
    assert_eq!((told.text("conversation"), told.text("invited_by")), (direct.as_str(), bob.user.as_str()));
    let listed = async || {
        let list = ann.get("/v1/conversations").await.good();
        list["conversations"].as_array().expect("a list").iter().any(|line| line["conversation"] == json!(direct))
    };
    assert!(!listed().await);
    let waiting = ann.get("/v1/invitations").await.good();
    assert_eq!((&waiting["invitations"][0]["name"], &waiting["invitations"][0]["seq"]), (&json!("bob"), &json!(1)));
    let accept = ann.post(&format!("/v1/invitations/{direct}/accept"), json!({ "seq": 1 })).await;
    assert_eq!(accept.status, 204);
    assert!(listed().await);
    node.stop().await;
}

#[tokio::test]
async fn plain_members_of_a_group_without_contact_do_not_get_to_know_each_other() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[&bob.user, &eve.user]).await;
    let path = format!("/v1/conversations/{group}");
    let members = format!("{path}/members");
    assert_eq!(bob.get(&members).await.good()["members"].as_array().map(Vec::len), Some(3));
    assert_eq!(bob.patch(&path, json!({ "no_contact": true })).await.code(403), "not_allowed");
    ann.patch(&path, json!({ "no_contact": true })).await.good();
    assert_eq!(bob.get(&format!("{path}/settings")).await.good()["no_contact"], json!(true));
    assert_eq!(bob.get(&members).await.code(403), "members_hidden");
    assert_eq!(ann.get(&members).await.good()["members"].as_array().map(Vec::len), Some(3));
    let said = ann.send(&group, "hello").await;
    let readers = format!("{path}/messages/{said}/readers");
    assert_eq!(bob.get(&readers).await.code(403), "members_hidden");
    assert_eq!(bob.get(&format!("{path}/readers?seqs={said}")).await.good()["counts"][0]["seen_by"], json!(2));

    // The list of a user may be a moment behind its groups.
    let ask = async |by: &Http, of: &Http| put(by, &format!("/v1/contacts/{}", of.user), Some(json!({}))).await;
    let listed = async |group: &str| {
        while !bob.get("/v1/conversations").await.good().to_string().contains(group) {
            tokio::task::yield_now().await;
        }
    };
    within(listed(&group)).await;
    assert_eq!(ask(&bob, &eve).await.code(403), "no_contact");
    let write = async |by: &Http, to: &Http, deliver_at_ms: Option<u64>| {
        let path = format!("/v1/conversations/{}/messages", by.direct(to));
        let mut message = json!({ "text": "hello" });
        if let Some(at) = deliver_at_ms {
            message["deliver_at_ms"] = json!(at);
        }
        by.post(&path, message).await
    };
    assert_eq!(write(&bob, &eve, None).await.code(403), "no_contact", "nor a first message");
    let soon = node.platform.clock.now().0 + 3_600_000;
    assert_eq!(write(&bob, &eve, Some(soon)).await.code(403), "no_contact", "nor a later one");
    assert_eq!(write(&ann, &eve, None).await.status, 200, "she keeps the group");
    assert_eq!(write(&eve, &ann, None).await.status, 200);
    assert_eq!(ask(&bob, &ann).await.good()["state"], json!("requested"), "she keeps the group");
    // Another group that both are in lets them.
    let other = ann.group("Friends", &[&bob.user, &eve.user]).await;
    within(listed(&other)).await;
    assert_eq!(write(&bob, &eve, None).await.status, 200);
    assert_eq!(ask(&bob, &eve).await.good()["state"], json!("requested"));
    ann.delete(&format!("/v1/conversations/{other}/members/{}", bob.user)).await.good();
    let received = async || {
        while eve.get(&format!("/v1/contacts/{}", bob.user)).await.good()["state"] != "received" {
            tokio::task::yield_now().await;
        }
    };
    within(received()).await;
    assert_eq!(write(&bob, &eve, None).await.status, 200, "it has begun");
    assert_eq!(ask(&eve, &bob).await.good()["state"], json!("mutual"), "it answers a request");
    node.stop().await;
}

#[tokio::test]
async fn a_report_waits_until_an_administrator_closes_it() {
    let node = one_node(LoginPolicy::Replace).await;
    let root = administrator(&node).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let direct = ann.direct(&bob);
    let seq = bob.send(&direct, "the text").await;
    let message = json!({ "conversation": direct, "seq": seq, "reason": "abuse" });
    for _ in 0..2 {
        assert_eq!(ann.post("/v1/reports", message.clone()).await.status, 204);
    }
    assert_eq!(ann.post("/v1/reports", json!({ "user": bob.user, "reason": "spam" })).await.status, 204);
    let foreign = json!({ "conversation": ann.group("Mine", &[]).await, "seq": 1, "reason": "x" });
    assert_eq!(bob.post("/v1/reports", foreign).await.code(404), "not_member");
    for missing in [seq + 1, seq + 9] {
        let missing = json!({ "conversation": direct, "seq": missing, "reason": "x" });
        assert_eq!(ann.post("/v1/reports", missing).await.code(404), "no_such_message");
    }
    assert_eq!(ann.post("/v1/reports", json!({ "user": ann.user, "reason": "x" })).await.code(422), "bad_request");
    assert_eq!(ann.get("/v1/admin/reports").await.code(403), "not_admin");
    let list = root.get("/v1/admin/reports").await.good();
    let rows = list["reports"].as_array().expect("a list");
    assert_eq!((rows.len(), &rows[0]["excerpt"], &rows[0]["about"]), (2, &json!("the text"), &json!(bob.user)));
    assert_eq!((&rows[1]["reason"], rows[1].get("conversation")), (&json!("spam"), None));
    let close = format!("/v1/admin/reports/{}/close", rows[0]["number"]);
    assert_eq!(root.post(&close, json!({ "note": "warned" })).await.status, 204);
    assert_eq!(root.post(&close, json!({})).await.code(404), "no_such_report");
    assert_eq!(root.get("/v1/admin/reports").await.good()["reports"].as_array().map(Vec::len), Some(1));
    let acts = root.get("/v1/admin/audit").await.good();
    let closed = acts["acts"].as_array().expect("acts").iter().find(|act| act["action"] == json!("report.close"));
    assert_eq!(closed.expect("it is recorded")["detail"], json!("warned"));
    node.stop().await;
}
