//! Where leaders are: slowly evened out while the node runs, all given away before it stops.

use std::collections::BTreeMap;

use openraft::ServerState;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, timeout_at};
use troupe_core::NodeId;

use crate::cluster::Routing;
use crate::group::{Group, Groups};
use crate::link::Links;
use crate::timing::{BALANCE_EVERY, HAND_OVER_AGAIN};
use crate::types::{GroupId, Metrics};

/// Entries a replica may be behind to be given a leadership: it makes them good in one round trip.
const CLOSE: u64 = 64;

/// Another voter of a group.
struct Candidate {
    replica: u64,
    node: NodeId,
    behind: u64,
}

/// Voters of a group led here that could lead it, closest first.
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
        tracing::debug!(group = %group.id, %error, "cannot hand over");
    }
}

/// Moves one leadership at a time to a node that leads clearly less, until it is dropped.
pub async fn run(groups: Groups, links: Links, routing: watch::Receiver<std::sync::Arc<Routing>>) {
    let mut tick = interval(BALANCE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, when nobody leads yet.
    tick.tick().await;
    loop {
        tick.tick().await;
        let table = routing.borrow().clone();
        if let Some((group, to)) = next_move(&groups, &links, &table) {
            tracing::info!(group = %group.id, "moves its leadership to a node that leads less");
            transfer(&group, to).await;
        }
    }
}

/// A shard led here and a replica of it on a node that leads at least two fewer: moving it evens out, and never comes back.
fn next_move(groups: &Groups, links: &Links, table: &Routing) -> Option<(Group, u64)> {
    let mut leads: BTreeMap<NodeId, usize> = BTreeMap::new();
    for place in table.placement.values() {
        *leads.entry(place.leader?).or_default() += 1;
    }
    let count = |node: NodeId| leads.get(&node).copied().unwrap_or(0);
    let mine = count(table.me);
    let moves = groups.all().into_iter().filter(|group| group.id != GroupId::META).flat_map(|group| {
        let fit = candidates(&group.metrics(), links).into_iter();
        fit.map(move |candidate| (group.clone(), candidate))
    });
    moves
        .filter(|(_, candidate)| candidate.behind <= CLOSE && count(candidate.node) + 2 <= mine)
        .min_by_key(|(group, candidate)| (count(candidate.node), group.id))
        .map(|(group, candidate)| (group, candidate.replica))
}

/// Gives every leadership away; returns when none is left that anybody could take, or when the time is over.
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
        // A transfer is refused when the other side has not flushed yet: then ask again.
        let again = end.min(Instant::now() + HAND_OVER_AGAIN);
        let _ = timeout_at(again, news.changed()).await;
    }
}
