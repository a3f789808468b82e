//! Balances leaderships: slowly while the node runs, and all at once before it stops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openraft::ServerState;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, sleep, timeout_at};
use troupe_core::{NodeId, ShardId};

use crate::api::{NodeState, Routing};
use crate::replication::group::{Group, Groups};
use crate::timing::{BALANCE_EVERY, HAND_OVER_AGAIN};
use crate::transport::link::Links;
use crate::transport::vitals::LocalVitals;
use crate::types::{GroupId, Metrics};

/// Entries that a replica may lack to receive a leadership or a vote. One round trip delivers them.
pub const CLOSE: u64 = 64;

/// Another voter of a group.
struct Candidate {
    replica: u64,
    node: NodeId,
    behind: u64,
}

/// Voters of a group led here that could lead it, most up to date first.
fn candidates(metrics: &Metrics, links: &Links) -> Vec<Candidate> {
    let (Some(replication), ServerState::Leader) = (&metrics.replication, metrics.state) else { return Vec::new() };
    let last = metrics.last_log_index.unwrap_or(0);
    let membership = &metrics.membership_config;
    let mut candidates: Vec<Candidate> = membership
        .voter_ids()
        .filter(|replica| *replica != metrics.id)
        .filter_map(|replica| {
            let node = membership.get_node(&replica)?.0;
            let matching = replication.get(&replica)?.as_ref()?.index;
            links.reachable(node).then_some(Candidate { replica, node, behind: last.saturating_sub(matching) })
        })
        .collect();
    candidates.sort_by_key(|candidate| (candidate.behind, candidate.node));
    candidates
}

async fn transfer(group: &Group, to: u64) {
    if let Err(error) = group.raft.trigger().transfer_leader(to).await {
        tracing::debug!(group = %group.id, %error, "cannot transfer a leadership");
    }
}

