//! Members of two versions: refusals while they are mixed, the rise of the level, and refusals
//! afterwards.

use troupe_core::command::CreateAccount;
use troupe_core::level::Range;
use troupe_store::engine::{Batch, Durability, Engine, Family, Reader};
use troupe_store::key::node::{FIRST_FORMAT, FORMAT, format_in};

use super::test_cluster::TestCluster;
use super::*;
use crate::api::ChangeSettings;
use crate::cluster::operate::OrderError;
use crate::level::Support;

const AUTO: Duration = Duration::from_secs(30);

/// The support of an earlier version.
fn earlier() -> Support {
    Support { range: Range { oldest: Level::FIRST, newest: Level::FIRST }, version: "earlier".to_owned() }
}

/// A command of the second level.
fn create(name: &str) -> (Slot, Command) {
    let name = Username::new(name).expect("a good name");
    let (request, by) = (ClientMessageId([9; 16]), Default::default());
    let (password_hash, admin, one_time, born_with_cluster) = ("hash".to_owned(), false, false, false);
    let created = None;
    let create = CreateAccount { name, password_hash, request, by, admin, one_time, born_with_cluster, created };
    let command = Command::CreateAccount(create.into());
    (command.slot(), command)
}

/// The answer of the shard's leader to it.
async fn propose(clusters: &[&Cluster], (slot, command): (Slot, Command)) -> Result<Reply, ProposeError> {
    let shard = clusters[0].routing().borrow().shard(slot).expect("the cluster is born");
    let answered = async {
        let mut again = tokio::time::interval(Duration::from_millis(10));
        loop {
            again.tick().await;
            for cluster in clusters.iter().filter(|cluster| cluster.led().borrow().contains_key(&shard)) {
                match cluster.propose(shard, vec![command.clone()]).await {
                    Ok(mut outcomes) => return Ok(outcomes.remove(0).reply),
                    Err(ProposeError::NotLeader { .. } | ProposeError::Unknown) => {}
                    Err(refused) => return Err(refused),
                }
            }
        }
    };
    timeout(PATIENCE, answered).await.expect("a majority is there")
}

async fn is_pending(test_cluster: &TestCluster, name: &str) {
    let refused = propose(&test_cluster.up(), create(name)).await;
    let pending = ProposeError::UpgradePending { needs: Level::SECOND, in_force: Level::FIRST };
    assert_eq!(refused.map_err(|error| error.to_string()), Err(pending.to_string()));
}

async fn reaches(test_cluster: &TestCluster, level: Level) {
    test_cluster.until("the level rises", |table| table.level == level).await;
}

/// Waits until every node has heard the support of every other one.
async fn heard(test_cluster: &TestCluster) {
    let heard = async {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        while test_cluster.up().iter().any(|cluster| cluster.upgrade().members.values().any(Option::is_none)) {
            tick.tick().await;
        }
    };
    timeout(PATIENCE, heard).await.expect("they hear of each other");
}

