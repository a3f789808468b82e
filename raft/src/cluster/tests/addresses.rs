//! Nodes whose addresses change, are mistyped, or belong to another node: identities do not depend
//! on addresses.

use troupe_core::level::Range;

use super::*;
use crate::api::{Addresses, NodeState};
use crate::control::meta::MetaCommand;

/// The cluster addresses in the table of this node.
fn table(cluster: &Cluster) -> Vec<String> {
    cluster.routing().borrow().nodes.values().map(|node| node.cluster_address.clone()).collect()
}

async fn refused(node: &Node) -> String {
    let platform = node.test_net.platform(&node.config.advertise, 99);
    let starting = Cluster::start(platform, Arc::new(node.disk.clone()), node.config.clone());
    match timeout(PATIENCE, starting).await.expect("it ends in time") {
        Err(StartError::Refused(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

fn meant(cluster: &Cluster, node: u64) -> Option<NodeState> {
    cluster.routing().borrow().nodes.get(&NodeId(node)).map(|node| node.state)
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_at_the_address_of_a_living_node_is_refused_and_harms_nobody() {
    let test_net = TestNet::default();
    let nodes = three(&test_net);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    let joins: Vec<String> = (1..=3).map(address).collect();
    let mut newcomer = Node::new(&test_net, 4, &joins.iter().map(String::as_str).collect::<Vec<_>>());
    newcomer.config.advertise = address(1);
    let why = refused(&newcomer).await;
    assert!(why.contains("is taken: node 1") && why.contains("advertise"), "{why}");
    for cluster in &clusters {
        assert_eq!((meant(cluster, 1), meant(cluster, 4)), (Some(NodeState::Active), None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_address_was_given_away_is_kept_by_an_undrain_and_the_other_one_goes() {
    let test_net = TestNet::default();
    let nodes = three(&test_net);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    // As an earlier version admitted it.
    let addresses = Addresses { cluster: address(1), ..Addresses::default() };
    clusters[1]
        .meta()
        .propose(&MetaCommand::AddNode { request: [4; 16], addresses, levels: Range::OURS })
        .await
        .unwrap();
    until(&clusters[1], "node 1 is to leave", |table| table.leaves(NodeId(1))).await;
    let order = |node, verb| Order { node: NodeId(node), verb, replication: None };
    clusters[1].order(&order(1, Verb::Undrain)).await.unwrap();
    clusters[1].order(&order(4, Verb::Remove)).await.unwrap();
    for cluster in &clusters {
        until(cluster, "node 4 is out", |table| !table.nodes.contains_key(&NodeId(4))).await;
        assert_eq!(meant(cluster, 1), Some(NodeState::Active));
    }
    commit(&clusters.iter().collect::<Vec<_>>(), "after").await;
}

/// All of them stop and return at these addresses, with a matching join list.
async fn moved(nodes: &mut [Node], clusters: Vec<Cluster>, to: [u16; 3]) -> Vec<Cluster> {
    for cluster in clusters {
        cluster.shutdown().await;
    }
    let list: Vec<String> = to.iter().map(|number| address(*number)).collect();
    for (node, address) in nodes.iter_mut().zip(&list) {
        node.crash();
        node.config.listen = address.clone();
        node.config.advertise = address.clone();
        node.config.join = list.clone();
    }
    start_all(nodes, LogLimits::default()).await
}

#[tokio::test(start_paused = true)]
async fn nodes_whose_addresses_have_all_changed_or_were_swapped_find_each_other() {
    for to in [[11, 12, 13], [2, 1, 3], [2, 3, 1], [3, 1, 12]] {
        let test_net = TestNet::default();
        let mut nodes = three(&test_net);
        let clusters = start_all(&nodes, LogLimits::default()).await;
        settled(&clusters.iter().collect::<Vec<_>>()).await;
        commit(&clusters.iter().collect::<Vec<_>>(), "before").await;
        let clusters = moved(&mut nodes, clusters, to).await;
        let all: Vec<&Cluster> = clusters.iter().collect();
        settled(&all).await;
        let expected: Vec<String> = to.iter().map(|number| address(*number)).collect();
        for cluster in &clusters {
            until(cluster, "the table is corrected", |table| {
                table.nodes.values().map(|node| &node.cluster_address).eq(&expected)
            })
            .await;
            until(cluster, "all are reached", |table| {
                table.nodes.values().all(|node| node.id == table.me || node.reachable)
            })
            .await;
            assert_eq!(meant(cluster, 1), Some(NodeState::Active), "{:?}", table(cluster));
            learns(cluster, "before").await;
        }
        commit(&all, "after").await;
        for cluster in &clusters {
            cluster.shutdown().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_moved_alone_is_found_by_what_it_says_although_no_list_names_it() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let mut clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    clusters.pop().unwrap().shutdown().await;
    nodes[2].crash();
    nodes[2].config.listen = address(13);
    nodes[2].config.advertise = address(13);
    clusters.push(start(&nodes[2]).await);
    for cluster in &clusters {
        until(cluster, "the table is corrected", |table| table.nodes[&NodeId(3)].cluster_address == address(13)).await;
    }
    settled(&clusters.iter().collect::<Vec<_>>()).await;
}

#[tokio::test(start_paused = true)]
async fn a_typing_error_in_the_table_is_corrected_by_a_restart() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let mut clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    clusters.pop().unwrap().shutdown().await;
    nodes[2].crash();
    let typo = Addresses { cluster: address(99), client: "0.0.0.0:7700".into(), http: String::new() };
    clusters[0].meta().propose(&MetaCommand::UpdateNode(NodeId(3), typo)).await.unwrap();
    until(&clusters[0], "the error is there", |table| table.nodes[&NodeId(3)].cluster_address == address(99)).await;
    clusters.push(start(&nodes[2]).await);
    for cluster in &clusters {
        until(cluster, "the table is corrected", |table| {
            let node = &table.nodes[&NodeId(3)];
            (node.cluster_address.clone(), node.client_address.as_str()) == (address(3), "client-3")
        })
        .await;
    }
    settled(&clusters.iter().collect::<Vec<_>>()).await;
}
