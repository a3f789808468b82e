//! Nodes that come, go, and are replaced, while people register.

use std::collections::BTreeSet;

use super::town::{Machine, Town};
use super::*;
use crate::meta::{MetaCommand, NodeState};

/// Nothing moves, every shard has so many replicas, and no node has two more than another.
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

async fn votes(town: &Town, wanted: &[u64]) {
    let wanted: BTreeSet<u64> = wanted.iter().copied().collect();
    for cluster in town.up() {
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
    let mut town = Town::found(3).await;
    town.register(40).await;
    town.join().await;
    let mut steps = 0;
    while !even(&town.at(0).routing().borrow(), &[1, 2, 3, 4], 3) {
        town.register(1).await;
        steps += 1;
        assert!(steps < 2_000, "{:?}", town.at(0).routing().borrow());
    }
    town.until("the replicas are even", |table| even(table, &[1, 2, 3, 4], 3)).await;
    assert_eq!(town.at(3).status().await.replicas.len(), 3, "twelve replicas on four nodes");
    town.until("each leads one of the four shards", |table| {
        let leaders: BTreeSet<NodeId> = table.placement.values().filter_map(|place| place.leader).collect();
        leaders.len() == 4
    })
    .await;
    town.check().await;
    votes(&town, &[1, 2, 3]).await;
    town.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_of_one_grows_to_three_copies() {
    let mut town = Town::found(1).await;
    town.register(20).await;
    for (nodes, copies) in [(&[1, 2][..], 2), (&[1, 2, 3], 3), (&[1, 2, 3, 4], 3)] {
        town.join().await;
        town.until("the replicas have grown", |table| even(table, nodes, copies)).await;
        town.register(5).await;
    }
    votes(&town, &[1, 2, 3]).await;
    town.check().await;
    // Any one may go now, the first too.
    town.stop(0).await;
    town.check().await;
    town.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_wiped_node_is_replaced_by_itself_under_another_id() {
    for wiped in 0..3 {
        let mut town = Town::found(3).await;
        town.register(20).await;
        town.wipe(wiped).await;
        town.register(10).await;
        town.start(wiped).await;
        let nodes: Vec<u64> = (1..=4).filter(|id| *id != wiped as u64 + 1).collect();
        town.until("the newcomer has all its predecessor had", |table| {
            even(table, &nodes, 3) && members(table, &nodes)
        })
        .await;
        votes(&town, &nodes).await;
        town.check().await;
        // The replaced one counts for nothing: one more loss is survived.
        let other = (wiped + 1) % 3;
        town.stop(other).await;
        town.check().await;
        town.start(other).await;
        town.check().await;
        town.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_comes_back_to_a_node_that_slept_is_another_replica() {
    let mut town = Town::found(3).await;
    town.join().await;
    town.until("the replicas are even", |table| even(table, &[1, 2, 3, 4], 3)).await;
    town.register(20).await;
    // While node 4 sleeps, everything it has goes, and comes back.
    town.stop(3).await;
    let drain = |state| MetaCommand::SetNode { node: NodeId(4), state, replication: None };
    town.order(drain(NodeState::Draining)).await.unwrap();
    town.until("it has nothing", |table| even(table, &[1, 2, 3], 3)).await;
    town.register(20).await;
    town.order(drain(NodeState::Active)).await.unwrap();
    town.start(3).await;
    town.until("it has its share again", |table| even(table, &[1, 2, 3, 4], 3)).await;
    town.check().await;
    town.shutdown().await;
}

/// How far the first move that is seen has got.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Begun,
    /// Its learner is a member of the shard's group.
    Learning,
    Promoted,
    /// The shard has moved; nothing says that the old replica is gone already.
    Done,
}

/// Whom a crash takes.
#[derive(Clone, Copy, Debug)]
enum Victim {
    MetaLeader,
    ShardLeader,
    Newcomer,
}

impl Town {
    /// Waits until some move gets there. Gives the shard.
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

/// A fourth node joins; in the middle of a move somebody dies, and later comes back.
async fn a_crash(victim: Victim, stage: Stage) {
    let mut town = Town::found_with(3, few_entries()).await;
    town.register(60).await;
    town.join().await;
    let shard = town.reaches(stage).await;
    let at = town.find(victim, shard).await;
    town.stop(at).await;
    town.register(10).await;
    town.start(at).await;
    town.until("the replicas are even after all", |table| even(table, &[1, 2, 3, 4], 3)).await;
    town.check().await;
    town.shutdown().await;
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
    let mut town = Town::found(3).await;
    town.register(20).await;
    town.join().await;
    town.reaches(Stage::Begun).await;
    town.stop(3).await;
    let moved = |table: &Routing| table.placement.values().filter(|place| place.version > 0).count();
    let before = moved(&town.at(0).routing().borrow());
    town.until("nothing is under way", |table| table.placement.values().all(|place| place.moving.is_none())).await;
    assert!(moved(&town.at(0).routing().borrow()) <= before + 2, "only what was promoted went on");
    town.check().await;
    town.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_drained_node_is_emptied_and_may_be_removed_for_ever() {
    let mut town = Town::found(3).await;
    town.join().await;
    town.until("the replicas are even", |table| even(table, &[1, 2, 3, 4], 3)).await;
    town.register(20).await;
    let mut reads = Vec::new();
    for shard in town.at(0).routing().borrow().shards.expect("it is born").shards() {
        reads.extend(town.at(0).barrier(shard).await);
    }
    assert!(!reads.is_empty() && reads.iter().all(Barrier::stands), "it leads some");
    let set = |state| MetaCommand::SetNode { node: NodeId(1), state, replication: None };
    town.order(set(NodeState::Draining)).await.unwrap();
    town.until("node 1 has nothing", |table| even(table, &[2, 3, 4], 3) && table.nodes.len() == 4).await;
    votes(&town, &[2, 3, 4]).await;
    town.register(5).await;
    assert!(!reads.iter().any(Barrier::stands), "what it read would be of rows that are gone");
    town.order(set(NodeState::Leaving { heir: None })).await.unwrap();
    let told = timeout(PATIENCE, town.at(0).fatal()).await.expect("it hears of it");
    assert!(told.contains("was removed") && told.contains("empty its data directory"), "{told}");
    town.stop(0).await;
    town.until("it is out", |table| members(table, &[2, 3, 4])).await;

    town.is_refused(0).await;
    town.check().await;
    // Emptied, it is welcome as another.
    town.machines[0].node.wipe();
    town.start(0).await;
    assert_eq!(town.at(0).me(), NodeId(5));
    town.until("it has its share", |table| even(table, &[2, 3, 4, 5], 3)).await;
    town.check().await;
    town.shutdown().await;
}

const REPLACED_AFTER: Duration = Duration::from_secs(30);

fn impatient(config: &mut ClusterConfig) {
    config.replace_after = REPLACED_AFTER;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_for_too_long_is_replaced_where_there_is_room() {
    let mut town = Town::found_where(3, LogLimits::default(), impatient).await;
    town.register(10).await;
    town.stop(2).await;
    // With nobody to take over, everything waits for it.
    tokio::time::sleep(2 * REPLACED_AFTER).await;
    town.until("nobody is given up", |table| members(table, &[1, 2, 3])).await;
    town.join().await;
    town.until("the newcomer takes over", |table| even(table, &[1, 2, 4], 3) && members(table, &[1, 2, 4])).await;
    votes(&town, &[1, 2, 4]).await;
    town.is_refused(2).await;
    town.check().await;
    town.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_back_in_time_keeps_its_place() {
    let mut town = Town::found_where(3, LogLimits::default(), impatient).await;
    town.join().await;
    town.until("the replicas are even", |table| even(table, &[1, 2, 3, 4], 3)).await;
    town.stop(2).await;
    town.register(10).await;
    tokio::time::sleep(REPLACED_AFTER * 2 / 3).await;
    town.start(2).await;
    tokio::time::sleep(REPLACED_AFTER * 2 / 3).await;
    town.until("nothing has moved", |table| even(table, &[1, 2, 3, 4], 3) && members(table, &[1, 2, 3, 4])).await;
    town.check().await;
    town.shutdown().await;
}
