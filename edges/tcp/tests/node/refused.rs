//! Refusals before the log: by rules that need no state, by size, and while disks are almost full.

use std::time::Duration;

use crate::harness::{Ask, Node, ServerMessage, message, one_node, password, three_nodes, within};
use tokio::time::sleep;
use troupe_core::command::{Append, Intent};
use troupe_core::{ClientMessageId, Command, ConversationId, GroupId, UserId, limits};
use troupe_proto::wire::client as wire;
use troupe_raft::api::LoginPolicy;
use troupe_store::engine::Space;

/// The last index of every log.
async fn log_ends(node: &Node) -> Vec<u64> {
    node.cluster.status().await.replicas.iter().map(|replica| replica.last_log).collect()
}

fn rename(group: &str, name: String, request: bytes::Bytes) -> Ask {
    let change = Some(wire::change_group::Change::Rename(name));
    Ask::ChangeGroup(wire::ChangeGroup { request, conversation: group.to_owned(), change })
}

#[tokio::test]
async fn what_every_replica_would_refuse_enters_no_log() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    let before = log_ends(&node).await;
    let long = "n".repeat(limits::FRAME_BYTES - 256);
    // The group need not even exist.
    let renames: Vec<Ask> = (0..8).map(|_| rename("g1024", long.clone(), ann.fresh_id())).collect();
    for rename in renames {
        assert_eq!(ann.fails(rename).await.code, "bad_name");
    }
    let create = wire::CreateGroup { request: ann.fresh_id(), name: long, open: false, members: Vec::new() };
    assert_eq!(ann.fails(Ask::CreateGroup(create)).await.code, "bad_name");
    let large = message("everyone", &"x".repeat(limits::MESSAGE_BYTES + 1), ann.fresh_id());
    assert_eq!(ann.fails(Ask::Send(large)).await.code, "too_large");
    let empty = message("everyone", "", ann.fresh_id());
    assert_eq!(ann.fails(Ask::Send(empty)).await.code, "bad_request");
    assert_eq!(log_ends(&node).await, before);
    node.stop().await;
}

#[tokio::test]
async fn the_proposing_node_checks_what_another_edge_has_let_through() {
    use troupe_actors::message::{Refusal, Request};
    let node = one_node(LoginPolicy::Replace).await;
    // A login is in the log of one shard; by then each has a leader, which has begun its log.
    node.user("ann").await;
    let mut led = node.cluster.led();
    within(led.wait_for(|led| led.len() == node.config.shards as usize)).await.expect("it runs");
    let before = log_ends(&node).await;
    let of = |change| {
        let (conversation, client_message_id) = (ConversationId::Group(GroupId(1024)), ClientMessageId([1; 16]));
        let append = Append { conversation, actor: UserId(1), client_message_id, after: None, intent: change };
        Request::Commit(Command::Append(append))
    };
    let name = "n".repeat(limits::FRAME_BYTES);
    let many = (1..=limits::MEMBERS_PER_REQUEST as u64 + 1).map(UserId).collect();
    for (change, expected) in [(Intent::Rename { name }, "bad_name"), (Intent::Add { users: many }, "too_many")] {
        match within(node.handle.ask(GroupId(1024).slot(), of(change))).await {
            Err(Refusal::Rejected { code, .. }) => assert_eq!(code, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(log_ends(&node).await, before);
    node.stop().await;
}

const FULL: Space = Space { free: 0, total: 1 << 40 };
const EMPTY: Space = Space { free: 1 << 39, total: 1 << 40 };

/// Until each of these nodes sees so many disks that are low.
async fn seen_low(nodes: &[Node], low: usize) {
    for node in nodes {
        within(async {
            while node.cluster.status().await.storage_low.len() != low {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_disk_that_is_almost_full_takes_nothing_that_grows_and_everything_else() {
    let node = one_node(LoginPolicy::Replace).await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let create =
        wire::CreateGroup { request: ann.fresh_id(), name: "team".into(), open: false, members: vec![bob.user] };
    let ServerMessage::GroupCreated(group) = ann.ask(Ask::CreateGroup(create.clone())).await else {
        panic!("no group")
    };
    let group = group.conversation;
    let first = ann.send(&group, "while there is room").await.seq;
    node.disk.set_space(FULL);
    seen_low(std::slice::from_ref(&node), 1).await;

    let id = ann.fresh_id();
    let refused = ann.fails(Ask::Send(message(&group, "one more", id.clone()))).await;
    assert_eq!((refused.code.as_str(), refused.kind()), ("storage_low", wire::failure::Kind::Overloaded));
    assert!(refused.retry_after_ms > 0);
    let another = wire::CreateGroup { request: ann.fresh_id(), ..create };
    assert_eq!(ann.fails(Ask::CreateGroup(another)).await.code, "storage_low");
    let register = wire::Register {
        name: "carol".into(),
        password: password("carol"),
        request: ann.fresh_id(),
        ..Default::default()
    };
    assert_eq!(node.greeted().await.fails(Ask::Register(register)).await.code, "storage_low");

    // Reading, logging in, cursors and leaving go on.
    assert_eq!(bob.history(&group).await.last(), Some(&(first, "while there is room".to_owned())));
    node.greeted().await.log_in("bob", "laptop").await;
    let mark = wire::MarkRead { conversation: group.clone(), seq: first };
    assert!(matches!(bob.ask(Ask::MarkRead(mark)).await, ServerMessage::Done(_)));
    let change = Some(wire::change_group::Change::Leave(wire::Done {}));
    let leave = wire::ChangeGroup { request: bob.fresh_id(), conversation: group.clone(), change };
    assert!(matches!(bob.ask(Ask::ChangeGroup(leave)).await, ServerMessage::SendAck(_)));

    node.disk.set_space(EMPTY);
    seen_low(std::slice::from_ref(&node), 0).await;
    assert!(!ann.send_as(&group, "one more", id).await.duplicate, "the same message goes when there is room");
    node.stop().await;
}

#[tokio::test]
async fn leaders_hear_of_the_disks_of_others_and_a_minority_stops_nobody() {
    let nodes = three_nodes().await;
    let mut ann = nodes[0].user("ann").await;
    ann.send_until_acked("everyone", "before").await;
    let shard = nodes[0].cluster.routing().borrow().shard(troupe_core::ConversationId::Everyone.slot());
    let shard = shard.expect("a shard");
    let leader = nodes.iter().position(|node| node.cluster.led().borrow().contains_key(&shard)).expect("led");
    let others: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
    nodes[others[0]].disk.set_space(FULL);
    seen_low(&nodes, 1).await;
    assert!(!nodes[leader].cluster.storage_low(shard), "one follower of two");
    nodes[others[1]].disk.set_space(FULL);
    seen_low(&nodes, 2).await;
    assert!(nodes[leader].cluster.storage_low(shard), "a majority");
    nodes[others[1]].disk.set_space(EMPTY);
    seen_low(&nodes, 1).await;
    assert!(!nodes[leader].cluster.storage_low(shard));

    // A leader whose own disk is almost full lets one lead that has room.
    nodes[others[0]].disk.set_space(EMPTY);
    seen_low(&nodes, 0).await;
    nodes[leader].disk.set_space(FULL);
    within(async {
        while nodes[leader].cluster.led().borrow().contains_key(&shard) {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    ann.send_until_acked("everyone", "after").await;
    for node in nodes {
        node.stop().await;
    }
}
