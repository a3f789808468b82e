//! Whole nodes on a network and disks in memory. The clock is paused, so elections cost no time.

mod addresses;
mod tokens;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use troupe_core::command::Register;
use troupe_core::{ClientMessageId, ConversationId, Reply, Slot, UserId, Username};
use troupe_runtime::Platform;
use troupe_store::Reader;
use troupe_store::memory::Memory;
use troupe_store::rows::View;

use super::*;
use crate::api::{ClusterConfig, ShardPlace, StartError};
use crate::cluster::operate::{Order, Verb};
use crate::formation::tests::test_net::{Node, TestNet, address};
use crate::log::length::LogLimits;

const PATIENCE: Duration = Duration::from_secs(60);
/// Small limits, so that snapshots are sent, and no index of searches, so that they are the only
/// bulk work.
fn few_entries() -> LogLimits {
    LogLimits { between_cuts: 20, kept: 5, search_block: 0, ..LogLimits::default() }
}

async fn start(node: &Node) -> Cluster {
    start_with(node, LogLimits::default()).await
}

async fn start_with(node: &Node, limits: LogLimits) -> Cluster {
    // Another seed at every start: a wiped node must not draw the same numbers again.
    static STARTS: AtomicU64 = AtomicU64::new(7);
    let platform = node.test_net.platform(&node.config.advertise, STARTS.fetch_add(1, Ordering::Relaxed));
    let engine = Arc::new(node.disk.clone());
    let starting = Cluster::start_tuned(platform, engine, node.config.clone(), limits);
    timeout(PATIENCE, starting).await.expect("it starts in time").expect("it starts")
}

/// The reason why a node does not start, or stops as soon as the reason arrives.
async fn refusal_of(node: &Node) -> String {
    let platform = node.test_net.platform(&node.config.advertise, 99);
    let starting = Cluster::start(platform, Arc::new(node.disk.clone()), node.config.clone());
    match timeout(PATIENCE, starting).await.expect("it ends") {
        Err(error) => error.to_string(),
        Ok(cluster) => {
            let why = timeout(PATIENCE, cluster.fatal()).await.expect("the reason arrives");
            cluster.shutdown().await;
            why
        }
    }
}

fn three(test_net: &TestNet) -> Vec<Node> {
    let addresses: Vec<String> = (1..=3).map(address).collect();
    let join: Vec<&str> = addresses.iter().map(String::as_str).collect();
    (1..=3).map(|number| Node::new(test_net, number, &join)).collect()
}

async fn start_all(nodes: &[Node], limits: LogLimits) -> Vec<Cluster> {
    futures::future::join_all(nodes.iter().map(|node| start_with(node, limits))).await
}

fn register(name: &str) -> (Slot, Command) {
    let name = Username::new(name).expect("a good name");
    let request = ClientMessageId(u128::from(troupe_core::Slot::of(name.as_str().as_bytes()).0).to_be_bytes());
    let register = Register { name, password_hash: "hash".to_owned(), request };
    let command = Command::Register(register);
    (command.slot(), command)
}

/// Commits like the actors do: at the presumed leader, again after a refusal.
async fn commit(clusters: &[&Cluster], name: &str) -> Outcome {
    let (slot, command) = register(name);
    let shard = clusters[0].routing().borrow().shard(slot).expect("the cluster is born");
    let committed = async {
        let mut again = tokio::time::interval(Duration::from_millis(10));
        loop {
            again.tick().await;
            for cluster in clusters {
                if !cluster.led().borrow().contains_key(&shard) {
                    continue;
                }
                if let Ok(mut outcomes) = cluster.propose(shard, vec![command.clone()]).await {
                    return outcomes.remove(0);
                }
            }
        }
    };
    timeout(PATIENCE, committed).await.expect("a majority is there")
}

fn knows(cluster: &Cluster, name: &str) -> bool {
    View::new(cluster.engine()).user_of_name(name).unwrap().is_some()
}

/// Waits until this node has applied it.
async fn learns(cluster: &Cluster, name: &str) {
    let learned = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while !knows(cluster, name) {
            tick.tick().await;
        }
    };
    timeout(PATIENCE, learned).await.unwrap_or_else(|_| panic!("node {} never heard of {name}", cluster.me()));
}

async fn until(cluster: &Cluster, what: &str, holds: impl Fn(&Routing) -> bool) {
    let mut routing = cluster.routing();
    let seen = timeout(PATIENCE, routing.wait_for(|table| holds(table))).await;
    assert!(seen.is_ok(), "{what}: {:?}", cluster.routing().borrow());
}

