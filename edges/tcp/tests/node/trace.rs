//! Where a message was on its way from one node's client to another's, as the nodes remember it.

use troupe_core::{ConversationId, NodeId, Seq};
use troupe_raft::Routing;
use troupe_runtime::trace::{Hop, Stage, Subject};

use crate::harness::{Node, three_nodes, within};

const EVERYONE: ConversationId = ConversationId::Everyone;

async fn leader(node: &Node) -> NodeId {
    let mut routing = node.cluster.routing();
    let led = |table: &Routing| Some(table.leader(table.shard(EVERYONE.slot())?)?.0);
    let table = within(routing.wait_for(|table| led(table).is_some())).await.expect("it lives");
    led(&table).expect("a leader")
}

/// All hops of the first event, with the node of each.
fn gathered(nodes: &[Node]) -> Vec<(NodeId, Hop)> {
    let event = Subject::event(EVERYONE, Seq(1));
    let kept = |subjects: &[Subject]| -> Vec<(NodeId, Hop)> {
        let of =
            |node: &Node| node.platform.trace.of(subjects).into_iter().map(|hop| (node.cluster.me(), hop)).collect();
        nodes.iter().flat_map(|node| -> Vec<_> { of(node) }).collect()
    };
    let mut hops = kept(&[event]);
    let Some((_, applied)) = hops.iter().find(|(_, hop)| hop.stage == Stage::Applied).copied() else { return hops };
    let shard = applied.at.shard.expect("of a shard");
    hops.extend(kept(&[Subject(applied.at.detail), Subject::entry(shard, applied.at.index)]));
    hops
}

#[tokio::test]
async fn every_hop_of_a_message_is_there_and_in_order() {
    let nodes = three_nodes().await;
    let leader = leader(&nodes[0]).await;
    let others: Vec<&Node> = nodes.iter().filter(|node| node.cluster.me() != leader).collect();
    let (mut ann, mut bob) = (others[0].user("ann").await, others[1].user("bob").await);
    ann.follows("everyone").await;
    bob.follows("everyone").await;
    ann.send_until_acked("everyone", "hello").await;
    bob.hears_of("everyone", 1).await;
    // The slower replica learns of the commit with the next append or heartbeat, and may apply an
    // entry that it has not flushed yet.
    let hops = within(async {
        loop {
            let hops = gathered(&nodes);
            let count = |stage: Stage| hops.iter().filter(|(_, hop)| hop.stage == stage).count();
            if count(Stage::Applied) == 3 && count(Stage::Flushed) == 3 && count(Stage::Connection) == 2 {
                return hops;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;

    let at = |stage: Stage| {
        let mut at: Vec<u64> = hops.iter().filter(|(_, hop)| hop.stage == stage).map(|(node, _)| node.0).collect();
        at.sort_unstable();
        at
    };
    let (sender, receiver) = (others[0].cluster.me().0, others[1].cluster.me().0);
    let mut both = [sender, receiver];
    both.sort_unstable();
    for stage in Stage::ALL {
        let expected: &[u64] = match stage {
            Stage::Edge | Stage::Router | Stage::Acknowledged => &[sender],
            Stage::Lane | Stage::Shard | Stage::Conversation | Stage::Proposer | Stage::Pushed => &[leader.0],
            Stage::Appended | Stage::Flushed | Stage::Committed | Stage::Applied => &[1, 2, 3],
            Stage::FanOut | Stage::Connection => &both,
        };
        assert_eq!(at(stage), expected, "{stage:?} in {hops:?}");
    }
    // One machine, one clock. The acknowledgement and the fan-out go their ways at the same time.
    let first = |stage: Stage| hops.iter().filter(|(_, hop)| hop.stage == stage).map(|(_, hop)| hop.time_us).min();
    let way: Vec<Stage> = Stage::ALL.into_iter().filter(|stage| *stage != Stage::Acknowledged).collect();
    assert!(way.iter().map(|stage| first(*stage)).is_sorted(), "{hops:?}");
    assert!(first(Stage::Acknowledged) >= first(Stage::Applied));

    let detail = |stage: Stage| hops.iter().find(|(_, hop)| hop.stage == stage).map(|(_, hop)| hop.at.detail);
    assert_eq!((detail(Stage::Router), detail(Stage::Lane)), (Some(leader.0), Some(sender)));
    assert_eq!((detail(Stage::Pushed), detail(Stage::Connection)), (Some(2), Some(1)));
    for node in nodes {
        node.stop().await;
    }
}
