//! Replicas that return when the logs no longer have the entries that they lack.

use troupe_runtime::executor::{Executor, Full, Job, Lane};

use super::*;

/// Index of the last entry in a group's log on this node's disk; 0 when the log is empty.
fn last_log(node: &Node, group: u32) -> u64 {
    let (from, to) = troupe_store::key::raft::group_range(group);
    let range = (std::ops::Bound::Included(from), std::ops::Bound::Excluded(to));
    let last = node.disk.scan(troupe_store::Family::RaftLog, range, true, 1).unwrap();
    last.first().map_or(0, |(key, _)| troupe_store::key::RaftLogKey::decode(key).unwrap().index)
}

/// Index up to which a group's log was deleted on this node's disk; 0 when it is whole.
fn purged(node: &Node, group: u32) -> u64 {
    let key = troupe_store::key::RaftMetaKey { group, what: troupe_store::key::raft::What::Purged };
    let row = node.disk.get(troupe_store::Family::RaftMeta, &key.encode()).unwrap();
    row.map_or(0, |bytes| crate::codec::open::<troupe_proto::wire::raft::LogId>(&bytes, "purged").unwrap().index)
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_the_log_cannot_help_gets_a_snapshot() {
    one_comes_back_by_snapshot(few_entries()).await;
}

#[tokio::test(start_paused = true)]
async fn so_it_does_where_the_log_was_cut_because_it_had_too_many_bytes() {
    one_comes_back_by_snapshot(LogLimits { bytes: 4096, ..LogLimits::default() }).await;
}

/// Waits until both other logs have lost the entries that the third node lacks, so that only a
/// snapshot can deliver them.
async fn forgotten(nodes: &[Node]) {
    let group = GroupId::of(ShardId(0)).0;
    let held = last_log(&nodes[2], group);
    let forgotten = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while nodes[..2].iter().any(|node| purged(node, group) <= held) {
            tick.tick().await;
        }
    };
    timeout(PATIENCE, forgotten).await.expect("the log is cut behind snapshots");
}

async fn one_comes_back_by_snapshot(limits: LogLimits) {
    let test_net = TestNet::default();
    let nodes = three(&test_net);
    let mut clusters = start_all(&nodes, limits).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    commit(&clusters.iter().collect::<Vec<_>>(), "before").await;
    clusters[2].shutdown().await;
    test_net.close(&nodes[2].config.listen);
    for number in 0..400 {
        commit(&[&clusters[0], &clusters[1]], &format!("missed{number}")).await;
    }
    forgotten(&nodes).await;
    clusters[2] = start_with(&nodes[2], limits).await;
    for number in 0..400 {
        learns(&clusters[2], &format!("missed{number}")).await;
    }
    commit(&clusters.iter().collect::<Vec<_>>(), "after").await;
    learns(&clusters[2], "after").await;
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_committed_while_a_snapshot_is_under_way_follows_it_by_the_log() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    nodes.iter_mut().for_each(|node| node.config.shards = 1);
    let mut clusters = start_all(&nodes, few_entries()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    clusters[2].shutdown().await;
    test_net.close(&nodes[2].config.listen);
    for cluster in &clusters[..2] {
        until(cluster, "it is away", |table| !table.nodes[&NodeId(3)].reachable).await;
    }
    for number in 0..100 {
        commit(&[&clusters[0], &clusters[1]], &format!("missed{number}")).await;
    }
    forgotten(&nodes).await;
    // It installs no snapshot for now.
    let group = GroupId::of(ShardId(0)).0;
    let stalled = Arc::new(Stalled::default());
    let platform = Platform { executor: stalled.clone(), ..test_net.platform(&nodes[2].config.advertise, 99) };
    let engine = Arc::new(nodes[2].disk.clone());
    let starting = Cluster::start_tuned(platform, engine, nodes[2].config.clone(), few_entries());
    clusters[2] = timeout(PATIENCE, starting).await.expect("it starts in time").expect("it starts");
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while stalled.0.lock().as_ref().is_some_and(Vec::is_empty) {
        tick.tick().await;
    }
    let covered = nodes.iter().map(|node| last_log(node, group)).max().unwrap();
    // More than the usual limit of a log.
    for number in 0..100 {
        commit(&[&clusters[0], &clusters[1]], &format!("meanwhile{number}")).await;
    }
    let leader = clusters[0].routing().borrow().leader(ShardId(0)).map(|(leader, _)| leader).expect("it is led");
    let leader = &nodes[leader.0 as usize - 1];
    assert!(purged(leader, group) <= covered, "what comes behind the snapshot is gone: {}", purged(leader, group));
    for job in stalled.0.lock().take().unwrap() {
        job();
    }
    for number in 0..100 {
        learns(&clusters[2], &format!("missed{number}")).await;
        learns(&clusters[2], &format!("meanwhile{number}")).await;
    }
    // No replica needs it any more.
    for number in 0..100 {
        commit(&clusters.iter().collect::<Vec<_>>(), &format!("after{number}")).await;
    }
    assert!(purged(leader, group) > covered);
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}

/// Holds bulk work back until it is released.
struct Stalled(parking_lot::Mutex<Option<Vec<Job>>>);

impl Default for Stalled {
    fn default() -> Stalled {
        Stalled(parking_lot::Mutex::new(Some(Vec::new())))
    }
}

impl Executor for Stalled {
    fn submit(&self, lane: Lane, job: Job) -> Result<(), Full> {
        match &mut *self.0.lock() {
            Some(waiting) if lane == Lane::Bulk => waiting.push(job),
            _ => job(),
        }
        Ok(())
    }
}
