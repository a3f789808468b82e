//! A cluster of nodes that may be down, its registered users, and its invariants.

use std::ops::Bound;

use troupe_core::ShardMap;
use troupe_store::engine::Family;
use troupe_store::key::raft::group_range;

use super::*;
use crate::control::meta::MetaCommand;

/// A node that may be down.
pub(super) struct Machine {
    pub(super) node: Node,
    pub(super) cluster: Option<Cluster>,
}

pub(super) struct TestCluster {
    test_net: TestNet,
    pub(super) machines: Vec<Machine>,
    registered: Vec<String>,
}

impl TestCluster {
    /// All founders at once.
    pub(super) async fn found(founders: u16) -> TestCluster {
        TestCluster::found_with(founders, LogLimits::default()).await
    }

    pub(super) async fn found_with(founders: u16, limits: LogLimits) -> TestCluster {
        TestCluster::found_where(founders, limits, |_| ()).await
    }

    pub(super) async fn found_where(
        founders: u16,
        limits: LogLimits,
        configure: impl Fn(&mut ClusterConfig),
    ) -> TestCluster {
        let test_net = TestNet::default();
        let addresses: Vec<String> = (1..=founders).map(address).collect();
        let join: Vec<&str> = if founders == 1 { Vec::new() } else { addresses.iter().map(String::as_str).collect() };
        let mut nodes: Vec<Node> = (1..=founders).map(|number| Node::new(&test_net, number, &join)).collect();
        nodes.iter_mut().for_each(|node| configure(&mut node.config));
        let clusters = start_all(&nodes, limits).await;
        let machines = nodes.into_iter().zip(clusters);
        let machines = machines.map(|(node, cluster)| Machine { node, cluster: Some(cluster) }).collect();
        let test_cluster = TestCluster { test_net, machines, registered: Vec::new() };
        settled(&test_cluster.up()).await;
        test_cluster
    }

    /// One more, that knows the first.
    pub(super) async fn join(&mut self) -> usize {
        let number = self.machines.len() as u16 + 1;
        let node = Node::new(&self.test_net, number, &[&address(1)]);
        let cluster = Some(start(&node).await);
        self.machines.push(Machine { node, cluster });
        self.machines.len() - 1
    }

    pub(super) async fn stop(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        if let Some(cluster) = machine.cluster.take() {
            cluster.shutdown().await;
            machine.node.crash();
        }
    }

    pub(super) async fn start(&mut self, at: usize) {
        let cluster = start(&self.machines[at].node).await;
        self.machines[at].cluster = Some(cluster);
    }

    pub(super) async fn wipe(&mut self, at: usize) {
        self.stop(at).await;
        self.machines[at].node.wipe();
    }

    pub(super) fn test_net(&self) -> &TestNet {
        &self.test_net
    }

    /// Wipes a node that is down already.
    pub(super) fn wipe_only(&mut self, at: usize) {
        self.machines[at].node.wipe();
    }

    pub(super) fn up(&self) -> Vec<&Cluster> {
        self.machines.iter().filter_map(|machine| machine.cluster.as_ref()).collect()
    }

    pub(super) fn at(&self, at: usize) -> &Cluster {
        self.machines[at].cluster.as_ref().expect("it runs")
    }

    pub(super) async fn register(&mut self, count: usize) {
        for _ in 0..count {
            let name = format!("person{}", self.registered.len());
            commit(&self.up(), &name).await;
            self.registered.push(name);
        }
    }

    /// Waits until every node that is up sees it so.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Routing) -> bool) {
        for cluster in self.up() {
            until(cluster, what, &holds).await;
        }
    }

    /// Waits until a node reports that it is ready.
    pub(super) async fn ready(&self, at: usize) {
        let ready = async {
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            while !self.at(at).readiness().reasons().is_empty() {
                tick.tick().await;
            }
        };
        let ready = timeout(PATIENCE, ready).await;
        assert!(ready.is_ok(), "node {} is not ready: {:?}", self.at(at).me(), self.at(at).readiness());
    }

    pub(super) async fn order(&self, command: MetaCommand) -> Result<NodeId, String> {
        let ordered = async {
            let mut again = tokio::time::interval(Duration::from_millis(50));
            loop {
                again.tick().await;
                for cluster in self.up() {
                    match cluster.0.meta.propose(&command).await {
                        Ok(node) => return Ok(node),
                        Err(crate::control::meta::MetaError::Refused(why)) => return Err(why),
                        Err(error @ crate::control::meta::MetaError::UpgradePending { .. }) => {
                            return Err(error.to_string());
                        }
                        Err(crate::control::meta::MetaError::Unavailable) => {}
                    }
                }
            }
        };
        timeout(PATIENCE, ordered).await.expect("the meta group answers")
    }

    /// Every registered user is known on every replica, and no disk has rows of a shard that is not
    /// placed there.
    pub(super) async fn check(&mut self) {
        self.register(8).await;
        let table = self.up()[0].routing().borrow().clone();
        let map = table.shards.expect("it is born");
        for machine in self.machines.iter().filter(|machine| machine.cluster.is_some()) {
            let cluster = machine.cluster.as_ref().expect("it is up");
            for (shard, place) in &table.placement {
                let here = place.nodes.contains(&cluster.me());
                if here {
                    for name in self.registered.iter().filter(|name| map.shard(register(name).0) == *shard) {
                        learns(cluster, name).await;
                    }
                    continue;
                }
                let gone = async {
                    let mut tick = tokio::time::interval(Duration::from_millis(20));
                    while rows(&machine.node, map, *shard) > 0 {
                        tick.tick().await;
                    }
                };
                let gone = timeout(PATIENCE, gone).await;
                assert!(gone.is_ok(), "shard {shard} has left rows on node {}", cluster.me());
            }
        }
    }

    /// A removed node starts again: it receives the reason, and stops.
    pub(super) async fn is_refused(&self, at: usize) {
        let told = refusal_of(&self.machines[at].node).await;
        assert!(told.contains("was removed") && told.contains("empty its data directory"), "{told}");
    }

    pub(super) async fn shutdown(self) {
        for machine in &self.machines {
            if let Some(cluster) = &machine.cluster {
                cluster.shutdown().await;
            }
        }
    }
}

/// Rows of a shard on a disk: log, votes and state.
fn rows(node: &Node, map: ShardMap, shard: ShardId) -> usize {
    let (first, end) = map.slots(shard);
    let slots = troupe_store::key::slot_range(first, end);
    let group = group_range(GroupId::of(shard).0);
    let count = |family, (from, to): &(Vec<u8>, Vec<u8>)| {
        let range = (Bound::Included(from.clone()), Bound::Excluded(to.clone()));
        node.disk.scan(family, range, false, 1000).expect("memory can be read").len()
    };
    let state: usize = Family::OF_SLOTS.into_iter().map(|family| count(family, &slots)).sum();
    state + count(Family::RaftLog, &group) + count(Family::RaftMeta, &group)
}
