//! Bodies of each type, answers, threads and mentions.

use serde_json::{Value, json};
use troupe_core::FileHash;
use troupe_raft::api::LoginPolicy;

use crate::files::uploaded;
use crate::harness::one_node;
use crate::http::Http;

const FILE: &[u8] = b"a file of all these bodies";

fn file(name: &str, media_type: &str) -> Value {
    let hash = FileHash::of_file(FILE).expect("a name").to_string();
    json!({ "hash": hash, "name": name, "size": 1000, "type": media_type })
}

#[tokio::test]
async fn bodies_of_each_type_are_sent_and_shown() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let path = format!("/v1/conversations/{}/messages", ann.direct(&bob));
    let picture = file("cat.png", "image/png");
    uploaded(&ann, &ann.direct(&bob), "cat.png", FILE).await;
    let preview = uploaded(&ann, &ann.direct(&bob), "small.png", b"a preview").await;
    let caption = "the *cat*";
    let bodies = [
        json!({ "type": "text", "text": "**hé**" }),
        json!({ "type": "image", "file": picture, "width": 640, "height": 480, "preview": preview, "caption": caption }),
        json!({ "type": "voice", "file": file("a.ogg", "audio/ogg"), "duration_ms": 900 }),
        json!({ "type": "video", "file": file("a.mp4", "video/mp4"), "width": 640, "height": 480, "duration_ms": 9 }),
        json!({ "type": "file", "file": file("a.txt", "text/plain"), "caption": caption }),
        json!({ "type": "sticker", "set": "cats", "name": "wave" }),
        json!({ "type": "emoji", "emoji": "👍" }),
        json!({ "type": "card", "user": ann.user, "name": "Ann" }),
        json!({ "type": "card", "group": "g1024" }),
        json!({ "type": "location", "latitude": -52.5200001, "longitude": 13.405, "name": "Berlin" }),
        json!({ "type": "custom", "name": "org.example/order", "data": "AP8=" }),
        json!({ "type": "notice", "text": "noon" }),
    ];
    for body in &bodies {
        ann.post(&path, json!({ "body": body })).await.good();
    }
    let page = bob.get(&path).await.good();
    let shown = page["messages"].as_array().expect("a list");
    assert_eq!(shown.len(), bodies.len());
    for (event, sent) in shown.iter().zip(&bodies) {
        let body = event["body"].as_object().expect("an object");
        let is_text = sent["type"] == "text";
        assert!(body["kind"].as_u64().is_some_and(|kind| (kind == 1) == is_text), "{body:?}");
        assert_eq!(body.contains_key("content"), !is_text, "{body:?}");
        let typed: serde_json::Map<String, Value> = body
            .iter()
            .filter(|(name, _)| *name != "kind" && *name != "content")
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        assert_eq!(&Value::Object(typed), sent);
        // The bytes that a client does not understand are the same body.
        if !is_text {
            let again = json!({ "body": { "kind": body["kind"], "content": body["content"] } });
            let seq = ann.post(&path, again).await.good()["seq"].as_u64().expect("a seq");
            let page = bob.get(&format!("{path}?after={}&limit=1", seq - 1)).await.good();
            assert_eq!(page["messages"][0]["body"], event["body"]);
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn a_body_that_cannot_be_is_refused() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let path = "/v1/conversations/everyone/messages";
    let of_file = |change: &str, value: Value| {
        let mut file = file("a.txt", "text/plain");
        file[change] = value;
        json!({ "type": "file", "file": file })
    };
    let refused = [
        (json!({ "type": "letter" }), 400, "bad_request"),
        (json!({ "type": "text" }), 400, "bad_request"),
        (json!({ "type": "text", "kind": 1, "text": "a" }), 400, "bad_request"),
        (json!({ "type": "text", "text": "a", "width": 3 }), 400, "bad_request"),
        (json!({ "type": "location", "latitude": 1 }), 400, "bad_request"),
        (json!({ "type": "location", "latitude": 91, "longitude": 0 }), 422, "bad_location"),
        (json!({ "type": "location", "latitude": 1e300, "longitude": 0 }), 422, "bad_location"),
        (of_file("hash", json!("07")), 400, "bad_request"),
        (of_file("name", json!("../a.txt")), 422, "bad_attachment"),
        (of_file("size", json!(0)), 422, "bad_attachment"),
        (of_file("type", json!("text")), 422, "bad_attachment"),
        (json!({ "type": "emoji", "emoji": "ok" }), 422, "bad_content"),
        (json!({ "type": "card", "name": "Ann" }), 422, "bad_content"),
        (json!({ "type": "notice", "text": "x".repeat(5_000) }), 422, "bad_content"),
        (json!({ "kind": 2, "content": "/w==" }), 422, "bad_content"),
    ];
    for (body, status, code) in refused {
        assert_eq!(ann.post(path, json!({ "body": body })).await.code(status), code, "{body}");
    }
    assert_eq!(ann.texts("everyone").await.len(), 0, "nothing was placed");
    node.stop().await;
}

#[tokio::test]
async fn a_message_refers_to_what_its_sender_sees() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[]).await;
    let path = format!("/v1/conversations/{group}/messages");
    let before = ann.send(&group, "before bob").await;
    ann.post(&format!("/v1/conversations/{group}/members"), json!({ "users": [bob.user] })).await.good();
    let root = ann.send(&group, "a root").await;
    let answer =
        json!({ "text": "so", "reply_to": root, "thread": root, "mentions": [ann.user], "mentions_everyone": true });
    let mut stream = ann.stream("").await;
    let seq = bob.post(&path, answer.clone()).await.good()["seq"].as_u64().expect("a seq");
    let told = stream.until("message").await.data;
    let page = ann.get(&format!("{path}?after={}&limit=1", seq - 1)).await.good();
    for event in [&told, &page["messages"][0]] {
        for field in ["reply_to", "thread", "mentions", "mentions_everyone"] {
            assert_eq!(event[field], answer[field], "{field}: {event}");
        }
    }
    let refers = |field: &str, to: u64| json!({ "text": "so", field: to });
    assert_eq!(bob.post(&path, refers("reply_to", before)).await.code(404), "no_such_message");
    assert_eq!(bob.post(&path, refers("thread", before)).await.code(404), "no_such_message");
    assert_eq!(ann.post(&path, refers("reply_to", before)).await.status, 200);
    assert_eq!(ann.post(&path, refers("reply_to", 9_999)).await.code(404), "no_such_message");
    assert_eq!(ann.post(&path, refers("thread", seq)).await.code(422), "bad_thread");
    let twice = json!({ "text": "so", "mentions": [ann.user, ann.user] });
    assert_eq!(bob.post(&path, twice).await.code(422), "bad_mentions");
    node.stop().await;
}
