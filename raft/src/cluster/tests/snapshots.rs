//! Replicas that come back when the logs no longer have what they lack.

use super::*;

/// Index of the last entry in a group's log on this node's disk, 0 when the log is empty.
fn last_log(node: &Node, group: u32) -> u64 {
    let (from, to) = troupe_store::key::raft::group_range(group);
    let range = (std::ops::Bound::Included(from), std::ops::Bound::Excluded(to));
    let last = node.disk.scan(troupe_store::Family::RaftLog, range, true, 1).unwrap();
    last.first().map_or(0, |(key, _)| troupe_store::key::RaftLogKey::decode(key).unwrap().index)
}

/// Index up to which a group's log was deleted on this node's disk, 0 when it is whole.
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

async fn one_comes_back_by_snapshot(limits: LogLimits) {
    let village = Village::default();
    let nodes = three(&village);
    let mut clusters = start_all(&nodes, limits).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    commit(&clusters.iter().collect::<Vec<_>>(), "before").await;
    clusters[2].shutdown().await;
    village.close(&nodes[2].config.listen);
    for number in 0..400 {
        commit(&[&clusters[0], &clusters[1]], &format!("missed{number}")).await;
    }
    // What the lost one lacks is gone from the logs of both others, so that only a snapshot can carry it.
    let group = GroupId::of(ShardId(0)).0;
    let held = last_log(&nodes[2], group);
    for node in &nodes[..2] {
        let forgotten = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            while purged(node, group) <= held {
                tick.tick().await;
            }
        };
        timeout(PATIENCE, forgotten).await.expect("the log is cut behind snapshots");
    }
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
