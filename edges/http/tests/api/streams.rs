//! Messages that grow word by word: pieces, their repeats, the state between, and the end.

use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

async fn message(http: &Http, path: &str, seq: u64) -> Value {
    let page = http.get(&format!("{path}?after={}&limit=1", seq - 1)).await.good();
    page["messages"][0].clone()
}

#[tokio::test]
async fn a_message_grows_by_pieces_until_its_end() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let here = ann.direct(&bob);
    let messages = format!("/v1/conversations/{here}/messages");
    let mut stream = bob.stream("").await;
    let sent = ann.post(&messages, json!({ "text": "", "stream": true })).await.good();
    let seq = sent["seq"].as_u64().expect("a seq");
    let path = format!("{messages}/{seq}");
    assert_eq!(stream.until("message").await.data["stream"], true);
    let piece = |index: u64, text: &str| json!({ "index": index, "text": text });
    for (index, text) in [(0, "Once "), (0, "Once "), (1, "upon "), (0, "Once ")] {
        assert_eq!(ann.post(&format!("{path}/pieces"), piece(index, text)).await.status, 204);
    }
    let told = stream.until("piece").await.data;
    let first = json!({ "conversation": here, "user_id": ann.user, "message": seq, "index": 0, "text": "Once " });
    assert_eq!(told, first);
    assert_eq!(stream.until("piece").await.data["index"], 1, "a repeat is not shown");
    let shown = message(&bob, &messages, seq).await;
    assert_eq!(shown["streaming"], json!({ "text": "Once upon ", "pieces": 2 }), "any sender goes on from here");
    let later = sent["time_ms"].as_u64().expect("a time") + 3_600_000;
    for (http, path, body, status, code) in [
        (&ann, format!("{path}/pieces"), piece(3, "a gap"), 409, "piece_gap"),
        (&bob, format!("{path}/pieces"), piece(2, "mine"), 403, "not_your_message"),
        (&ann, format!("{path}/pieces"), piece(2, ""), 422, "bad_request"),
        (&ann, format!("{messages}/99/pieces"), piece(0, "x"), 404, "no_such_message"),
        (&ann, messages.clone(), json!({ "body": { "kind": 1000, "content": "" }, "stream": true }), 422, "bad_stream"),
        (&ann, messages.clone(), json!({ "text": "x", "stream": true, "deliver_at_ms": later }), 422, "bad_stream"),
        (&ann, messages.clone(), json!({ "text": "" }), 400, "bad_request"),
    ] {
        assert_eq!(http.post(&path, body).await.code(status), code, "{path}");
    }
    assert_eq!(ann.patch(&path, json!({ "text": "x" })).await.code(409), "stream_open");
    let end = |text: &str| Some(json!({ "text": text }));
    let ended = ann.with_key(Method::POST, &format!("{path}/end"), KEY, end("")).await.good();
    let told = stream.kind("stream_ended").await.data;
    let body = json!({ "kind": 1, "type": "text", "text": "Once upon " });
    assert_eq!(told["body"], json!({ "to": seq, "body": body, "aborted": false }));
    let again = ann.with_key(Method::POST, &format!("{path}/end"), KEY, end("")).await.good();
    assert_eq!((&again["seq"], &again["duplicate"]), (&ended["seq"], &json!(true)));
    let shown = message(&bob, &messages, seq).await;
    assert_eq!((&shown["streaming"], &shown["edited"]["body"]), (&Value::Null, &body));
    assert_eq!(ann.post(&format!("{path}/pieces"), piece(2, "late")).await.code(409), "stream_over");
    ann.patch(&path, json!({ "text": "Once" })).await.good();
    node.stop().await;
}
