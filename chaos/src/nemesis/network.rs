//! Breaks links between the nodes, by the proxies in front of them.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

use super::{Nemesis, nodes};
use crate::proxy::{LinkConditions, Party, Proxy};
use crate::scenario::{Degradation, Shape};

const NO_PROXIES: &str = "this cluster runs without proxies";
/// Half a period of a flapping partition.
const FLAP: Duration = Duration::from_millis(500);
/// Interval of a reset storm.
const CUT: Duration = Duration::from_millis(400);
/// How long a node is isolated before it is killed.
const ALONE: Duration = Duration::from_secs(2);
/// Reset probability on a lossy network, per hundred thousand packets.
const RESETS: u64 = 20;
/// One megabit, in bytes.
const THIN: u64 = 125_000;

/// Blocked directions: from, to.
pub type BlockedPairs = Vec<(Party, Party)>;

/// The nodes of the two sides do not hear each other.
pub fn between(one: &[usize], other: &[usize]) -> BlockedPairs {
    let mut blocked = BlockedPairs::new();
    for &a in one {
        for &b in other {
            blocked.push((Party::Node(a), Party::Node(b)));
            blocked.push((Party::Node(b), Party::Node(a)));
        }
    }
    blocked
}

/// One isolated node among `count`.
pub fn alone(node: usize, count: usize) -> BlockedPairs {
    let others: Vec<usize> = (0..count).filter(|other| *other != node).collect();
    between(&[node], &others)
}

/// The directions that a shape blocks. `victim` is the leader, or a random node.
fn blocked(shape: Shape, victim: usize, count: usize, inbound: bool) -> BlockedPairs {
    // In circular order from the victim, so that the middle node varies.
    let circle: Vec<usize> = (0..count).map(|step| (victim + step) % count).collect();
    match shape {
        Shape::IsolatedLeader | Shape::Flapping => alone(victim, count),
        Shape::Halves => between(&circle[..count / 2], &circle[count / 2..]),
        Shape::Bridge => between(&circle[1..count / 2 + 1], &circle[count / 2 + 1..]),
        Shape::Ring => {
            let mut blocked = BlockedPairs::new();
            for a in 0..count {
                for b in a + 2..count {
                    if (a, b) != (0, count - 1) {
                        blocked.extend(between(&[circle[a]], &[circle[b]]));
                    }
                }
            }
            blocked
        }
        Shape::OneWay => {
            let victim = Party::Node(victim);
            alone(circle[0], count)
                .into_iter()
                .filter(|(from, to)| *(if inbound { to } else { from }) == victim)
                .collect()
        }
        Shape::Clients => {
            vec![(Party::Clients, Party::Node(victim)), (Party::Node(victim), Party::Clients)]
        }
    }
}

pub fn block(proxy: &Proxy, blocked: &BlockedPairs) {
    for (from, to) in blocked {
        proxy.set(*from, *to, LinkConditions::BLOCKED);
    }
}