/// Waits until all clusters agree on a leader for every shard.
async fn settled(clusters: &[&Cluster]) {
    for cluster in clusters {
        until(cluster, "every shard has a leader", |table| {
            !table.placement.is_empty() && table.placement.values().all(|place| place.leader.is_some())
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_of_one_keeps_what_it_acknowledged_over_a_power_loss() {
    let test_net = TestNet::default();
    let mut node = Node::new(&test_net, 1, &[]);
    let cluster = start(&node).await;
    for number in 0..40 {
        let outcome = commit(&[&cluster], &format!("user{number}")).await;
        assert!(matches!(outcome.reply, Reply::Registered { .. }), "{outcome:?}");
    }
    let shards: Vec<ShardId> = cluster.routing().borrow().placement.keys().copied().collect();
    assert_eq!(shards.len(), 4);
    assert_eq!(cluster.led().borrow().len(), 4);
    cluster.shutdown().await;

    node.crash();
    let cluster = start(&node).await;
    let (slot, again) = register("user7");
    let shard = cluster.routing().borrow().shard(slot).unwrap();
    let mut led = cluster.led();
    timeout(PATIENCE, led.wait_for(|led| led.contains_key(&shard))).await.unwrap().unwrap();
    cluster.barrier(shard).await.unwrap();
    assert!(knows(&cluster, "user7"));
    let outcome = cluster.propose(shard, vec![again]).await.unwrap().remove(0);
    assert!(matches!(outcome.reply, Reply::Registered { .. }), "the repeat finds the first: {outcome:?}");
    cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn commands_of_one_call_keep_their_order_and_many_calls_share_entries() {
    let test_net = TestNet::default();
    let cluster = start(&Node::new(&test_net, 1, &[])).await;
    settled(&[&cluster]).await;
    commit(&[&cluster], "first").await;
    let shard = cluster.routing().borrow().shard(register("first").0).unwrap();
    let names: Vec<String> = (0..1000)
        .map(|number| format!("many{number}"))
        .filter(|name| cluster.routing().borrow().shard(register(name).0) == Some(shard))
        .take(200)
        .collect();
    let before = cluster.status().await.replicas.iter().find(|replica| replica.shard == shard).unwrap().last_log;
    let calls = names.iter().map(|name| cluster.propose(shard, vec![register(name).1]));
    let outcomes = futures::future::try_join_all(calls).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.len() == 1));
    let after = cluster.status().await.replicas.iter().find(|replica| replica.shard == shard).unwrap().last_log;
    assert!(after - before <= 20, "{} entries for {} calls", after - before, names.len());

    let commands: Vec<Command> = names.iter().map(|name| register(name).1).collect();
    let outcomes = cluster.propose(shard, commands).await.unwrap();
    let ids: Vec<UserId> = outcomes
        .iter()
        .map(|outcome| match outcome.reply {
            Reply::Registered { user } => user,
            ref other => panic!("{other:?}"),
        })
        .collect();
    let view = View::new(cluster.engine());
    let expected: Vec<UserId> = names.iter().map(|name| view.user_of_name(name).unwrap().unwrap()).collect();
    assert_eq!(ids, expected);
    cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn three_nodes_survive_the_loss_of_each_one_and_take_it_back() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let mut clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    for number in 0..20 {
        commit(&clusters.iter().collect::<Vec<_>>(), &format!("early{number}")).await;
    }
    for (lost, node) in nodes.iter_mut().enumerate() {
        clusters[lost].shutdown().await;
        node.crash();
        let others: Vec<&Cluster> =
            clusters.iter().enumerate().filter(|(at, _)| *at != lost).map(|(_, cluster)| cluster).collect();
        for number in 0..20 {
            commit(&others, &format!("without{lost}-{number}")).await;
        }
        clusters[lost] = start(node).await;
        learns(&clusters[lost], &format!("without{lost}-19")).await;
    }
    for cluster in &clusters {
        learns(cluster, "early19").await;
        learns(cluster, "without2-19").await;
    }
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_refuses_for_certain_and_knows_who_leads() {
    let test_net = TestNet::default();
    let nodes = three(&test_net);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    commit(&clusters.iter().collect::<Vec<_>>(), "someone").await;
    let (slot, command) = register("someone");
    let table = clusters[0].routing().borrow().clone();
    let shard = table.shard(slot).unwrap();
    let (leader, _) = table.leader(shard).unwrap();
    let follower = clusters.iter().find(|cluster| cluster.me() != leader).unwrap();
    match follower.propose(shard, vec![command]).await {
        Err(ProposeError::NotLeader { hint }) => assert_eq!(hint, Some(leader)),
        other => panic!("{:?}", other.err()),
    }
    match follower.barrier(shard).await {
        Err(ReadError::NotLeader { hint }) => assert_eq!(hint, Some(leader)),
        other => panic!("{:?}", other.err()),
    }
    clusters.iter().find(|cluster| cluster.me() == leader).unwrap().barrier(shard).await.unwrap();
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_was_put_back_is_noticed_and_never_votes() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let mut clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    commit(&clusters.iter().collect::<Vec<_>>(), "before").await;
    learns(&clusters[2], "before").await;
    clusters[2].shutdown().await;
    let copy = nodes[2].disk.copy();
    nodes[2].crash();
    clusters[2] = start(&nodes[2]).await;
    commit(&clusters.iter().collect::<Vec<_>>(), "since").await;
    learns(&clusters[2], "since").await;
    clusters[2].shutdown().await;

    nodes[2].disk = copy;
    let why = refusal_of(&nodes[2]).await;
    assert!(why.contains("an earlier copy replaced it"), "{why}");
    assert!(nodes[2].disk.damage_mark().is_some_and(|why| why.contains("an earlier copy")));
    commit(&[&clusters[0], &clusters[1]], "after").await;
    for cluster in &clusters[..2] {
        assert!(!cluster.links().reachable(NodeId(3)));
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn leaderships_are_spread_and_handed_over() {
    let test_net = TestNet::default();
    let nodes = three(&test_net);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    let all: Vec<&Cluster> = clusters.iter().collect();
    settled(&all).await;
    for cluster in &clusters {
        let mut led = cluster.led();
        let some = timeout(PATIENCE, led.wait_for(|led| !led.is_empty())).await;
        assert!(some.is_ok(), "node {} leads nothing", cluster.me());
    }
    clusters[0].hand_over(Duration::from_secs(5)).await;
    let mut led = clusters[0].led();
    timeout(PATIENCE, led.wait_for(|led| led.is_empty())).await.expect("nothing is left").unwrap();
    assert_ne!(clusters[0].status().await.meta_leader, Some(clusters[0].me()));
    for number in 0..8 {
        commit(&all[1..], &format!("moved{number}")).await;
    }
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_is_admitted_and_routes_at_once() {
    let test_net = TestNet::default();
    let nodes = three(&test_net);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    let late = Node::new(&test_net, 4, &[&address(1), &address(2), &address(3)]);
    let newcomer = start(&late).await;
    assert_eq!(newcomer.me(), NodeId(4));
    until(&newcomer, "it sees the others and their leaders", |table| {
        table.nodes.len() == 4
            && table.nodes.values().all(|node| node.reachable)
            && table.placement.values().all(|place| place.epoch > Epoch(0))
    })
    .await;
    let seen = newcomer.routing();
    until(&clusters[0], "both see the same leaders", |truth| {
        seen.borrow().placement.iter().all(|(shard, place)| place.leader == truth.placement[shard].leader)
    })
    .await;
    let elsewhere = |(_, place): &(&ShardId, &ShardPlace)| place.leader.is_some_and(|leader| leader != newcomer.me());
    let shard = seen.borrow().placement.iter().find(elsewhere).map(|(shard, _)| *shard).expect("it does not lead all");
    assert!(matches!(
        newcomer.propose(shard, vec![register("zoe").1]).await,
        Err(ProposeError::NotLeader { hint: Some(_) })
    ));
    for cluster in clusters.iter().chain([&newcomer]) {
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_removed_before_it_had_anything_is_told() {
    let test_net = TestNet::default();
    let nodes = three(&test_net);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    // It has its id, and is lost before the meta group has added it.
    let mut newcomer = Node::new(&test_net, 4, &[&nodes[0].config.advertise]);
    let admitted = timeout(PATIENCE, newcomer.start()).await.unwrap().unwrap().expect("it is admitted");
    newcomer.crash();
    let order = Order { node: admitted.me, verb: Verb::Remove, replication: None };
    clusters[0].order(&order).await.unwrap();
    until(&clusters[0], "it is out", |table| !table.nodes.contains_key(&admitted.me)).await;

    let platform = test_net.platform(&newcomer.config.advertise, 99);
    let starting = Cluster::start(platform, Arc::new(newcomer.disk.clone()), newcomer.config.clone());
    let refused = timeout(PATIENCE, starting).await.expect("it does not wait forever").map(drop).unwrap_err();
    assert!(refused.to_string().contains("was removed from this cluster"), "{refused}");
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_disk_ends_the_node_and_nothing_is_acknowledged() {
    let test_net = TestNet::default();
    let node = Node::new(&test_net, 1, &[]);
    let cluster = start(&node).await;
    settled(&[&cluster]).await;
    commit(&[&cluster], "before").await;
    node.disk.fail_next_write("no such disk");
    let (slot, command) = register("after");
    let shard = cluster.routing().borrow().shard(slot).unwrap();
    assert!(matches!(cluster.propose(shard, vec![command]).await, Err(ProposeError::Unknown)));
    assert!(timeout(PATIENCE, cluster.fatal()).await.unwrap().contains("no such disk"));
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_node_starts_in_the_real_world() {
    let config = ClusterConfig { insecure: true, ..Node::new(&TestNet::default(), 0, &[]).config };
    let cluster =
        timeout(Duration::from_secs(20), Cluster::start(Platform::production(), Arc::new(Memory::new()), config))
            .await
            .unwrap()
            .unwrap();
    let outcome = commit(&[&cluster], "somebody").await;
    assert!(matches!(outcome.reply, Reply::Registered { .. }));
    cluster.shutdown().await;
}

mod backups;
mod clocks;
mod elastic;
mod leaders;
mod levels;
mod readiness;
mod recovered;
mod sizes;
mod snapshots;
mod test_cluster;
