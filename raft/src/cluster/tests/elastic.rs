//! Nodes that join, leave, and are replaced, while users register.

use std::collections::BTreeSet;

use super::test_cluster::{Machine, TestCluster};
use super::*;
use crate::api::NodeState;
use crate::control::meta::MetaCommand;

/// Nothing moves, every shard has this many replicas, and no node has two more than another.
fn even(table: &Routing, nodes: &[u64], copies: usize) -> bool {
    let wanted: BTreeSet<NodeId> = nodes.iter().copied().map(NodeId).collect();
    let loads: Vec<usize> =
        wanted.iter().map(|node| table.placement.values().filter(|place| place.nodes.contains(node)).count()).collect();
    let placed = |place: &ShardPlace| {
        place.moving.is_none()
            && place.nodes.len() == copies
            && place.nodes.iter().all(|node| wanted.contains(node))
            && place.leader.is_some_and(|leader| place.nodes.contains(&leader))
    };
    table.placement.values().all(placed) && loads.iter().max() <= loads.iter().min().map(|least| least + 1).as_ref()
}

fn members(table: &Routing, nodes: &[u64]) -> bool {
    table.nodes.keys().copied().eq(nodes.iter().copied().map(NodeId))
}

fn meta_voters(cluster: &Cluster) -> BTreeSet<u64> {
    let group = cluster.0.groups.get(GroupId::META).expect("it is open");
    group.metrics().membership_config.voter_ids().collect()
}