impl Nemesis<'_> {
    fn proxy(&self) -> Result<&Proxy> {
        self.cluster.proxy().context(NO_PROXIES)
    }

    pub(super) async fn partition(&mut self, shape: Shape, time: Duration) -> Result<()> {
        let victim = match shape {
            Shape::IsolatedLeader | Shape::OneWay | Shape::Flapping => self.leader().await?,
            _ => self.rng.range(0, self.cluster.len() as u64) as usize,
        };
        let inbound = self.rng.range(0, 2) == 0;
        let blocked = blocked(shape, victim, self.cluster.len(), inbound);
        let text = match shape {
            Shape::OneWay if inbound => format!("node {} hears nothing", victim + 1),
            Shape::OneWay => format!("node {} is not heard", victim + 1),
            _ => format!("partition, seen from node {}", victim + 1),
        };
        self.recorder.fault(&text);
        let until = Instant::now() + time;
        if shape == Shape::Flapping {
            while Instant::now() < until {
                block(self.proxy()?, &blocked);
                sleep(FLAP).await;
                self.proxy()?.heal();
                sleep(FLAP).await;
            }
        } else {
            block(self.proxy()?, &blocked);
            tokio::time::sleep_until(until).await;
        }
        self.proxy()?.heal();
        self.recorder.fault("network healed");
        Ok(())
    }

    /// The old leader may have entries that no other node has. It dies before it can send them, and
    /// returns.
    pub(super) async fn partition_and_kill(&mut self) -> Result<()> {
        let leader = self.leader().await?;
        self.recorder.fault(&format!("node {} alone", leader + 1));
        block(self.proxy()?, &alone(leader, self.cluster.len()));
        sleep(ALONE).await;
        self.kill(&[leader]).await?;
        self.proxy()?.heal();
        self.recorder.fault("network healed");
        self.bring_back(&[leader]).await
    }

    pub(super) async fn degrade(&mut self, degradation: Degradation, time: Duration) -> Result<()> {
        let (conditions, clients) = match degradation {
            Degradation::Slow => (LinkConditions { delay_ms: 100, jitter_ms: 50, ..LinkConditions::default() }, false),
            Degradation::Lossy(loss) => (LinkConditions { loss, resets: RESETS, ..LinkConditions::default() }, true),
            Degradation::Thin => (LinkConditions { bandwidth: Some(THIN), ..LinkConditions::default() }, false),
        };
        self.recorder.fault(&format!("{degradation} everywhere"));
        let count = self.cluster.len();
        for a in 0..count {
            for b in (0..count).filter(|b| *b != a) {
                self.proxy()?.set(Party::Node(a), Party::Node(b), conditions);
            }
            if clients {
                self.proxy()?.set(Party::Clients, Party::Node(a), conditions);
                self.proxy()?.set(Party::Node(a), Party::Clients, conditions);
            }
        }
        sleep(time).await;
        self.proxy()?.heal();
        self.recorder.fault("network healed");
        Ok(())
    }

    pub(super) async fn reset_storm(&mut self, time: Duration) -> Result<()> {
        let all: Vec<usize> = (0..self.cluster.len()).collect();
        self.recorder.fault(&format!("resetting every connection of {}", nodes(&all)));
        let until = Instant::now() + time;
        while Instant::now() < until {
            for &a in &all {
                self.proxy()?.cut(Party::Clients, Party::Node(a));
                for &b in &all[a + 1..] {
                    self.proxy()?.cut(Party::Node(a), Party::Node(b));
                }
            }
            sleep(CUT).await;
        }
        self.recorder.fault("no more resets");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Whether two nodes hear each other in both directions.
    fn hears(blocked: &BlockedPairs, a: usize, b: usize) -> bool {
        !blocked.contains(&(Party::Node(a), Party::Node(b))) && !blocked.contains(&(Party::Node(b), Party::Node(a)))
    }

    fn neighbours(blocked: &BlockedPairs, of: usize, count: usize) -> BTreeSet<usize> {
        (0..count).filter(|other| *other != of && hears(blocked, of, *other)).collect()
    }

    #[test]
    fn an_isolated_node_hears_nobody_and_the_others_hear_each_other() {
        let blocked = blocked(Shape::IsolatedLeader, 1, 3, false);
        assert!(neighbours(&blocked, 1, 3).is_empty());
        assert_eq!(neighbours(&blocked, 0, 3), [2].into());
    }

    #[test]
    fn in_a_ring_of_five_everybody_hears_two_neighbours() {
        for victim in 0..5 {
            let blocked = blocked(Shape::Ring, victim, 5, false);
            for node in 0..5 {
                assert_eq!(neighbours(&blocked, node, 5), [(node + 1) % 5, (node + 4) % 5].into());
            }
        }
    }

    #[test]
    fn a_bridge_hears_both_sides() {
        let blocked = blocked(Shape::Bridge, 3, 5, false);
        assert_eq!(neighbours(&blocked, 3, 5).len(), 4);
        for node in [0, 1, 2, 4] {
            assert_eq!(neighbours(&blocked, node, 5).len(), 2, "node {node}");
        }
    }

    #[test]
    fn halves_are_halves() {
        let blocked = blocked(Shape::Halves, 0, 5, false);
        let sizes: Vec<usize> = (0..5).map(|node| neighbours(&blocked, node, 5).len()).collect();
        assert_eq!(sizes, [1, 1, 2, 2, 2]);
    }

    #[test]
    fn one_way_is_one_way() {
        let victim = Party::Node(2);
        assert!(blocked(Shape::OneWay, 2, 3, true).iter().all(|(from, to)| *to == victim && *from != victim));
        assert!(blocked(Shape::OneWay, 2, 3, false).iter().all(|(from, to)| *from == victim && *to != victim));
        assert_eq!(blocked(Shape::OneWay, 2, 3, false).len(), 2);
    }
}
