//! The channel of a client: what it gets, in which order, and once.

use futures::future::join_all;
use serde_json::json;
use troupe_edge_cim::frame::Command;

use crate::harness::{HERE, code, one_node};

#[tokio::test]
async fn private_and_group_messages_arrive_with_their_sender() {
    let node = one_node().await;
    let (mut ann, mut bob) = (node.client("ann").await, node.client("bob").await);
    assert_eq!(node.p2p(ann.user, bob.user, "hi").await, "9000");
    assert_eq!(bob.messages(1).await, [(Command::Message, "ann".to_owned(), "hi".to_owned())]);
    assert_eq!(node.p2p(bob.user, ann.user, "ho").await, "9000");
    assert_eq!(ann.messages(1).await, [(Command::Message, "bob".to_owned(), "ho".to_owned())]);
    node.group(ann.user, "all of you").await;
    assert_eq!(bob.messages(1).await, [(Command::Message, "ann".to_owned(), "all of you".to_owned())]);
    // A sender gets nothing of its own.
    ann.is_quiet().await;
    let answer = node.ask(HERE, "GET", "/onlineUser", "").await.1;
    assert!(answer.contains(r#""userName":"ann""#) && answer.contains(r#""userName":"bob""#), "{answer}");
    node.stop().await;
}

#[tokio::test]
async fn a_client_gets_what_it_missed_once_and_then_what_is_new() {
    let node = one_node().await;
    let ann = node.client("ann").await;
    let bob = node.client("bob").await;
    drop(bob);
    let bob = node.register("bob").await;
    node.log_out(bob).await;
    let sent: Vec<String> = (0..250).map(|number| format!("message {number}")).collect();
    for batch in sent.chunks(100) {
        let body = json!({ "userId": ann.user, "receiveUserId": bob, "batchMsg": batch });
        assert_eq!(code(&node.post("/p2pRoute", body).await), "7000");
    }
    let mut away = node.client("bob").await;
    let missed = away.messages(250).await;
    assert!(missed.iter().all(|(command, sender, _)| *command == Command::Offline && sender == "ann"));
    assert_eq!(missed.into_iter().map(|(_, _, text)| text).collect::<Vec<_>>(), sent);
    assert_eq!(code(&node.post("/fetchOfflineMsgs", json!({ "receiveUserId": bob })).await), "9000");
    away.is_quiet().await;
    assert_eq!(node.p2p(ann.user, bob, "live").await, "9000");
    assert_eq!(away.messages(1).await, [(Command::Message, "ann".to_owned(), "live".to_owned())]);
    // At once again: nothing comes twice.
    node.log_out(bob).await;
    let mut again = node.client("bob").await;
    assert_eq!(code(&node.post("/fetchOfflineMsgs", json!({ "receiveUserId": bob })).await), "9000");
    again.is_quiet().await;
    node.stop().await;
}

#[tokio::test]
async fn a_channel_holds_what_was_said_to_all_during_an_absence() {
    let node = one_node().await;
    let ann = node.client("ann").await;
    node.group(ann.user, "before bob").await;
    let bob = node.client("bob").await;
    let user = bob.user;
    node.log_out(user).await;
    node.group(ann.user, "while bob is away").await;
    let mut bob = node.client("bob").await;
    assert_eq!(bob.messages(1).await, [(Command::Offline, "ann".to_owned(), "while bob is away".to_owned())]);
    bob.is_quiet().await;
    node.stop().await;
}

#[tokio::test]
async fn a_batch_is_placed_in_its_order() {
    let node = one_node().await;
    let (ann, mut bob) = (node.client("ann").await, node.client("bob").await);
    let batch: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let body = json!({ "userId": ann.user, "receiveUserId": bob.user, "msg": null, "batchMsg": batch });
    assert_eq!(code(&node.post("/p2pRoute", body).await), "9000");
    assert_eq!(bob.texts(100).await, batch);
    node.stop().await;
}

#[tokio::test]
async fn a_repeated_request_with_a_number_and_a_time_places_one_message() {
    let node = one_node().await;
    let (ann, mut bob) = (node.client("ann").await, node.client("bob").await);
    let body = json!({
        "userId": ann.user, "receiveUserId": bob.user, "msg": "once", "reqNo": "7", "timeStamp": 1_700_000_000,
    });
    let answers = join_all((0..8).map(|_| node.post("/p2pRoute", body.clone()))).await;
    assert!(answers.iter().all(|answer| code(answer) == "9000"));
    node.p2p(ann.user, bob.user, "twice").await;
    node.p2p(ann.user, bob.user, "twice").await;
    assert_eq!(bob.texts(3).await, ["once", "twice", "twice"]);
    bob.is_quiet().await;
    node.stop().await;
}
