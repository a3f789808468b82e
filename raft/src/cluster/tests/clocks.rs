//! Wrong clocks: the timestamps of leaders, and the reported skews.

use std::sync::atomic::AtomicU64;

use troupe_core::Timestamp;
use troupe_runtime::Clock;
use troupe_runtime::clock::SystemClock;

use super::*;
use crate::transport::clocks::BOUND_MS;

const TEN_YEARS_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

/// Milliseconds ahead of the system's clock.
#[derive(Default)]
struct Ahead(AtomicU64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::Relaxed))
    }
}

/// The timestamp of a registration.
fn stamped(cluster: &Cluster, name: &str) -> Timestamp {
    let view = View::new(cluster.engine());
    let id = view.user_of_name(name).unwrap().expect("registered");
    view.user(id).unwrap().expect("a user").created
}

async fn started_with(node: &Node, clock: Arc<Ahead>, seed: u64) -> Cluster {
    let platform = Platform { clock, ..node.test_net.platform(&node.config.advertise, seed) };
    let starting = Cluster::start(platform, Arc::new(node.disk.clone()), node.config.clone());
    timeout(PATIENCE, starting).await.expect("in time").expect("it starts")
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_clock_is_ten_years_ahead_stamps_what_the_others_allow() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    nodes.iter_mut().for_each(|node| node.config.shards = 1);
    let clocks: Vec<Arc<Ahead>> = (0..3).map(|_| Arc::default()).collect();
    let started = nodes.iter().zip(&clocks).enumerate();
    let started = started.map(|(at, (node, clock))| started_with(node, clock.clone(), 100 + at as u64));
    let clusters = futures::future::join_all(started).await;
    let all: Vec<&Cluster> = clusters.iter().collect();
    settled(&all).await;
    commit(&all, "before").await;
    let shard = ShardId(0);
    let leader = clusters.iter().position(|cluster| cluster.led().borrow().contains_key(&shard)).expect("it is led");
    let seen = |cluster: &Cluster| cluster.links().clocks().skews(cluster.0.platform.clock.now()).len();
    let measured = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while clusters.iter().any(|cluster| seen(cluster) < 2) {
            tick.tick().await;
        }
    };
    timeout(PATIENCE, measured).await.expect("each clock is asked for");

    // No measurement happens between the jump and the timestamp.
    clocks[leader].0.store(TEN_YEARS_MS, Ordering::Relaxed);
    let mut outcomes = clusters[leader].propose(shard, vec![register("after").1]).await.expect("it leads");
    assert!(matches!(outcomes.remove(0).reply, Reply::Registered { .. }));
    // The clock of the tests is paused, the system's is not: both are far below the jump.
    let limit = SystemClock.now().0 + 3_600_000 + BOUND_MS;
    assert!(stamped(&clusters[leader], "after").0 <= limit, "stamped {:?}", stamped(&clusters[leader], "after"));

    let other = (leader + 1) % 3;
    let shown = async {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tick.tick().await;
            let skew = clusters[other].status().await.clock_skew_ms;
            if skew.get(&clusters[leader].me()).is_some_and(|ahead| *ahead > TEN_YEARS_MS as i64 - 3_600_000) {
                return clusters[leader].status().await.clock_skew_ms;
            }
        }
    };
    let of_leader = timeout(PATIENCE, shown).await.expect("the others see it");
    assert!(of_leader.values().all(|behind| *behind < 3_600_000 - TEN_YEARS_MS as i64), "{of_leader:?}");
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}
