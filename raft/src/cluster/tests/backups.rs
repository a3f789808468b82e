//! Backups of clusters in which no node holds every shard: from any node, into any cluster.

use std::sync::Arc;

use troupe_core::{ShardMap, Timestamp};
use troupe_runtime::Clock;
use troupe_runtime::clock::SystemClock;
use troupe_store::engine::{Batch, Durability, Engine, Space};
use troupe_store::memory::Memory;
use troupe_store::rows::{Digest, Part, Row, digest_range};

use super::test_cluster::TestCluster;
use super::*;
use crate::backup::client::Client;
use crate::backup::replay::Replay;
use crate::transport::port::Security;

fn client(test_cluster: &TestCluster, number: u16) -> Client {
    let platform = test_cluster.test_net().platform("127.0.0.1:99", u64::from(number) + 500);
    Client::new(&platform, Security::Insecure(None), vec![address(number)]).expect("a client")
}

/// All rows by shard, and the digest of each that the cluster reports.
async fn save(client: &mut Client) -> Vec<(ShardId, Vec<Row>, Digest)> {
    let plan = client.plan().await.expect("a plan");
    let mut shards = Vec::new();
    for place in plan.places {
        let rows = std::cell::RefCell::new(Vec::new());
        let begin = || {
            rows.borrow_mut().clear();
            Ok(())
        };
        let take = |more| {
            rows.borrow_mut().extend(more);
            Ok(())
        };
        let saved = timeout(PATIENCE, client.save(place.shard, begin, take)).await.expect("in time").expect("saved");
        let rows = rows.into_inner();
        assert_eq!(saved.rows, rows.len() as u64);
        shards.push((place.shard, rows, client.digest(place.shard).await.expect("a digest")));
    }
    shards
}

