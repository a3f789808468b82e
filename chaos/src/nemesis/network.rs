//! Breaks what is between the nodes, by the proxies in front of them.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

use super::{Nemesis, nodes};
use crate::proxy::{Party, Proxy, Weather};
use crate::scenario::{Climate, Shape};

const NO_PROXIES: &str = "this cluster runs without proxies";
/// Half a period of a flapping partition.
const FLAP: Duration = Duration::from_millis(500);
/// Between two cuts of a reset storm.
const CUT: Duration = Duration::from_millis(400);
/// How long a node is alone before it is killed.
const ALONE: Duration = Duration::from_secs(2);
/// Of a hundred thousand packets, on a lossy network.
const RESETS: u64 = 20;
/// A megabit, in bytes.
const THIN: u64 = 125_000;

/// Ways that are dark: from, to.
pub type Grudge = Vec<(Party, Party)>;

/// Nobody on one side hears anybody on the other.
pub fn between(one: &[usize], other: &[usize]) -> Grudge {
    let mut grudge = Grudge::new();
    for &a in one {
        for &b in other {
            grudge.push((Party::Node(a), Party::Node(b)));
            grudge.push((Party::Node(b), Party::Node(a)));
        }
    }
    grudge
}

/// One node alone among `count`.
pub fn alone(node: usize, count: usize) -> Grudge {
    let others: Vec<usize> = (0..count).filter(|other| *other != node).collect();
    between(&[node], &others)
}

/// The ways that a shape darkens; `victim` is the leader, or whoever is meant.
fn grudge(shape: Shape, victim: usize, count: usize, deaf: bool) -> Grudge {
    // In the order of a circle that begins at the victim, so that it is not always the same node
    // that is in the middle.
    let circle: Vec<usize> = (0..count).map(|step| (victim + step) % count).collect();
    match shape {
        Shape::IsolatedLeader | Shape::Flapping => alone(victim, count),
        Shape::Halves => between(&circle[..count / 2], &circle[count / 2..]),
        Shape::Bridge => between(&circle[1..count / 2 + 1], &circle[count / 2 + 1..]),
        Shape::Ring => {
            let mut grudge = Grudge::new();
            for a in 0..count {
                for b in a + 2..count {
                    if (a, b) != (0, count - 1) {
                        grudge.extend(between(&[circle[a]], &[circle[b]]));
                    }
                }
            }
            grudge
        }
        Shape::OneWay => {
            let victim = Party::Node(victim);
            alone(circle[0], count).into_iter().filter(|(from, to)| *(if deaf { to } else { from }) == victim).collect()
        }
        Shape::Clients => {
            vec![(Party::Clients, Party::Node(victim)), (Party::Node(victim), Party::Clients)]
        }
    }
}

pub fn darken(proxy: &Proxy, grudge: &Grudge) {
    for (from, to) in grudge {
        proxy.set(*from, *to, Weather::DARK);
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
        let deaf = self.rng.range(0, 2) == 0;
        let grudge = grudge(shape, victim, self.cluster.len(), deaf);
        let text = match shape {
            Shape::OneWay if deaf => format!("node {} hears nothing", victim + 1),
            Shape::OneWay => format!("node {} is not heard", victim + 1),
            _ => format!("partition, seen from node {}", victim + 1),
        };
        self.recorder.fault(&text);
        let until = Instant::now() + time;
        if shape == Shape::Flapping {
            while Instant::now() < until {
                darken(self.proxy()?, &grudge);
                sleep(FLAP).await;
                self.proxy()?.heal();
                sleep(FLAP).await;
            }
        } else {
            darken(self.proxy()?, &grudge);
            tokio::time::sleep_until(until).await;
        }
        self.proxy()?.heal();
        self.recorder.fault("network healed");
        Ok(())
    }

    /// The old leader may have entries that nobody else has; it dies before it can tell, and comes
    /// back.
    pub(super) async fn partition_and_kill(&mut self) -> Result<()> {
        let leader = self.leader().await?;
        self.recorder.fault(&format!("node {} alone", leader + 1));
        darken(self.proxy()?, &alone(leader, self.cluster.len()));
        sleep(ALONE).await;
        self.kill(&[leader]).await?;
        self.proxy()?.heal();
        self.recorder.fault("network healed");
        self.bring_back(&[leader]).await
    }

    pub(super) async fn climate(&mut self, climate: Climate, time: Duration) -> Result<()> {
        let (weather, clients) = match climate {
            Climate::Slow => (Weather { delay_ms: 100, jitter_ms: 50, ..Weather::default() }, false),
            Climate::Lossy(loss) => (Weather { loss, resets: RESETS, ..Weather::default() }, true),
            Climate::Thin => (Weather { bandwidth: Some(THIN), ..Weather::default() }, false),
        };
        self.recorder.fault(&format!("{climate} everywhere"));
        let count = self.cluster.len();
        for a in 0..count {
            for b in (0..count).filter(|b| *b != a) {
                self.proxy()?.set(Party::Node(a), Party::Node(b), weather);
            }
            if clients {
                self.proxy()?.set(Party::Clients, Party::Node(a), weather);
                self.proxy()?.set(Party::Node(a), Party::Clients, weather);
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

    /// Which nodes hear each other both ways.
    fn hears(grudge: &Grudge, a: usize, b: usize) -> bool {
        !grudge.contains(&(Party::Node(a), Party::Node(b))) && !grudge.contains(&(Party::Node(b), Party::Node(a)))
    }

    fn neighbours(grudge: &Grudge, of: usize, count: usize) -> BTreeSet<usize> {
        (0..count).filter(|other| *other != of && hears(grudge, of, *other)).collect()
    }

    #[test]
    fn an_isolated_node_hears_nobody_and_the_others_hear_each_other() {
        let grudge = grudge(Shape::IsolatedLeader, 1, 3, false);
        assert!(neighbours(&grudge, 1, 3).is_empty());
        assert_eq!(neighbours(&grudge, 0, 3), [2].into());
    }

    #[test]
    fn in_a_ring_of_five_everybody_hears_two_neighbours() {
        for victim in 0..5 {
            let grudge = grudge(Shape::Ring, victim, 5, false);
            for node in 0..5 {
                assert_eq!(neighbours(&grudge, node, 5), [(node + 1) % 5, (node + 4) % 5].into());
            }
        }
    }

    #[test]
    fn a_bridge_hears_both_sides() {
        let grudge = grudge(Shape::Bridge, 3, 5, false);
        assert_eq!(neighbours(&grudge, 3, 5).len(), 4);
        for node in [0, 1, 2, 4] {
            assert_eq!(neighbours(&grudge, node, 5).len(), 2, "node {node}");
        }
    }

    #[test]
    fn halves_are_halves() {
        let grudge = grudge(Shape::Halves, 0, 5, false);
        let sizes: Vec<usize> = (0..5).map(|node| neighbours(&grudge, node, 5).len()).collect();
        assert_eq!(sizes, [1, 1, 2, 2, 2]);
    }

    #[test]
    fn one_way_is_one_way() {
        let victim = Party::Node(2);
        assert!(grudge(Shape::OneWay, 2, 3, true).iter().all(|(from, to)| *to == victim && *from != victim));
        assert!(grudge(Shape::OneWay, 2, 3, false).iter().all(|(from, to)| *from == victim && *to != victim));
        assert_eq!(grudge(Shape::OneWay, 2, 3, false).len(), 2);
    }
}
