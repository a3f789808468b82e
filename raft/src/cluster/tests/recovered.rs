//! One surviving copy of three.

use std::sync::Arc;

use troupe_store::engine::Engine;

use super::test_cluster::TestCluster;
use super::*;
use crate::recover::{recover, survey};

#[tokio::test(start_paused = true)]
async fn one_copy_of_three_goes_on_and_gets_company_again() {
    let mut test_cluster = TestCluster::found_with(3, few_entries()).await;
    test_cluster.register(60).await;
    let before = test_cluster.at(0).routing().borrow().clone();
    learns(test_cluster.at(0), "person59").await;
    for at in 0..3 {
        test_cluster.stop(at).await;
    }
    test_cluster.wipe_only(1);
    test_cluster.wipe_only(2);
    let engine: Arc<dyn Engine> = Arc::new(test_cluster.machines[0].node.disk.clone());
    let seen = survey(&engine).expect("it has been in a cluster");
    assert_eq!((seen.cluster_id, seen.me, seen.others.len()), (before.cluster_id, NodeId(1), 2));
    for copy in &seen.copies {
        let reach = copy.here.expect("three copies on three nodes");
        assert!(reach.last >= reach.committed && reach.committed >= reach.applied && reach.applied > 0, "{reach:?}");
        assert_eq!(copy.elsewhere, [NodeId(2), NodeId(3)].into_iter().collect::<Vec<_>>());
    }
    recover(&engine, [9; 16], 5).expect("recovered");

    test_cluster.start(0).await;
    let table = test_cluster.at(0).routing().borrow().clone();
    assert_eq!((table.cluster_id, table.me, table.history), ([9; 16], NodeId(1), 5));
    assert_eq!(table.continues, [before.cluster_id]);
    test_cluster.register(12).await;
    test_cluster.ready(0).await;
    let view = View::new(test_cluster.at(0).engine());
    assert!(view.kept(troupe_core::ConversationId::Everyone).is_ok());

    for at in [1, 2] {
        test_cluster.start(at).await;
        test_cluster.ready(at).await;
    }
    test_cluster
        .until("three copies again", |table| {
            table.placement.values().all(|place| place.nodes.len() == 3 && place.moving.is_none())
        })
        .await;
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn shards_without_a_copy_begin_empty_and_a_node_of_the_old_cluster_is_refused() {
    let mut test_cluster = TestCluster::found(5).await;
    test_cluster.register(20).await;
    for at in 0..5 {
        test_cluster.stop(at).await;
    }
    let engine: Arc<dyn Engine> = Arc::new(test_cluster.machines[0].node.disk.clone());
    let seen = survey(&engine).expect("it has been in a cluster");
    assert!(seen.copies.iter().any(|copy| copy.here.is_none()) && seen.copies.iter().any(|copy| copy.here.is_some()));
    recover(&engine, [9; 16], 5).expect("recovered");
    test_cluster.start(0).await;
    test_cluster.ready(0).await;
    assert_eq!(test_cluster.at(0).led().borrow().len(), 4, "all shards are served");
    for number in 0..12 {
        commit(&test_cluster.up(), &format!("later{number}")).await;
    }
    // Its disk is of the old cluster, and it receives that reason.
    let node = &test_cluster.machines[1].node;
    let platform = test_cluster.test_net().platform(&node.config.advertise, 77);
    let starting = Cluster::start(platform, Arc::new(node.disk.clone()), node.config.clone());
    let refused = timeout(PATIENCE, starting).await.expect("the reason arrives").map(drop).unwrap_err().to_string();
    assert!(refused.contains("belongs to cluster"), "{refused}");
    test_cluster.shutdown().await;
}

#[test]
fn an_empty_directory_has_nothing_to_recover() {
    let engine: Arc<dyn Engine> = Arc::new(Memory::new());
    assert!(survey(&engine).unwrap_err().to_string().contains("nothing to recover"));
    assert!(recover(&engine, [9; 16], 5).is_err());
}