async fn votes(test_cluster: &TestCluster, wanted: &[u64]) {
    let wanted: BTreeSet<u64> = wanted.iter().copied().collect();
    for cluster in test_cluster.up() {
        let settled = async {
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            while meta_voters(cluster) != wanted {
                tick.tick().await;
            }
        };
        let settled = timeout(PATIENCE, settled).await;
        assert!(settled.is_ok(), "node {} sees voters {:?}", cluster.me(), meta_voters(cluster));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fourth_node_gets_its_share_while_people_register() {
    let mut test_cluster = TestCluster::found(3).await;
    test_cluster.register(40).await;
    test_cluster.join().await;
    let mut steps = 0;
    while !even(&test_cluster.at(0).routing().borrow(), &[1, 2, 3, 4], 3) {
        test_cluster.register(1).await;
        steps += 1;
        assert!(steps < 2_000, "{:?}", test_cluster.at(0).routing().borrow());
    }
    test_cluster.until("the replicas are even", |table| even(table, &[1, 2, 3, 4], 3)).await;
    assert_eq!(test_cluster.at(3).status().await.replicas.len(), 3, "twelve replicas on four nodes");
    test_cluster
        .until("each leads one of the four shards", |table| {
            let leaders: BTreeSet<NodeId> = table.placement.values().filter_map(|place| place.leader).collect();
            leaders.len() == 4
        })
        .await;
    test_cluster.check().await;
    votes(&test_cluster, &[1, 2, 3]).await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_of_one_grows_to_three_copies() {
    let mut test_cluster = TestCluster::found(1).await;
    test_cluster.register(20).await;
    for (nodes, copies) in [(&[1, 2][..], 2), (&[1, 2, 3], 3), (&[1, 2, 3, 4], 3)] {
        test_cluster.join().await;
        test_cluster.until("the replicas have grown", |table| even(table, nodes, copies)).await;
        test_cluster.register(5).await;
    }
    votes(&test_cluster, &[1, 2, 3]).await;
    test_cluster.check().await;
    // Any node may stop now, the first too.
    test_cluster.stop(0).await;
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_wiped_node_is_replaced_by_itself_under_another_id() {
    for wiped in 0..3 {
        let mut test_cluster = TestCluster::found(3).await;
        test_cluster.register(20).await;
        test_cluster.wipe(wiped).await;
        test_cluster.register(10).await;
        test_cluster.start(wiped).await;
        let nodes: Vec<u64> = (1..=4).filter(|id| *id != wiped as u64 + 1).collect();
        test_cluster
            .until("the newcomer has all its predecessor had", |table| even(table, &nodes, 3) && members(table, &nodes))
            .await;
        votes(&test_cluster, &nodes).await;
        test_cluster.check().await;
        // The replaced node does not count: one more loss is survived.
        let other = (wiped + 1) % 3;
        test_cluster.stop(other).await;
        test_cluster.check().await;
        test_cluster.start(other).await;
        test_cluster.check().await;
        test_cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_comes_back_to_a_node_that_slept_is_another_replica() {
    let mut test_cluster = TestCluster::found(3).await;
    test_cluster.join().await;
    test_cluster.until("the replicas are even", |table| even(table, &[1, 2, 3, 4], 3)).await;
    test_cluster.register(20).await;
    // While node 4 is stopped, all of its replicas move away and return.
    test_cluster.stop(3).await;
    let drain = |state| MetaCommand::SetNode { node: NodeId(4), state, replication: None };
    test_cluster.order(drain(NodeState::Draining)).await.unwrap();
    test_cluster.until("it has nothing", |table| even(table, &[1, 2, 3], 3)).await;
    test_cluster.register(20).await;
    test_cluster.order(drain(NodeState::Active)).await.unwrap();
    test_cluster.start(3).await;
    test_cluster.until("it has its share again", |table| even(table, &[1, 2, 3, 4], 3)).await;
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

/// The stage of the first observed move.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Begun,
    /// Its learner is a member of the shard's group.
    Learning,
    Promoted,
    /// The shard has moved; the old replica may still exist.
    Done,
}

/// The victim of a crash.
#[derive(Clone, Copy, Debug)]
enum Victim {
    MetaLeader,
    ShardLeader,
    Newcomer,
}

impl TestCluster {
    /// Waits until some move reaches the stage. Returns the shard.
    async fn reaches(&self, stage: Stage) -> ShardId {
        let reached = async {
            let mut tick = tokio::time::interval(Duration::from_millis(1));
            loop {
                tick.tick().await;
                for cluster in self.up() {
                    let table = cluster.routing().borrow().clone();
                    for (shard, place) in &table.placement {
                        let learners = || {
                            let group = cluster.0.groups.get(GroupId::of(*shard));
                            group.map_or(0, |group| group.metrics().membership_config.nodes().count())
                        };
                        let there = match (stage, &place.moving) {
                            (Stage::Begun, Some(_)) => true,
                            (Stage::Learning, Some(_)) => learners() > place.nodes.len(),
                            (Stage::Promoted, Some(moving)) => moving.promoted,
                            (Stage::Done, _) => place.version > 0,
                            (_, None) => false,
                        };
                        if there {
                            return *shard;
                        }
                    }
                }
            }
        };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("no move is ever {stage:?}"))
    }

    async fn find(&self, victim: Victim, shard: ShardId) -> usize {
        let node = match victim {
            Victim::Newcomer => return 3,
            Victim::MetaLeader => self.at(0).status().await.meta_leader,
            Victim::ShardLeader => self.at(0).routing().borrow().leader(shard).map(|(leader, _)| leader),
        };
        let place = |machine: &Machine| machine.cluster.as_ref().map(Cluster::me) == node;
        self.machines.iter().position(place).unwrap_or(0)
    }
}

/// A fourth node joins; in the middle of a move a node crashes, and later returns.
async fn a_crash(victim: Victim, stage: Stage) {
    let mut test_cluster = TestCluster::found_with(3, few_entries()).await;
    test_cluster.register(60).await;
    test_cluster.join().await;
    let shard = test_cluster.reaches(stage).await;
    let at = test_cluster.find(victim, shard).await;
    test_cluster.stop(at).await;
    test_cluster.register(10).await;
    test_cluster.start(at).await;
    test_cluster.until("the replicas are even after all", |table| even(table, &[1, 2, 3, 4], 3)).await;
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_move_survives_the_leader_of_the_meta_group() {
    for stage in [Stage::Begun, Stage::Learning, Stage::Promoted, Stage::Done] {
        a_crash(Victim::MetaLeader, stage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_survives_the_leader_of_the_shard() {
    for stage in [Stage::Begun, Stage::Learning, Stage::Promoted, Stage::Done] {
        a_crash(Victim::ShardLeader, stage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_survives_the_node_that_it_goes_to() {
    for stage in [Stage::Begun, Stage::Learning, Stage::Promoted, Stage::Done] {
        a_crash(Victim::Newcomer, stage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_to_a_node_that_never_comes_back_is_called_off() {
    let mut test_cluster = TestCluster::found(3).await;
    test_cluster.register(20).await;
    test_cluster.join().await;
    test_cluster.reaches(Stage::Begun).await;
    test_cluster.stop(3).await;
    let moved = |table: &Routing| table.placement.values().filter(|place| place.version > 0).count();
    let before = moved(&test_cluster.at(0).routing().borrow());
    test_cluster
        .until("nothing is under way", |table| table.placement.values().all(|place| place.moving.is_none()))
        .await;
    assert!(moved(&test_cluster.at(0).routing().borrow()) <= before + 2, "only what was promoted went on");
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_drained_node_is_emptied_and_may_be_removed_for_ever() {
    let mut test_cluster = TestCluster::found(3).await;
    test_cluster.join().await;
    test_cluster.until("the replicas are even", |table| even(table, &[1, 2, 3, 4], 3)).await;
    test_cluster.register(20).await;
    let mut reads = Vec::new();
    for shard in test_cluster.at(0).routing().borrow().shards.expect("it is born").shards() {
        reads.extend(test_cluster.at(0).barrier(shard).await);
    }
    assert!(!reads.is_empty() && reads.iter().all(Barrier::stands), "it leads some");
    let set = |state| MetaCommand::SetNode { node: NodeId(1), state, replication: None };
    test_cluster.order(set(NodeState::Draining)).await.unwrap();
    test_cluster.until("node 1 has nothing", |table| even(table, &[2, 3, 4], 3) && table.nodes.len() == 4).await;
    votes(&test_cluster, &[2, 3, 4]).await;
    test_cluster.register(5).await;
    assert!(!reads.iter().any(Barrier::stands), "what it read would be of rows that are gone");
    test_cluster.order(set(NodeState::Leaving { replacement: None })).await.unwrap();
    let told = timeout(PATIENCE, test_cluster.at(0).fatal()).await.expect("it hears of it");
    assert!(told.contains("was removed") && told.contains("empty its data directory"), "{told}");
    test_cluster.stop(0).await;
    test_cluster.until("it is out", |table| members(table, &[2, 3, 4])).await;

    test_cluster.is_refused(0).await;
    test_cluster.check().await;
    // Emptied, it may join as a new node.
    test_cluster.machines[0].node.wipe();
    test_cluster.start(0).await;
    assert_eq!(test_cluster.at(0).me(), NodeId(5));
    test_cluster.until("it has its share", |table| even(table, &[2, 3, 4, 5], 3)).await;
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

const REPLACED_AFTER: Duration = Duration::from_secs(30);

fn impatient(config: &mut ClusterConfig) {
    config.replace_after = REPLACED_AFTER;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_for_too_long_is_replaced_where_there_is_room() {
    let mut test_cluster = TestCluster::found_where(3, LogLimits::default(), impatient).await;
    test_cluster.register(10).await;
    test_cluster.stop(2).await;
    // Without space for its replicas, the cluster waits for it.
    tokio::time::sleep(2 * REPLACED_AFTER).await;
    test_cluster.until("no node is given up", |table| members(table, &[1, 2, 3])).await;
    test_cluster.join().await;
    test_cluster
        .until("the newcomer takes over", |table| even(table, &[1, 2, 4], 3) && members(table, &[1, 2, 4]))
        .await;
    votes(&test_cluster, &[1, 2, 4]).await;
    test_cluster.is_refused(2).await;
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_back_in_time_keeps_its_place() {
    let mut test_cluster = TestCluster::found_where(3, LogLimits::default(), impatient).await;
    test_cluster.join().await;
    test_cluster.until("the replicas are even", |table| even(table, &[1, 2, 3, 4], 3)).await;
    test_cluster.stop(2).await;
    test_cluster.register(10).await;
    tokio::time::sleep(REPLACED_AFTER * 2 / 3).await;
    test_cluster.start(2).await;
    tokio::time::sleep(REPLACED_AFTER * 2 / 3).await;
    test_cluster
        .until("nothing has moved", |table| even(table, &[1, 2, 3, 4], 3) && members(table, &[1, 2, 3, 4]))
        .await;
    test_cluster.check().await;
    test_cluster.shutdown().await;
}