/// Moves one leadership at a time to balance them, until it is dropped. A node that is being
/// emptied transfers all. A node with a low disk transfers those that a node with space can take,
/// because it would refuse the growth that others can hold.
pub async fn run(groups: Groups, links: Links, local_vitals: LocalVitals, mut routing: watch::Receiver<Arc<Routing>>) {
    let mut tick = interval(BALANCE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick fires at once, before any leader exists.
    tick.tick().await;
    loop {
        let leaves = |table: &Arc<Routing>| {
            !is_active(table, table.me) && table.placement.values().any(|place| place.leader == Some(table.me))
        };
        let emptied = async {
            if routing.wait_for(leaves).await.is_err() {
                // The routing task has ended; the ticks continue until this is dropped.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            _ = tick.tick() => {}
            () = emptied => {}
        }
        let table = routing.borrow().clone();
        if !is_active(&table, table.me) {
            give_all(&groups, &links, "this node is being emptied", |node| is_active(&table, node)).await;
            sleep(HAND_OVER_AGAIN).await;
            continue;
        }
        let low = links.storage_low();
        if local_vitals.storage_low() {
            let has_room = |node| is_active(&table, node) && !low.contains(&node);
            give_all(&groups, &links, "the disk of this node is almost full", has_room).await;
            continue;
        }
        let able = able(&groups, &links);
        let with_room = |to: &BTreeMap<NodeId, u64>| to.keys().filter(|node| !low.contains(node)).copied().collect();
        let nodes = able.iter().map(|(shard, to)| (*shard, with_room(to))).collect();
        if let Some((shard, to)) = next_hop(&table, &nodes) {
            let replica = able.get(&shard).and_then(|nodes| nodes.get(&to));
            if let (Some(group), Some(replica)) = (groups.get(GroupId::of(shard)), replica) {
                tracing::info!(%shard, %to, "moves a leadership to a node with fewer");
                transfer(&group, *replica).await;
            }
        }
    }
}

fn is_active(table: &Routing, node: NodeId) -> bool {
    table.nodes.get(&node).is_none_or(|node| node.state == NodeState::Active)
}

/// For each shard led here: the nodes that could lead it now, and their replicas.
fn able(groups: &Groups, links: &Links) -> BTreeMap<ShardId, BTreeMap<NodeId, u64>> {
    let of = |group: Group| {
        let close = candidates(&group.metrics(), links).into_iter().filter(|candidate| candidate.behind <= CLOSE);
        Some((group.id.shard()?, close.map(|candidate| (candidate.node, candidate.replica)).collect()))
    };
    groups.all().into_iter().filter_map(of).collect()
}

/// Transfers every leadership that a suitable node can take.
async fn give_all(groups: &Groups, links: &Links, why: &str, fit: impl Fn(NodeId) -> bool) {
    for (shard, to) in able(groups, links) {
        let successor = to.iter().find(|(node, _)| fit(**node));
        if let (Some(group), Some((node, replica))) = (groups.get(GroupId::of(shard)), successor) {
            tracing::info!(%shard, to = %node, why, "transfers a leadership");
            transfer(&group, *replica).await;
        }
    }
}

/// The first step on the shortest path by which a leadership of this node reaches a node that leads
/// at least two fewer. The nodes in between pass it on, so nodes that share no shard are balanced
/// too. A leadership never returns.
fn next_hop(table: &Routing, able: &BTreeMap<ShardId, BTreeSet<NodeId>>) -> Option<(ShardId, NodeId)> {
    let mut leads: BTreeMap<NodeId, usize> = BTreeMap::new();
    for place in table.placement.values() {
        *leads.entry(place.leader?).or_default() += 1;
    }
    let count = |node: NodeId| leads.get(&node).copied().unwrap_or(0);
    let fit = |node: &NodeId| is_active(table, *node) && table.nodes.get(node).is_some_and(|node| node.reachable);
    let mut first: BTreeMap<NodeId, (ShardId, NodeId)> = BTreeMap::new();
    let mut front = vec![table.me];
    while !front.is_empty() {
        let mut next = Vec::new();
        for from in front {
            for (shard, place) in table.placement.iter().filter(|(_, place)| place.leader == Some(from)) {
                let here = from == table.me;
                let to = place.nodes.iter().filter(|node| **node != table.me && fit(node));
                for node in to.filter(|node| !here || able.get(shard).is_some_and(|able| able.contains(node))) {
                    if !first.contains_key(node) {
                        let step = first.get(&from).copied().unwrap_or((*shard, *node));
                        first.insert(*node, step);
                        next.push(*node);
                    }
                }
            }
        }
        let fewer = next.iter().filter(|node| count(**node) + 2 <= count(table.me));
        if let Some(end) = fewer.min_by_key(|node| (count(**node), **node)) {
            return first.get(end).copied();
        }
        front = next;
    }
    None
}

/// Transfers every leadership. Returns when none is left that another node could take, or when the
/// time is over.
pub async fn hand_over(groups: &Groups, links: &Links, within: Duration) {
    let end = Instant::now() + within;
    let mut news = groups.news();
    loop {
        let mut left = 0;
        for group in groups.all() {
            if let Some(candidate) = candidates(&group.metrics(), links).first() {
                left += 1;
                transfer(&group, candidate.replica).await;
            }
        }
        if left == 0 || Instant::now() >= end {
            return;
        }
        // A transfer is refused while the other side has not flushed its log; it is requested
        // again.
        let again = end.min(Instant::now() + HAND_OVER_AGAIN);
        let _ = timeout_at(again, news.changed()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{NodeInfo, ShardPlace};

    /// Shards as (leader, nodes with a replica), seen from node `me`; all nodes are up and active.
    fn table(me: u64, shards: &[(u64, &[u64])]) -> Routing {
        let nodes: BTreeSet<u64> = shards.iter().flat_map(|(_, nodes)| nodes.iter().copied()).collect();
        let info = |id: u64| NodeInfo {
            id: NodeId(id),
            cluster_address: String::new(),
            client_address: String::new(),
            http_address: String::new(),
            reachable: true,
            state: NodeState::Active,
        };
        let place = |(leader, nodes): &(u64, &[u64])| ShardPlace {
            nodes: nodes.iter().copied().map(NodeId).collect(),
            leader: Some(NodeId(*leader)),
            ..ShardPlace::default()
        };
        Routing {
            me: NodeId(me),
            nodes: nodes.into_iter().map(|id| (NodeId(id), info(id))).collect(),
            placement: (0..).map(ShardId).zip(shards.iter().map(place)).collect(),
            ..Routing::default()
        }
    }

    fn hop(table: &Routing) -> Option<(u32, u64)> {
        let able = table.placement.iter().map(|(shard, place)| (*shard, place.nodes.iter().copied().collect()));
        next_hop(table, &able.collect()).map(|(shard, to)| (shard.0, to.0))
    }

    #[test]
    fn a_leadership_goes_straight_to_who_leads_two_fewer() {
        let shards: &[(u64, &[u64])] = &[(1, &[1, 2]), (1, &[1, 3]), (1, &[1, 2]), (2, &[1, 2])];
        assert_eq!(hop(&table(1, shards)), Some((1, 3)));
        assert_eq!(hop(&table(2, shards)), None);
        assert_eq!(hop(&table(1, &[(1, &[1, 2]), (2, &[1, 2]), (1, &[1, 2])])), None);
    }

    #[test]
    fn who_shares_no_shard_is_reached_through_another() {
        // Node 1 leads three, 2 leads two, 3 leads one; 1 and 3 share no shard.
        let shards: &[(u64, &[u64])] =
            &[(1, &[1, 2]), (1, &[1, 2]), (1, &[1, 2]), (2, &[2, 3]), (2, &[2, 3]), (3, &[3])];
        assert_eq!(hop(&table(1, shards)), Some((0, 2)));
        let then: &[(u64, &[u64])] = &[(2, &[1, 2]), (1, &[1, 2]), (1, &[1, 2]), (2, &[2, 3]), (2, &[2, 3]), (3, &[3])];
        assert_eq!(hop(&table(2, then)), Some((3, 3)));
        let even: &[(u64, &[u64])] = &[(2, &[1, 2]), (1, &[1, 2]), (1, &[1, 2]), (3, &[2, 3]), (2, &[2, 3]), (3, &[3])];
        assert!((1..=3).all(|me| hop(&table(me, even)).is_none()));
    }

    #[test]
    fn nothing_goes_to_who_is_away_behind_or_to_be_emptied() {
        let shards: &[(u64, &[u64])] = &[(1, &[1, 2]), (1, &[1, 2])];
        let mut away = table(1, shards);
        if let Some(node) = away.nodes.get_mut(&NodeId(2)) {
            node.reachable = false;
        }
        assert_eq!(hop(&away), None);
        let mut drained = table(1, shards);
        if let Some(node) = drained.nodes.get_mut(&NodeId(2)) {
            node.state = NodeState::Draining;
        }
        assert_eq!(hop(&drained), None);
        assert_eq!(next_hop(&table(1, shards), &BTreeMap::new()), None);
    }
}
