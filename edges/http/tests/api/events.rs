//! Event streams and polls at one node.

use std::time::Duration;

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::encoding::encode_varint;
use serde_json::json;
use sha2::{Digest, Sha256};
use troupe_raft::api::LoginPolicy;

use crate::harness::{Node, one_node, within};
use crate::http::Http;
use crate::stream::places;

async fn ann_and_bob(node: &Node) -> (Http, Http) {
    (Http::user(node, "ann").await, Http::user(node, "bob").await)
}

fn everyone(seq: u64) -> (String, u64) {
    ("everyone".to_owned(), seq)
}

#[tokio::test]
async fn a_stream_tells_each_event_once_and_resumes_where_it_was() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = ann_and_bob(&node).await;
    bob.send("everyone", "before").await;
    let mut stream = ann.stream_without_reading("").await;
    // A stream without a cursor begins at the present heads, and says so.
    let begins = stream.until("conversation").await;
    assert_eq!(begins.data, json!({ "conversation": "everyone", "present": true, "after": 1 }));
    let ready = stream.until("ready").await;
    assert_eq!((ready.text("user_id"), ready.text("cluster_id").len()), (ann.user.as_str(), 32));
    bob.send("everyone", "hé").await;
    let told = stream.until("message").await;
    let history = ann.get("/v1/conversations/everyone/messages?after=1").await.good();
    let mut shown = history["messages"][0].clone();
    shown["conversation"] = json!("everyone");
    assert_eq!(told.data, shown, "the shape of history");
    // A conversation that begins while the stream is open comes from its first event on.
    let direct = ann.direct(&bob);
    bob.send(&direct, "privately").await;
    assert_eq!(stream.place().await, (direct.clone(), 1));
    let id = stream.id.clone();
    drop(stream);

    // The events of the time in between come first, also those of new conversations.
    bob.send("everyone", "three").await;
    bob.send(&direct, "two").await;
    let group = bob.group("The team", &[&ann.user]).await;
    bob.send(&group, "welcome").await;
    let mut stream = ann.stream(&id).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(stream.place().await);
    }
    told.sort();
    // A member sees a group from the event on that made it one.
    let mut missed = vec![(direct.clone(), 2), everyone(3), (group.clone(), 2), (group.clone(), 3)];
    missed.sort();
    assert_eq!(told, missed);
    // And live events follow without a gap.
    bob.send(&group, "live").await;
    assert_eq!(stream.place().await, (group.clone(), 4));

    // A reader that stopped in the middle gets the rest only.
    let mut again = ann.stream(&id).await;
    let first = again.place().await;
    let id = again.id.clone();
    assert_eq!(stream.end().await, "moved", "another stream of the same session");
    drop(again);
    let mut again = ann.stream(&id).await;
    let mut rest = vec![first];
    for _ in 0..4 {
        rest.push(again.place().await);
    }
    rest.sort();
    missed.push((group, 4));
    missed.sort();
    assert_eq!(rest, missed);
    node.stop().await;
}

#[tokio::test]
async fn a_stream_tells_who_reads_who_invites_and_who_leaves() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = ann_and_bob(&node).await;
    let group = bob.group("The team", &[&ann.user]).await;
    let mut stream = ann.stream("").await;
    bob.post(&format!("/v1/conversations/{group}/read"), json!({ "seq": 2 })).await;
    let read = stream.until("read").await;
    let shown = json!({ "conversation": group, "user_id": bob.user, "read": 2, "delivered": 2 });
    assert_eq!((read.data, read.id), (shown, None));
    bob.delete(&format!("/v1/conversations/{group}/members/{}", ann.user)).await.good();
    // In either order: the event that removes her, and the end of the conversation.
    let mut told = [stream.next().await.expect("goes on"), stream.next().await.expect("goes on")];
    told.sort_by_key(|told| told.name.clone());
    assert_eq!(told[0].data, json!({ "conversation": group, "present": false }));
    assert_eq!((told[1].text("kind"), &told[1].data["body"]["user"]), ("removed", &json!(ann.user)));
    let id = stream.id.clone();
    bob.send(&group, "without ann").await;
    bob.send("everyone", "with all").await;
    assert_eq!(stream.place().await, everyone(1), "nothing of a group that she has left");
    drop(stream);

    // Back again, she gets what she may see, and nothing twice.
    bob.post(&format!("/v1/conversations/{group}/members/{}", ann.user), json!({})).await.good();
    bob.send(&group, "welcome back").await;
    let mut stream = ann.stream(&id).await;
    let mut told = vec![stream.place().await, stream.place().await, stream.place().await];
    told.sort();
    assert_eq!(told, [everyone(1), (group.clone(), 5), (group, 6)]);
    node.stop().await;
}

