//! Nodes that come, go, and are replaced, while people register.

use std::collections::BTreeSet;
use std::ops::Bound;

use troupe_core::ShardMap;
use troupe_store::engine::Family;
use troupe_store::key::raft::group_range;

use super::*;
use crate::meta::{MetaCommand, NodeState};

/// A node that may be down.
struct Machine {
    node: Node,
    cluster: Option<Cluster>,
}

struct Town {
    village: Village,
    machines: Vec<Machine>,
    registered: Vec<String>,
}

impl Town {
    /// All founders at once.
    async fn found(founders: u16) -> Town {
        Town::found_with(founders, LogLimits::default()).await
    }

    async fn found_with(founders: u16, limits: LogLimits) -> Town {
        Town::found_where(founders, limits, |_| ()).await
    }

    async fn found_where(founders: u16, limits: LogLimits, configure: impl Fn(&mut ClusterConfig)) -> Town {
        let village = Village::default();
        let addresses: Vec<String> = (1..=founders).map(address).collect();
        let join: Vec<&str> = if founders == 1 { Vec::new() } else { addresses.iter().map(String::as_str).collect() };
        let mut nodes: Vec<Node> = (1..=founders).map(|number| Node::new(&village, number, &join)).collect();
        nodes.iter_mut().for_each(|node| configure(&mut node.config));
        let clusters = start_all(&nodes, limits).await;
        let machines = nodes.into_iter().zip(clusters);
        let machines = machines.map(|(node, cluster)| Machine { node, cluster: Some(cluster) }).collect();
        let town = Town { village, machines, registered: Vec::new() };
        settled(&town.up()).await;
        town
    }

    /// One more, that knows the first.
    async fn join(&mut self) -> usize {
        let number = self.machines.len() as u16 + 1;
        let node = Node::new(&self.village, number, &[&address(1)]);
        let cluster = Some(start(&node).await);
        self.machines.push(Machine { node, cluster });
        self.machines.len() - 1
    }

    async fn stop(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        if let Some(cluster) = machine.cluster.take() {
            cluster.shutdown().await;
            machine.node.crash();
        }
    }

    async fn start(&mut self, at: usize) {
        let cluster = start(&self.machines[at].node).await;
        self.machines[at].cluster = Some(cluster);
    }

    async fn wipe(&mut self, at: usize) {
        self.stop(at).await;
        self.machines[at].node.wipe();
    }

    fn up(&self) -> Vec<&Cluster> {
        self.machines.iter().filter_map(|machine| machine.cluster.as_ref()).collect()
    }

    fn at(&self, at: usize) -> &Cluster {
        self.machines[at].cluster.as_ref().expect("it runs")
    }

    async fn register(&mut self, count: usize) {
        for _ in 0..count {
            let name = format!("person{}", self.registered.len());
            commit(&self.up(), &name).await;
            self.registered.push(name);
        }
    }

    /// Until every node that is up sees it so.
    async fn until(&self, what: &str, holds: impl Fn(&Routing) -> bool) {
        for cluster in self.up() {
            until(cluster, what, &holds).await;
        }
    }

    async fn order(&self, command: MetaCommand) -> Result<NodeId, String> {
        let ordered = async {
            let mut again = tokio::time::interval(Duration::from_millis(50));
            loop {
                again.tick().await;
                for cluster in self.up() {
                    match cluster.0.meta.propose(&command).await {
                        Ok(node) => return Ok(node),
                        Err(crate::meta::MetaError::Refused(why)) => return Err(why),
                        Err(crate::meta::MetaError::Unavailable) => {}
                    }
                }
            }
        };
        timeout(PATIENCE, ordered).await.expect("the meta group answers")
    }

    /// Everybody who was ever registered is known on every replica, and no disk holds anything of a shard that is not placed there.
    async fn check(&mut self) {
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

    /// A node that is out comes back all the same: it is told why not, and ends.
    async fn is_refused(&self, at: usize) {
        let node = &self.machines[at].node;
        let ctx = self.village.ctx(&node.config.advertise, 99);
        let starting = Cluster::start(ctx, Arc::new(node.disk.clone()), node.config.clone());
        let told = match timeout(PATIENCE, starting).await.expect("it ends") {
            Err(error) => error.to_string(),
            // It may have started before it is told.
            Ok(cluster) => {
                let told = timeout(PATIENCE, cluster.fatal()).await.expect("it is told");
                cluster.shutdown().await;
                told
            }
        };
        assert!(told.contains("was removed") && told.contains("empty its data directory"), "{told}");
    }

    async fn shutdown(self) {
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
