//! Clients of three nodes see each other, also when one of the nodes is gone.

use crate::harness::{Ask, ServerMessage, direct, three_nodes};
use troupe_proto::wire::client as wire;

#[tokio::test]
async fn users_of_different_nodes_talk_and_go_on_without_one_of_them() {
    let mut nodes = three_nodes().await;
    let (mut ann, mut bob, mut carl) =
        (nodes[0].user("ann").await, nodes[1].user("bob").await, nodes[2].user("carl").await);
    for client in [&mut ann, &mut bob, &mut carl] {
        client.follows("everyone").await;
    }
    for (number, text) in ["one", "two", "three"].into_iter().enumerate() {
        assert_eq!(ann.send_until_acked("everyone", text).await.seq, number as u64 + 1);
    }
    for client in [&mut ann, &mut bob, &mut carl] {
        client.hears_of("everyone", 3).await;
        let texts: Vec<String> = client.history("everyone").await.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }
    let both = direct(ann.user, bob.user);
    ann.send_until_acked(&both, "privately").await;
    assert_eq!(bob.event(&both).await, (1, "privately".to_owned()));
    assert_eq!(bob.history(&both).await, [(1, "privately".to_owned())]);

    // A group over all nodes: what is sent on one reaches the others.
    let members = vec![bob.user, carl.user];
    let create = wire::CreateGroup { request: ann.fresh_id(), name: "all".into(), open: false, members };
    let ServerMessage::GroupCreated(group) = ann.ask(Ask::CreateGroup(create)).await else { panic!("no group") };
    let group = group.conversation;
    for client in [&mut ann, &mut bob, &mut carl] {
        client.follows(&group).await;
    }
    let sent = carl.send_until_acked(&group, "from carl").await.seq;
    ann.hears_of(&group, sent).await;
    bob.hears_of(&group, sent).await;

    // One node goes without a word. The others go on, and miss nothing.
    nodes.pop().expect("three").stop().await;
    drop(carl);
    let mut last = 3;
    for number in 0..10 {
        let ack = ann.send_until_acked("everyone", &format!("without carl {number}")).await;
        assert_eq!(ack.seq, last + 1);
        last = ack.seq;
        ann.send_until_acked(&group, "still a group").await;
    }
    bob.hears_of("everyone", last).await;
    let heard = bob.history("everyone").await;
    assert_eq!(heard.len() as u64, last);
    assert!(heard.iter().map(|(seq, _)| *seq).eq(1..=last));
    // And what comes now is pushed again, across nodes.
    let sent = bob.send_until_acked(&both, "back to you").await.seq;
    ann.hears_of(&both, sent).await;
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_node_that_is_left_alone_sends_its_clients_to_the_others() {
    let mut nodes = three_nodes().await;
    let mut ann = nodes[0].user("ann").await;
    ann.follows("everyone").await;
    let mut silent = nodes[0].connect().await;
    for node in nodes.drain(1..) {
        node.stop().await;
    }
    let elsewhere = |said: &ServerMessage| match said {
        ServerMessage::GoAway(away) => Some(away.nodes.len()),
        _ => None,
    };
    assert_eq!(ann.push(elsewhere).await, 2);
    // New clients get it right after the welcome, and so does one that had not said hello yet.
    assert_eq!(nodes[0].greeted().await.push(elsewhere).await, 2);
    silent.greet().await;
    assert_eq!(silent.push(elsewhere).await, 2);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_login_on_another_node_ends_the_connection_here() {
    let nodes = three_nodes().await;
    let mut here = nodes[0].user("ann").await;
    here.follows("everyone").await;
    let mut there = nodes[1].greeted().await;
    there.log_in("ann", "phone").await;
    assert!(matches!(here.end().await, Some(ServerMessage::Kicked(kicked)) if kicked.code == "replaced"));
    there.send_until_acked("everyone", "from there").await;
    for node in nodes {
        node.stop().await;
    }
}
