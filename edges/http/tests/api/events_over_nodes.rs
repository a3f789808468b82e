//! Exactly once and in order, over changes of leaders, reconnects, and the loss of a node.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use crate::harness::{Node, password, three_nodes, within};
use crate::http::Http;
use crate::stream::Stream;

async fn user(node: &Node, name: &str) -> Http {
    let guest = Http::of(node);
    let register = json!({ "name": name, "password": password(name) });
    within(async {
        // A fresh cluster elects its leaders first.
        let key = Some("000102030405060708090a0b0c0d0e0f");
        while guest.with_key(Method::POST, "/v1/register", key, Some(register.clone())).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        guest.logged_in(name, "http").await
    })
    .await
}

/// Sends once, however often it has to ask.
async fn send(http: &Http, conversation: &str, number: u64) -> u64 {
    let path = format!("/v1/conversations/{conversation}/messages");
    let key = format!("{number:032x}");
    within(async {
        loop {
            let said = http.with_key(Method::POST, &path, Some(&key), Some(json!({ "text": "text" }))).await;
            match said.status {
                200 => return said.json()["seq"].as_u64().expect("a seq"),
                503 | 504 => tokio::time::sleep(Duration::from_millis(50)).await,
                status => panic!("{status}"),
            }
        }
    })
    .await
}

/// Opens a stream, as soon as the shards answer.
async fn stream(http: &Http, id: &str) -> Stream {
    within(async {
        loop {
            let body = axum::body::Body::empty();
            let response = http.open(Method::GET, "/v1/events", &[("last-event-id", id)], body).await;
            match response.status().as_u16() {
                200 => return Stream::new(response.into_body()),
                503 | 504 => tokio::time::sleep(Duration::from_millis(50)).await,
                status => panic!("{status}"),
            }
        }
    })
    .await
}

/// Messages of one user to all conversations, and what a stream has told of them.
struct Story {
    conversations: Vec<String>,
    sent: u64,
    heads: BTreeMap<String, u64>,
    heard: BTreeMap<String, Vec<u64>>,
}

impl Story {
    async fn send_some(&mut self, from: &Http) {
        for conversation in &self.conversations {
            for _ in 0..4 {
                self.sent += 1;
                self.heads.insert(conversation.clone(), send(from, conversation, self.sent).await);
            }
        }
    }

    /// Until the stream has told all that was sent.
    async fn hear_all(&mut self, stream: &mut Stream) {
        let all = |(of, head): (&String, &u64), heard: &BTreeMap<String, Vec<u64>>| {
            heard.get(of).is_some_and(|seqs| seqs.contains(head))
        };
        while !self.heads.iter().all(|head| all(head, &self.heard)) {
            let (conversation, seq) = stream.place().await;
            self.heard.entry(conversation).or_default().push(seq);
        }
    }
}

#[tokio::test]
async fn each_event_comes_once_and_in_order_over_leaders_and_nodes() {
    let mut nodes = three_nodes().await;
    let ann = user(&nodes[0], "ann").await;
    let bob = user(&nodes[1], "bob").await;
    let group = bob.group("The team", &[&ann.user]).await;
    let conversations = vec!["everyone".to_owned(), ann.direct(&bob), group];
    let mut story = Story { conversations, sent: 0, heads: BTreeMap::new(), heard: BTreeMap::new() };
    let mut opened = stream(&ann, "").await;
    opened.until("ready").await;
    let begun = opened.id.clone();
    story.send_some(&bob).await;
    story.hear_all(&mut opened).await;
    // The stream stays open while the leaders change.
    for node in &nodes[..2] {
        node.cluster.hand_over(Duration::from_secs(5)).await;
        story.send_some(&bob).await;
        story.hear_all(&mut opened).await;
    }
    // Its node goes, and it resumes at another one.
    let id = opened.id.clone();
    story.send_some(&bob).await;
    drop(opened);
    nodes.remove(0).stop().await;
    let ann = Http::of(&nodes[0]).with_token(ann.token());
    let bob = Http::of(&nodes[1]).with_token(bob.token());
    story.send_some(&bob).await;
    let mut opened = stream(&ann, &id).await;
    story.send_some(&bob).await;
    story.hear_all(&mut opened).await;
    for (conversation, head) in &story.heads {
        let seqs = &story.heard[conversation];
        assert!(seqs.iter().copied().eq(head + 1 - seqs.len() as u64..=*head), "{conversation}: {seqs:?}");
    }
    // From the beginning, all of it comes again, once.
    let mut opened = stream(&ann, &begun).await;
    let mut again: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    while again != story.heard {
        let (conversation, seq) = opened.place().await;
        again.entry(conversation).or_default().push(seq);
        assert!(again.iter().all(|(of, seqs)| story.heard[of].starts_with(seqs)), "{again:?}");
    }
    for node in nodes {
        node.stop().await;
    }
}
