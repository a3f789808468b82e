//! Readiness of nodes, and the procedures that operators build on it.

use super::test_cluster::TestCluster;
use super::*;
use crate::level::Support;

/// An operator's procedure: empty a machine, start it again, wait until it is ready, continue with
/// the next one.
#[tokio::test(start_paused = true)]
async fn machines_replaced_one_at_a_time_by_readiness_alone_never_lose_the_majority() {
    let mut test_cluster = TestCluster::found_with(3, few_entries()).await;
    test_cluster.register(60).await;
    for round in 0..2 {
        for at in 0..3 {
            test_cluster.wipe(at).await;
            // Every shard remains available without the machine that is being replaced.
            test_cluster.register(12).await;
            test_cluster.start(at).await;
            test_cluster.ready(at).await;
            let me = test_cluster.at(at).me();
            let table = test_cluster.at(at).routing().borrow().clone();
            let held = table.placement.values().filter(|place| place.nodes.contains(&me)).count();
            assert_eq!(held, table.placement.len(), "round {round}: node {me} is ready without all replicas");
        }
    }
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_is_ready_when_it_has_its_share_and_the_others_are_all_the_time() {
    let mut test_cluster = TestCluster::found(3).await;
    test_cluster.register(20).await;
    for at in 0..3 {
        test_cluster.ready(at).await;
    }
    let late = test_cluster.join().await;
    let readiness = test_cluster.at(late).readiness();
    assert!(readiness.to_come > 0, "{readiness:?}");
    while !test_cluster.at(late).readiness().reasons().is_empty() {
        for at in 0..3 {
            let reasons = test_cluster.at(at).readiness().reasons();
            assert!(reasons.is_empty(), "node {} gives up its place for a newcomer: {reasons:?}", at + 1);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(test_cluster.at(late).readiness().held, 3, "twelve replicas on four nodes");
    test_cluster.shutdown().await;
}

/// Nodes of 0.1 answer pings with less.
#[tokio::test(start_paused = true)]
async fn a_newer_node_among_older_ones_is_ready() {
    for newer in 1..=3 {
        let test_cluster = TestCluster::found_where(3, LogLimits::default(), |config| {
            if config.advertise != address(newer) {
                config.supports = Support::unsaid();
            }
        })
        .await;
        for at in 0..3 {
            test_cluster.ready(at).await;
        }
        test_cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_majority_is_seen_within_seconds_and_so_is_its_return() {
    let mut test_cluster = TestCluster::found(3).await;
    test_cluster.ready(0).await;
    test_cluster.stop(1).await;
    test_cluster.register(4).await;
    test_cluster.ready(0).await;
    test_cluster.stop(2).await;
    let begun = tokio::time::Instant::now();
    while test_cluster.at(0).readiness().reasons().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", test_cluster.at(0).readiness());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let reasons = loop {
        let readiness = test_cluster.at(0).readiness();
        if readiness.leaderless.len() == 4 && !readiness.meta_led {
            break readiness.reasons();
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{readiness:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(reasons.iter().any(|reason| reason.contains("4 of 4 shards have no reachable leader")), "{reasons:?}");
    test_cluster.start(1).await;
    test_cluster.ready(0).await;
    test_cluster.ready(1).await;
    test_cluster.shutdown().await;
}

/// 3 -> 1 -> 3 nodes by the orders of docs/operations.md.
#[tokio::test(start_paused = true)]
async fn copies_that_were_given_up_come_back_with_the_nodes() {
    let mut test_cluster = TestCluster::found(3).await;
    test_cluster.register(20).await;
    let order = |node, copies| Order { node: NodeId(node), verb: Verb::Remove, replication: Some(copies) };
    for (node, copies, left) in [(3, 2, 2), (2, 1, 1)] {
        test_cluster.at(0).order(&order(node, copies)).await.unwrap();
        until(test_cluster.at(0), "it is out", |table| table.nodes.len() == left).await;
        test_cluster.stop(node as usize - 1).await;
    }
    let alone = test_cluster.at(0).readiness();
    assert_eq!((alone.target, alone.under_replicated.len()), (3, 4), "{alone:?}");
    assert!(alone.reasons().is_empty() && alone.remarks()[0].contains("to be added: 2"), "{:?}", alone.remarks());
    for at in [1, 2] {
        test_cluster.wipe_only(at);
        test_cluster.start(at).await;
        test_cluster.ready(at).await;
    }
    test_cluster
        .until("three copies again", |table| {
            table.placement.values().all(|place| place.nodes.len() == 3 && place.moving.is_none())
        })
        .await;
    for at in 0..3 {
        test_cluster.ready(at).await;
        assert!(test_cluster.at(at).readiness().remarks().is_empty());
    }
    test_cluster.check().await;
    test_cluster.shutdown().await;
}