/// Three nodes, the last of which has an earlier version.
async fn mixed() -> TestCluster {
    TestCluster::found_where(3, LogLimits::default(), |config| {
        config.auto_finalize = AUTO;
        if config.advertise == address(3) {
            config.supports = earlier();
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn founders_of_one_version_begin_at_its_newest_level() {
    let test_cluster = TestCluster::found(3).await;
    reaches(&test_cluster, Level::NEWEST).await;
    let created = propose(&test_cluster.up(), create("carol")).await;
    assert!(matches!(created, Ok(Reply::Registered { .. })), "{created:?}");
    assert_eq!(test_cluster.at(0).finalize().await, Ok(Level::NEWEST), "there is nothing to do");
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_of_an_earlier_version_keeps_the_level_down_and_is_named() {
    let mut test_cluster = mixed().await;
    heard(&test_cluster).await;
    test_cluster.register(8).await;
    is_pending(&test_cluster, "carol").await;
    let change = ChangeSettings { session_idle: Some(60), ..ChangeSettings::default() };
    let refused = test_cluster.at(0).change_settings(change).await;
    assert!(matches!(&refused, Err(OrderError::UpgradePending(why)) if why.contains("upgrade status")), "{refused:?}");
    let seen = test_cluster.at(1).upgrade();
    assert_eq!((seen.in_force.level, seen.next), (Level::FIRST, Some(Level::SECOND)));
    assert!(seen.waits_for[0].contains("node 3 runs earlier"), "{seen:?}");
    let refused = test_cluster.at(1).finalize().await;
    assert!(matches!(&refused, Err(OrderError::Refused(why)) if why.contains("node 3")), "{refused:?}");
    tokio::time::sleep(2 * AUTO).await;
    assert_eq!(test_cluster.at(0).level(), Level::FIRST, "nor does it rise by itself");

    // A silent member blocks it as well.
    test_cluster.stop(2).await;
    let silent = async {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        while test_cluster.at(1).upgrade().members[&NodeId(3)].is_some() {
            tick.tick().await;
        }
    };
    timeout(PATIENCE, silent).await.expect("it falls silent");
    let refused = test_cluster.at(1).finalize().await;
    assert!(matches!(&refused, Err(OrderError::Refused(why)) if why.contains("node 3 is unreachable")), "{refused:?}");
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_raises_the_level_when_all_nodes_are_upgraded() {
    let mut test_cluster = mixed().await;
    test_cluster.register(8).await;
    test_cluster.stop(2).await;
    test_cluster.machines[2].node.config.supports = Support::ours();
    for machine in &mut test_cluster.machines {
        machine.node.config.auto_finalize = Duration::ZERO;
    }
    for at in [0, 1] {
        test_cluster.stop(at).await;
    }
    futures::future::join_all(test_cluster.machines.iter_mut().map(|machine| async {
        machine.cluster = Some(start(&machine.node).await);
    }))
    .await;
    settled(&test_cluster.up()).await;
    heard(&test_cluster).await;
    tokio::time::sleep(2 * AUTO).await;
    is_pending(&test_cluster, "carol").await;
    assert_eq!(test_cluster.at(2).finalize().await, Ok(Level::SECOND));
    reaches(&test_cluster, Level::SECOND).await;
    let created = propose(&test_cluster.up(), create("carol")).await;
    assert!(matches!(created, Ok(Reply::Registered { .. })), "{created:?}");
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_level_rises_by_itself_when_all_have_supported_it_for_long_enough() {
    let mut test_cluster = mixed().await;
    test_cluster.stop(2).await;
    test_cluster.machines[2].node.config.supports = Support::ours();
    let upgraded = tokio::time::Instant::now();
    test_cluster.start(2).await;
    reaches(&test_cluster, Level::SECOND).await;
    assert!(upgraded.elapsed() >= AUTO, "only {:?} after the last node was upgraded", upgraded.elapsed());
    let created = propose(&test_cluster.up(), create("carol")).await;
    assert!(matches!(created, Ok(Reply::Registered { .. })), "{created:?}");
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn before_that_a_node_may_go_back_and_begins_the_time_again() {
    let mut test_cluster = mixed().await;
    for support in [Support::ours(), earlier()] {
        test_cluster.stop(2).await;
        test_cluster.machines[2].node.config.supports = support;
        test_cluster.start(2).await;
        tokio::time::sleep(AUTO / 2).await;
    }
    tokio::time::sleep(2 * AUTO).await;
    assert_eq!(test_cluster.at(0).level(), Level::FIRST);
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_support_the_level_neither_starts_nor_joins() {
    let mut test_cluster = TestCluster::found(3).await;
    reaches(&test_cluster, Level::SECOND).await;
    let node = |test_cluster: &TestCluster, number: u16| {
        let mut newcomer = Node::new(test_cluster.test_net(), number, &[&address(1)]);
        newcomer.config.supports = earlier();
        newcomer
    };
    let newcomer = node(&test_cluster, 4);
    let refused = refusal_of(&newcomer).await;
    assert!(refused.contains("does not admit this node") && refused.contains("version 0.2 or later"), "{refused}");
    assert_eq!(test_cluster.at(0).routing().borrow().nodes.len(), 3, "it has no place");

    test_cluster.stop(2).await;
    test_cluster.machines[2].node.config.supports = earlier();
    let refused = refusal_of(&test_cluster.machines[2].node).await;
    assert!(refused.contains("feature level 2") && refused.contains("version 0.2 or later"), "{refused}");
    test_cluster.machines[2].node.config.supports = Support::ours();
    test_cluster.start(2).await;
    test_cluster.check().await;
    test_cluster.shutdown().await;
}

/// The format keeps out a version that knows no levels; its store knows formats.
#[tokio::test(start_paused = true)]
async fn the_format_of_a_directory_rises_with_the_level_and_is_durable() {
    // As a power loss would leave it.
    let format = |test_cluster: &TestCluster, at: usize| {
        let row = test_cluster.machines[at].node.disk.copy().get(Family::Node, FORMAT).expect("memory can be read");
        row.map_or(FIRST_FORMAT, |row| format_in(&row).expect("a number"))
    };
    let mut test_cluster = mixed().await;
    test_cluster.register(8).await;
    assert_eq!(
        [0, 1, 2].map(|at| format(&test_cluster, at)),
        [FIRST_FORMAT; 3],
        "an earlier version may still open them"
    );
    test_cluster.stop(2).await;
    test_cluster.machines[2].node.config.supports = Support::ours();
    test_cluster.start(2).await;
    reaches(&test_cluster, Level::SECOND).await;
    assert_eq!([0, 1, 2].map(|at| format(&test_cluster, at)), [2; 3]);

    // A directory that was at the level before formats rose.
    test_cluster.stop(2).await;
    let mut batch = Batch::default();
    batch.put(Family::Node, FORMAT, FIRST_FORMAT.to_be_bytes());
    test_cluster.machines[2].node.disk.write(batch, Durability::Synced).expect("memory can be written");
    test_cluster.start(2).await;
    assert_eq!(format(&test_cluster, 2), 2);

    let newcomer = test_cluster.join().await;
    assert_eq!(format(&test_cluster, newcomer), 2);
    test_cluster.shutdown().await;
}

/// It missed the rise, so its own data does not show it; the other nodes do.
#[tokio::test(start_paused = true)]
async fn a_node_that_missed_the_rise_is_told_and_ends() {
    let mut test_cluster = mixed().await;
    test_cluster.stop(2).await;
    let missed = test_cluster.machines[2].node.disk.clone();
    test_cluster.machines[2].node.config.supports = Support::ours();
    test_cluster.start(2).await;
    reaches(&test_cluster, Level::SECOND).await;
    test_cluster.stop(2).await;
    let machine = &mut test_cluster.machines[2];
    (machine.node.disk, machine.node.config.supports) = (missed.crash(), earlier());
    machine.node.config.join = vec![address(3)];
    let told = refusal_of(&machine.node).await;
    assert!(told.contains("feature level 2") && told.contains("version 0.2 or later"), "{told}");
    test_cluster.shutdown().await;
}

/// The planted bug `LevelIgnored` shows the purpose of the gate at the leader.
#[cfg(feature = "planted-bugs")]
#[tokio::test(start_paused = true)]
async fn without_the_gate_an_earlier_version_meets_what_it_does_not_know() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    nodes[2].config.supports = earlier();
    let clusters = futures::future::join_all(nodes.iter().zip(1..).map(|(node, seed)| {
        let mut platform = test_net.platform(&node.config.advertise, seed);
        platform.planted = troupe_core::planted::Bug::LevelIgnored.into();
        Cluster::start(platform, Arc::new(node.disk.clone()), node.config.clone())
    }));
    let clusters: Vec<Cluster> = clusters.await.into_iter().map(|started| started.expect("it starts")).collect();
    let all: Vec<&Cluster> = clusters.iter().collect();
    settled(&all).await;
    let created = propose(&all, create("carol")).await;
    assert!(matches!(created, Ok(Reply::Registered { .. })), "the bug is planted: {created:?}");
    let fatal = timeout(PATIENCE, clusters[2].fatal()).await.expect("it stops");
    assert!(fatal.contains("it needs feature level 2"), "{fatal}");
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}
