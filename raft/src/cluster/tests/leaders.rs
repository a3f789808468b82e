//! Leaders that die, and leaders that are wrongly believed to be dead.

use std::collections::BTreeMap;

use tokio::time::{Instant, sleep};

use super::*;
use crate::replication::fast_failover;
use crate::timing::{ELECTION_MIN_MS, HEARTBEAT_EVERY};

/// The shards with their leaders and epochs, as one node sees them.
fn leaders(cluster: &Cluster) -> BTreeMap<ShardId, (Option<NodeId>, Epoch)> {
    let table = cluster.routing().borrow().clone();
    table.placement.iter().map(|(shard, place)| (*shard, (place.leader, place.epoch))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_process_has_ended_is_replaced_before_its_lease_ends() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    commit(&clusters.iter().collect::<Vec<_>>(), "before").await;
    // The clock stands still while any task works, so this measures the waiting of the nodes, not
    // the speed of the machine.
    let died = Instant::now();
    clusters[0].shutdown().await;
    nodes[0].crash();
    let lost = clusters[0].me();
    for cluster in &clusters[1..] {
        until(cluster, "somebody else leads every shard", |table| {
            table.placement.values().all(|place| place.leader.is_some_and(|leader| leader != lost))
        })
        .await;
    }
    assert!(died.elapsed() < Duration::from_millis(ELECTION_MIN_MS), "it took {:?}", died.elapsed());
    commit(&clusters[1..].iter().collect::<Vec<_>>(), "after").await;
    for cluster in &clusters[1..] {
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_one_node_believes_dead_keeps_its_place() {
    let test_net = TestNet::default();
    let nodes = three(&test_net);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    until(&clusters[1], "it has heard every leader", |table| {
        !table.placement.is_empty()
            && table.placement.values().all(|place| place.leader.is_some() && place.epoch > Epoch(0))
    })
    .await;
    let (believed, before) = (clusters[0].me(), leaders(&clusters[1]));
    let believe = |cluster: &Cluster| {
        let groups = cluster.0.groups.all().into_iter();
        futures::future::join_all(groups.map(|group| fast_failover::campaign(group, believed, [believed].into())))
    };
    believe(&clusters[1]).await;
    sleep(3 * HEARTBEAT_EVERY).await;
    assert_eq!(leaders(&clusters[1]), before, "the third still hears the first");
    tokio::join!(believe(&clusters[1]), believe(&clusters[2]));
    until(&clusters[1], "a majority believes it, and elects another", |table| {
        table.placement.values().all(|place| place.leader.is_some_and(|leader| leader != believed))
    })
    .await;
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}
