//! A shard that does not answer delays what depends on it, and nothing else.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use troupe_actors::message::wire;
use troupe_core::{ConversationId, NodeId, Slot, UserId};

use crate::harness::{Client, HERE, Node, three_nodes_with, within};

/// The node that leads the shard of a slot, once there is one.
async fn leader_of(node: &Node, slot: Slot) -> NodeId {
    within(async {
        loop {
            let routing = node.cluster.routing().borrow().clone();
            if let Some((leader, _)) = routing.shards.and_then(|map| routing.leader(map.shard(slot))) {
                return leader;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

/// A client whose account and whose conversation with `other` do not need this node.
async fn client_without(node: &Node, victim: NodeId, name: &str, other: Option<u64>) -> Client {
    for number in 0..40 {
        let client = node.client(&format!("{name}{number}")).await;
        let user = UserId(client.user);
        let direct = other.and_then(|other| ConversationId::direct(user, UserId(other)));
        let mut slots = vec![user.slot()];
        slots.extend(direct.map(ConversationId::slot));
        let mut needs = false;
        for slot in slots {
            needs |= leader_of(node, slot).await == victim;
        }
        if !needs {
            return client;
        }
    }
    panic!("all accounts are on one node");
}

#[tokio::test]
async fn a_sender_whose_shard_is_silent_delays_no_other() {
    // Each shard is on one node only.
    let mut nodes = three_nodes_with(1).await;
    within(async { while nodes[0].ask(HERE, "POST", "/registerAccount", r#"{"userName":"first"}"#).await.0 != 200 {} })
        .await;
    let here = nodes[0].cluster.me();
    let channel = leader_of(&nodes[0], ConversationId::Everyone.slot()).await;
    let leads = async |node: NodeId| {
        let routing = nodes[0].cluster.routing().borrow().clone();
        routing.placement.keys().any(|shard| routing.leader(*shard).is_some_and(|(leader, _)| leader == node))
    };
    let mut victim = None;
    for (at, node) in nodes.iter().enumerate() {
        let id = node.cluster.me();
        if id != here && id != channel && leads(id).await {
            victim = Some((at, id));
        }
    }
    let (at, victim) = victim.expect("four shards are on three nodes");
    let mut silent = None;
    for number in 0..40 {
        let name = format!("silent{number}");
        let native = nodes[0].native(&name).await;
        if leader_of(&nodes[0], native.user().slot()).await == victim {
            silent = Some(native);
            break;
        }
    }
    let silent = silent.expect("an account on that node");
    let mut bob = client_without(&nodes[0], victim, "bob", None).await;
    let ann = client_without(&nodes[0], victim, "ann", Some(bob.user)).await;
    assert_eq!(nodes[0].p2p(ann.user, bob.user, "before").await, "9000");
    assert_eq!(bob.texts(1).await, ["before"]);

    nodes.remove(at).stop().await;
    let body = Some(wire::Body { kind: 1, content: Bytes::from_static(b"from a silent shard"), context: None });
    let (conversation, client_message_id) = ("everyone".to_owned(), Bytes::from_static(&[7; 16]));
    let send = wire::Send { conversation, client_message_id, after: Bytes::new(), body };
    nodes[0].perform(&silent, send).await.expect("the channel has its leader");
    let begun = Instant::now();
    for text in ["one", "two"] {
        assert_eq!(nodes[0].p2p(ann.user, bob.user, text).await, "9000");
        assert_eq!(bob.texts(1).await, [text]);
        // The name of the silent sender is asked for all the while.
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    for node in nodes {
        node.stop().await;
    }
}
