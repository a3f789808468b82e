//! One surviving copy of three.

use std::sync::Arc;

use troupe_store::engine::Engine;

use super::town::Town;
use super::*;
use crate::recover::{recover, survey};

#[tokio::test(start_paused = true)]
async fn one_copy_of_three_goes_on_and_gets_company_again() {
    let mut town = Town::found_with(3, few_entries()).await;
    town.register(60).await;
    let before = town.at(0).routing().borrow().clone();
    learns(town.at(0), "person59").await;
    for at in 0..3 {
        town.stop(at).await;
    }
    town.wipe_only(1);
    town.wipe_only(2);
    let engine: Arc<dyn Engine> = Arc::new(town.machines[0].node.disk.clone());
    let seen = survey(&engine).expect("it has been in a cluster");
    assert_eq!((seen.cluster_id, seen.me, seen.others.len()), (before.cluster_id, NodeId(1), 2));
    for copy in &seen.copies {
        let reach = copy.here.expect("three copies on three nodes");
        assert!(reach.last >= reach.committed && reach.committed >= reach.applied && reach.applied > 0, "{reach:?}");
        assert_eq!(copy.elsewhere, [NodeId(2), NodeId(3)].into_iter().collect::<Vec<_>>());
    }
    recover(&engine, [9; 16], 5).expect("recovered");

    town.start(0).await;
    let table = town.at(0).routing().borrow().clone();
    assert_eq!((table.cluster_id, table.me, table.history), ([9; 16], NodeId(1), 5));
    assert_eq!(table.continues, [before.cluster_id]);
    town.register(12).await;
    town.ready(0).await;
    let view = View::new(town.at(0).engine());
    assert!(view.kept(troupe_core::ConversationId::Everyone).is_ok());

    for at in [1, 2] {
        town.start(at).await;
        town.ready(at).await;
    }
    town.until("three copies again", |table| {
        table.placement.values().all(|place| place.nodes.len() == 3 && place.moving.is_none())
    })
    .await;
    town.check().await;
    town.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn shards_without_a_copy_begin_empty_and_a_node_of_the_old_cluster_is_refused() {
    let mut town = Town::found(5).await;
    town.register(20).await;
    for at in 0..5 {
        town.stop(at).await;
    }
    let engine: Arc<dyn Engine> = Arc::new(town.machines[0].node.disk.clone());
    let seen = survey(&engine).expect("it has been in a cluster");
    assert!(seen.copies.iter().any(|copy| copy.here.is_none()) && seen.copies.iter().any(|copy| copy.here.is_some()));
    recover(&engine, [9; 16], 5).expect("recovered");
    town.start(0).await;
    town.ready(0).await;
    assert_eq!(town.at(0).led().borrow().len(), 4, "all shards are served");
    for number in 0..12 {
        commit(&town.up(), &format!("later{number}")).await;
    }
    // Its disk is of the old cluster, and it is told so.
    let node = &town.machines[1].node;
    let ctx = town.village().ctx(&node.config.advertise, 77);
    let starting = Cluster::start(ctx, Arc::new(node.disk.clone()), node.config.clone());
    let refused = timeout(PATIENCE, starting).await.expect("it is told").map(drop).unwrap_err().to_string();
    assert!(refused.contains("belongs to cluster"), "{refused}");
    town.shutdown().await;
}

#[test]
fn an_empty_directory_has_nothing_to_recover() {
    let engine: Arc<dyn Engine> = Arc::new(Memory::new());
    assert!(survey(&engine).unwrap_err().to_string().contains("nothing to recover"));
    assert!(recover(&engine, [9; 16], 5).is_err());
}