#[tokio::test]
async fn a_poll_answers_when_there_is_something_and_goes_on_by_its_cursor() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = ann_and_bob(&node).await;
    let (begins, cursor) = ann.poll("wait=0").await;
    assert_eq!(begins.iter().map(|told| told.name.as_str()).collect::<Vec<_>>(), ["conversation"]);
    let (nothing, same) = ann.poll(&format!("wait=0&after={cursor}")).await;
    assert!(nothing.is_empty() && same == cursor);
    let online = bob.get(&format!("/v1/users/{}", ann.user)).await.good();
    assert_eq!(online["online"], json!(false), "a plain read opens no connection");

    let waits = {
        let (ann, cursor) = (ann.clone(), cursor.clone());
        tokio::spawn(async move { ann.poll(&format!("wait=30&after={cursor}")).await })
    };
    within(async {
        while bob.get(&format!("/v1/users/{}", ann.user)).await.good()["online"] != json!(true) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let direct = ann.direct(&bob);
    bob.send("everyone", "one").await;
    let (told, cursor) = within(waits).await.expect("no panic");
    assert_eq!(places(&told), [everyone(1)]);
    bob.send("everyone", "two").await;
    bob.send(&direct, "privately").await;
    let (told, cursor) = ann.poll(&format!("wait=30&after={cursor}")).await;
    let mut found = places(&told);
    let mut last = cursor;
    // A poll may answer between the two.
    while found.len() < 2 {
        let (told, cursor) = ann.poll(&format!("wait=30&after={last}")).await;
        found.extend(places(&told));
        last = cursor;
    }
    found.sort();
    assert_eq!(found, [(direct, 1), everyone(2)]);
    // A stream goes on where a poll was, and the header has precedence.
    bob.send("everyone", "three").await;
    let mut stream = ann.stream(&last).await;
    assert_eq!(stream.place().await, everyone(3));
    let path = format!("/v1/events?wait=0&after={last}");
    let body = axum::body::Body::empty();
    let said = ann.ask(Method::GET, &path, &[("last-event-id", &stream.id)], body).await;
    assert!(crate::stream::polled(said).0.is_empty());
    // A poll that waits in vain ends in time.
    let (told, _) = ann.poll(&format!("wait=1&after={}", stream.id)).await;
    assert!(told.is_empty());
    assert_eq!(stream.end().await, "moved", "a poll that waits is the connection of the device, too");
    for wrong in ["wait=61", "wait=-1", "wait=x", "until=5"] {
        assert_eq!(ann.get(&format!("/v1/events?{wrong}")).await.code(400), "bad_request");
    }
    node.stop().await;
}

/// A cursor of this user, as this cluster would make it.
fn forged(of: &str, user: &str, everyone: u64) -> String {
    let real = URL_SAFE_NO_PAD.decode(of).expect("base64");
    let mut bytes = real[..10].to_vec();
    bytes[1] = 3;
    for number in [0, user.parse().expect("an id"), everyone, 0, 0] {
        encode_varint(number, &mut bytes);
    }
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum[..4]);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_cursor_that_cannot_be_resumed_says_what_to_do_and_ends_no_stream() {
    let (node, other) = (one_node(LoginPolicy::Replace).await, one_node(LoginPolicy::Replace).await);
    let (ann, bob) = ann_and_bob(&node).await;
    bob.send("everyone", "one").await;
    let mut stream = ann.stream("").await;
    let good = stream.id.clone();
    let elsewhere = Http::user(&other, "ann").await.stream("").await.id;
    let of_bob = bob.stream("").await.id;
    let as_good = forged(&good, &ann.user, 1);
    assert_eq!(ann.poll(&format!("wait=0&after={as_good}")).await.0.len(), 0, "the forger is good");
    let ahead = forged(&good, &ann.user, 2);
    for (id, status, code) in [
        ("x", 400, "cursor_damaged"),
        (&good[..good.len() - 1], 400, "cursor_damaged"),
        (&"A".repeat(20_000), 400, "cursor_damaged"),
        (elsewhere.as_str(), 409, "cursor_foreign"),
        (of_bob.as_str(), 409, "cursor_foreign"),
        (ahead.as_str(), 409, "cursor_ahead"),
    ] {
        for query in ["", "?wait=0", "?wait=5"] {
            let path = format!("/v1/events{query}");
            let body = axum::body::Body::empty();
            let said = ann.ask(Method::GET, &path, &[("last-event-id", id)], body).await;
            assert_eq!(said.code(status), code, "{id} {query}");
            assert!(said.json()["detail"].as_str().is_some_and(|detail| detail.contains("connect without it")));
        }
    }
    assert_eq!(Http::of(&node).get("/v1/events").await.code(401), "not_logged_in");
    bob.send("everyone", "two").await;
    assert_eq!(stream.place().await, everyone(2), "the stream of the device goes on");
    node.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_says_why() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, _) = ann_and_bob(&node).await;
    let mut stream = ann.stream("").await;
    let phone = ann.logged_in("ann", "phone").await;
    let mut of_phone = phone.stream("").await;
    // The same device again.
    let ann = ann.logged_in("ann", "http").await;
    assert_eq!(stream.end().await, "replaced");
    let mut stream = ann.stream("").await;
    assert_eq!(phone.post("/v1/logout", json!({})).await.status, 204);
    assert_eq!(of_phone.end().await, "logged_out");
    // A native connection of the same session is the newer one.
    let mut native = node.greeted().await;
    let token = URL_SAFE_NO_PAD.decode(ann.token()).expect("base64");
    use crate::harness::Ask;
    use troupe_proto::wire::client as wire;
    native.ask(Ask::Resume(wire::Resume { token: token.into() })).await;
    assert_eq!(stream.end().await, "moved");
    let mut stream = ann.stream("").await;
    assert!(
        matches!(native.end().await, Some(crate::harness::ServerMessage::Kicked(kicked)) if kicked.code == "moved")
    );
    assert_eq!(ann.delete("/v1/me/sessions/http").await.status, 204);
    assert_eq!(stream.end().await, "revoked");
    assert_eq!(node.handle.platform().metrics.event_streams.get(), 0);
    node.stop().await;
}

#[tokio::test]
async fn where_one_login_is_allowed_a_stream_is_one() {
    let node = one_node(LoginPolicy::Refuse).await;
    let (ann, bob) = ann_and_bob(&node).await;
    let stream = ann.stream("").await;
    let another = json!({ "name": "ann", "password": crate::harness::password("ann"), "device": "tv" });
    assert_eq!(bob.post("/v1/login", another.clone()).await.code(409), "already_online");
    drop(stream);
    within(async {
        while bob.post("/v1/login", another.clone()).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    node.stop().await;
}

#[tokio::test]
async fn a_silent_stream_is_kept_open_by_comments() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = ann_and_bob(&node).await;
    let mut stream = ann.stream("").await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(25)).await;
    tokio::time::resume();
    bob.send("everyone", "one").await;
    assert_eq!(stream.place().await, everyone(1));
    assert_eq!(stream.comments, 1);
    node.stop().await;
}