async fn restore(client: &mut Client, shards: &[(ShardId, Vec<Row>, Digest)]) {
    let plan = client.plan().await.expect("a plan");
    assert_eq!(plan.places.len(), shards.len());
    for (shard, rows, digest) in shards {
        let part =
            |number, last, rows: &[Row]| Part { backup: [3; 16], number, last, notes_heads: true, rows: rows.to_vec() };
        let (first, second) = rows.split_at(rows.len() / 2);
        for part in [part(0, false, first), part(1, true, second)] {
            timeout(PATIENCE, client.restore(*shard, &part)).await.expect("in time").expect("taken");
        }
        assert_eq!(client.digest(*shard).await.expect("a digest"), *digest, "shard {shard}");
    }
    client.adopt(7, [1; 16]).await.expect("adopted");
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_taken_from_any_of_five_nodes_and_restored_through_any() {
    let mut test_cluster = TestCluster::found(5).await;
    test_cluster.register(40).await;
    let mut saved = None;
    for number in 1..=5 {
        let shards = save(&mut client(&test_cluster, number)).await;
        assert!(shards.iter().map(|(_, rows, _)| rows.len()).sum::<usize>() >= 40);
        assert!(saved.is_none() || saved == Some(shards.clone()), "node {number} gives something else");
        saved = Some(shards);
    }
    let shards = saved.expect("five backups");
    for number in 1..=5 {
        let other = TestCluster::found(5).await;
        restore(&mut client(&other, number), &shards).await;
        other.until("its history is known", |table| table.history == 7 && table.continues == [[1; 16]]).await;
        other.shutdown().await;
    }
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_backup_through_a_drained_node_works_too() {
    let mut test_cluster = TestCluster::found(4).await;
    test_cluster.register(20).await;
    let drain = Order { node: NodeId(1), verb: Verb::Drain, replication: None };
    test_cluster.at(0).order(&drain).await.unwrap();
    test_cluster
        .until("node 1 has nothing", |table| {
            table.placement.values().all(|place| place.moving.is_none() && !place.nodes.contains(&NodeId(1)))
        })
        .await;
    let shards = save(&mut client(&test_cluster, 1)).await;
    let other = TestCluster::found(1).await;
    restore(&mut client(&other, 1), &shards).await;
    other.shutdown().await;
    test_cluster.shutdown().await;
}

/// The index of the last entry in the rows of each shard, and the leader's clock.
async fn extents(client: &mut Client) -> Vec<(ShardId, u64, u64)> {
    let mut extents = Vec::new();
    for place in client.plan().await.expect("a plan").places {
        let saved = timeout(PATIENCE, client.save(place.shard, || Ok(()), |_| Ok(()))).await.expect("in time");
        let saved = saved.expect("saved");
        extents.push((place.shard, saved.applied, saved.now_ms));
    }
    extents
}

/// Rows and later entries give the rows of the cluster, and those of a time in between.
#[tokio::test(start_paused = true)]
async fn a_replay_of_later_entries_gives_the_rows_of_their_time() {
    let mut test_cluster = TestCluster::found(3).await;
    test_cluster.register(30).await;
    let mut asks = client(&test_cluster, 1);
    let before = save(&mut asks).await;
    let begins = extents(&mut asks).await;
    test_cluster.register(20).await;
    let between = save(&mut asks).await;
    let time = extents(&mut asks).await.iter().map(|(_, _, now_ms)| *now_ms).max().expect("shards");
    // The clock of the nodes is the system's, which tokio does not pause.
    while SystemClock.now().0 <= time {
        std::thread::yield_now();
    }
    test_cluster.register(20).await;
    let after = save(&mut asks).await;
    assert!(before != between && between != after);

    let map = ShardMap { count: before.len() as u32 };
    for (at, (shard, applied, _)) in begins.into_iter().enumerate() {
        for (upto, digest) in [(time, between[at].2), (u64::MAX, after[at].2)] {
            let engine = Memory::new();
            let mut batch = Batch::default();
            for row in &before[at].1 {
                batch.put(row.family, row.key.clone(), row.value.clone());
            }
            engine.write(batch, Durability::Buffered).expect("memory");
            let mut replay = Replay::new(Arc::new(engine.clone()), shard, map, applied, Timestamp(upto));
            let mut next = applied + 1;
            loop {
                let found = asks.entries(shard, next).await.expect("entries");
                assert!(found.now_ms > time);
                next += found.entries.len() as u64;
                replay.take(found.entries).expect("replayed");
                if next == found.end {
                    break;
                }
            }
            replay.finish().expect("replayed");
            assert_eq!(digest_range(&engine, map.slots(shard)).expect("rows"), digest, "{shard} up to {upto}");
        }
        let end = asks.entries(shard, 0).await.expect("entries").end;
        let refused = asks.entries(shard, end + 1).await.unwrap_err().to_string();
        assert!(refused.contains("of another history"), "{refused}");
    }
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn entries_that_a_log_has_purged_are_refused_and_the_rest_is_read() {
    let mut test_cluster = TestCluster::found_with(1, few_entries()).await;
    let mut asks = client(&test_cluster, 1);
    let begins = extents(&mut asks).await;
    // 25 entries in each of four shards exceed their limit.
    test_cluster.register(200).await;
    let purged = async {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        loop {
            tick.tick().await;
            for (shard, applied, _) in &begins {
                if let Err(refused) = asks.entries(*shard, applied + 1).await {
                    return (*shard, refused.to_string());
                }
            }
        }
    };
    let (shard, refused) = timeout(PATIENCE, purged).await.expect("a log is cut");
    assert!(refused.contains("is no longer in the log") && refused.contains("take a new backup"), "{refused}");
    let (_, applied, _) = extents(&mut asks).await[shard.0 as usize];
    let last = asks.entries(shard, applied).await.expect("entries");
    assert_eq!((last.entries.len(), last.entries[0].index, last.end), (1, applied, applied + 1));
    test_cluster.shutdown().await;
}

/// Waits until the first node sees its disk so.
async fn until_low(test_cluster: &TestCluster, low: bool) {
    let seen = async {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        while test_cluster.at(0).status().await.storage_low.is_empty() == low {
            tick.tick().await;
        }
    };
    timeout(PATIENCE, seen).await.expect("it looks at its disk");
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_refused_on_a_node_whose_disk_is_almost_full() {
    let mut test_cluster = TestCluster::found(1).await;
    test_cluster.register(10).await;
    let shards = save(&mut client(&test_cluster, 1)).await;
    let other = TestCluster::found(1).await;
    let gib = 1 << 30;
    let space = |free| Space { free, total: 100 * gib };
    other.machines[0].node.disk.set_space(space(gib));
    until_low(&other, true).await;
    let (shard, rows, _) = &shards[0];
    let part = Part { backup: [3; 16], number: 0, last: true, notes_heads: true, rows: rows.clone() };
    let refused = client(&other, 1).restore(*shard, &part).await.unwrap_err().to_string();
    assert!(refused.contains("storage_low: the disk of node 1 is almost full"), "{refused}");
    other.machines[0].node.disk.set_space(space(50 * gib));
    until_low(&other, false).await;
    restore(&mut client(&other, 1), &shards).await;
    other.shutdown().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_a_backup_says_so_at_once() {
    let mut test_cluster = TestCluster::found(5).await;
    test_cluster.register(10).await;
    let mut asks = client(&test_cluster, 1);
    save(&mut asks).await;
    for at in 2..5 {
        test_cluster.stop(at).await;
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    let begun = tokio::time::Instant::now();
    let refused = asks.plan().await.unwrap_err().to_string();
    assert!(refused.contains("have no leader that a majority") && refused.contains("nothing was done"), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // One seed that is down does not matter while others are known.
    test_cluster.start(2).await;
    test_cluster.start(3).await;
    let mut asks = client(&test_cluster, 2);
    save(&mut asks).await;
    test_cluster.stop(1).await;
    save(&mut asks).await;
    test_cluster.shutdown().await;
}
