//! Streams that do not read.

use std::time::Duration;

use troupe_core::limits;
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, within};
use crate::http::Http;

#[tokio::test]
async fn a_slow_reader_is_ended_and_misses_nothing_when_it_comes_back() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let senders = [Http::user(&node, "bob").await, Http::user(&node, "carl").await];
    let mut stream = ann.stream("").await;
    let text = "x".repeat(60_000);
    let many = 2 + limits::CONNECTION_OUT_BYTES as u64 / 60_000;
    let mut sent = 0;
    for _ in 0..=many / 2 {
        for sender in &senders {
            sent = sender.send("everyone", &text).await;
        }
    }
    within(async {
        while node.handle.platform().metrics.event_streams.get() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let waiting = node.handle.service().output().waiting();
    assert!(waiting < 100_000, "{waiting} bytes are held for a stream that has ended");
    // The events before the end are whole, and the rest comes to the next stream.
    let mut seqs = Vec::new();
    let code = loop {
        let told = stream.next().await.expect("an end with its reason");
        match told.name.as_str() {
            "message" => seqs.extend(told.data["seq"].as_u64()),
            "end" => break told.text("code").to_owned(),
            _ => {}
        }
    };
    assert_eq!(code, "slow_consumer");
    assert!((seqs.len() as u64) < sent, "it has read all");
    let mut stream = ann.stream(&stream.id).await;
    while (seqs.len() as u64) < sent {
        seqs.push(stream.place().await.1);
    }
    assert!(seqs.into_iter().eq(1..=sent));
    node.stop().await;
}
