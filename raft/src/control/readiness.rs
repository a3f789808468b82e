//! Whether this node can serve everything now, and if not, why.
//!
//! [`look`] gathers the facts; [`Readiness::reasons`] judges them and is pure. `/readyz`, the
//! metrics and `troupe cluster status` use it. A group counts as led only if this node has heard
//! within [`LEADER_CONFIRMED`] of a leader that a majority acknowledged ([`Confirmations`]). A
//! leader that Raft remembers may have died, or be isolated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;
use troupe_core::{Epoch, NodeId, ShardId};

use crate::control::meta::state::Placement;
use crate::control::meta::{MetaState, plan};
use crate::level::Support;
use crate::replication::group::Groups;
use crate::timing::LEADER_CONFIRMED;
use crate::transport::leads::Lead;
use crate::transport::link::Links;
use crate::types::{GroupId, node_of};

/// A replica that lacks at most this many committed entries counts as caught up: more than a leader
/// sends at once, less than a second of applying.
pub const BEHIND: u64 = 256;
/// Shards that a reason names; the others are counted.
const NAMED: usize = 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// The number of shards; `None` until the placement is known here.
    pub shards: Option<u32>,
    /// The meta group has a confirmed leader.
    pub meta_led: bool,
    /// Shards without a confirmed leader.
    pub leaderless: BTreeSet<ShardId>,
    /// Replicas that are placed on this node and not open here.
    pub absent: BTreeSet<ShardId>,
    /// Replicas here that lack more than [`BEHIND`] entries, with the number that they lack.
    pub behind: BTreeMap<ShardId, u64>,
    /// Replicas that each shard should have, and shards with fewer on reachable nodes. They are no
    /// reason: the node serves all the same, and one lost node must not make all others unready.
    pub target: u32,
    pub under_replicated: BTreeSet<ShardId>,
    /// Nodes that take replicas.
    pub takers: usize,
    /// Voting replicas on this node.
    pub held: usize,
    /// Replicas that this node is still to receive before it has its share for the first time.
    /// Afterwards it stays ready when later moves bring more; otherwise every repair would make all
    /// other nodes unready.
    pub to_come: usize,
}

impl Readiness {
    /// In words for people; empty when the node is ready.
    pub fn reasons(&self) -> Vec<String> {
        let Some(shards) = self.shards else {
            return vec!["the cluster's placement is not known yet".to_owned()];
        };
        let seconds = LEADER_CONFIRMED.as_secs();
        let mut reasons = Vec::new();
        if !self.meta_led {
            reasons.push(format!("the meta group has no leader that a majority confirmed in the last {seconds} s"));
        }
        if !self.leaderless.is_empty() {
            reasons.push(format!(
                "{} of {shards} shards have no reachable leader that a majority confirmed in the last {seconds} s ({})",
                self.leaderless.len(),
                named(self.leaderless.iter().map(ShardId::to_string))
            ));
        }
        if !self.absent.is_empty() {
            reasons.push(format!(
                "{} replicas placed on this node are not open yet ({})",
                self.absent.len(),
                named(self.absent.iter().map(ShardId::to_string))
            ));
        }
        if !self.behind.is_empty() {
            let texts = self.behind.iter().map(|(shard, entries)| format!("{shard} by {entries} entries"));
            reasons.push(format!("{} replicas of this node are behind ({})", self.behind.len(), named(texts)));
        }
        if self.to_come > 0 {
            reasons.push(format!("this node has {} replicas and is still to receive {}", self.held, self.to_come));
        }
        reasons
    }

    /// Remarks about a ready node: missing copies, and the reason.
    pub fn remarks(&self) -> Vec<String> {
        if self.under_replicated.is_empty() {
            return Vec::new();
        }
        let count = self.under_replicated.len();
        let why = match self.takers < self.target as usize {
            true => format!(
                "nodes that take replicas: {}, to be added: {}",
                self.takers,
                self.target as usize - self.takers
            ),
            false => "nodes are unreachable, or copies are in transfer".to_owned(),
        };
        vec![format!("{count} of {} shards have fewer than {} replicas ({why})", self.shards.unwrap_or(0), self.target)]
    }
}

fn named(mut texts: impl ExactSizeIterator<Item = String>) -> String {
    let more = texts.len().saturating_sub(NAMED);
    let first: Vec<String> = texts.by_ref().take(NAMED).collect();
    let first = format!("shard {}", first.join(", "));
    if more > 0 { format!("{first} and {more} more") } else { first }
}

/// The confirmed leader of a group: a majority has acknowledged it recently, and it is this node or
/// one that this node reaches.
pub fn leader(
    me: NodeId,
    group: GroupId,
    nodes: impl Iterator<Item = NodeId>,
    groups: &Groups,
    links: &Links,
) -> Option<(NodeId, Lead)> {
    let now = Instant::now();
    let own = groups.get(group).and_then(|group| Some((me, Lead::of(&group.metrics(), now)?)));
    let told = nodes.filter_map(|node| Some((node, links.lead(node, group)?)));
    let believed = || {
        // A 0.1 peer announces the shards that it leads, but never the meta group. Raft's memory of
        // it counts while the peer is reachable.
        let metrics = groups.get(group).filter(|_| group == GroupId::META)?.metrics();
        let node = node_of(&metrics, metrics.current_leader?)?;
        let lead = Lead { epoch: Epoch(metrics.current_term), confirmed: now, committed: None };
        (links.supports().get(&node) == Some(&Support::unsaid())).then_some((node, lead))
    };
    let fresh = |(_, lead): &(NodeId, Lead)| now.duration_since(lead.confirmed) <= LEADER_CONFIRMED;
    own.into_iter().chain(told).chain(believed()).filter(fresh).max_by_key(|(_, lead)| lead.epoch)
}

/// The last time at which each group had a leader that this node reached and a majority
/// acknowledged. A transfer or a failover is shorter than [`LEADER_CONFIRMED`], so it makes no node
/// unready. Shared, cheap to clone.
#[derive(Clone, Default)]
pub struct Confirmations(Arc<Mutex<BTreeMap<GroupId, Instant>>>);

impl Confirmations {
    /// Must be called more often than every [`LEADER_CONFIRMED`].
    pub fn note(&self, me: NodeId, state: &MetaState, groups: &Groups, links: &Links) {
        let meta = leader(me, GroupId::META, state.nodes.keys().copied(), groups, links);
        let shards = state.placement.iter().map(|(shard, place)| {
            let id = GroupId::of(*shard);
            (id, leader(me, id, place.everyone().map(|(node, _)| node), groups, links))
        });
        let led = [(GroupId::META, meta)].into_iter().chain(shards);
        let led: Vec<(GroupId, Instant)> = led.filter_map(|(id, lead)| Some((id, lead?.1.confirmed))).collect();
        let mut known = self.0.lock();
        for (id, confirmed) in led {
            known.entry(id).and_modify(|known| *known = confirmed.max(*known)).or_insert(confirmed);
        }
    }

    fn is_led(&self, group: GroupId, now: Instant) -> bool {
        self.0.lock().get(&group).is_some_and(|confirmed| now.duration_since(*confirmed) <= LEADER_CONFIRMED)
    }
}

/// Gathers the facts. `arrived`: this node has had its share of replicas since it started.
pub fn look(
    me: NodeId,
    state: &MetaState,
    groups: &Groups,
    links: &Links,
    confirmations: &Confirmations,
    arrived: bool,
) -> Readiness {
    confirmations.note(me, state, groups, links);
    let now = Instant::now();
    let mut seen = Readiness {
        shards: state.shards.map(|map| map.count),
        meta_led: confirmations.is_led(GroupId::META, now),
        target: state.target,
        takers: state.active().count(),
        ..Readiness::default()
    };
    for (shard, place) in &state.placement {
        let id = GroupId::of(*shard);
        let lead = leader(me, id, place.everyone().map(|(node, _)| node), groups, links);
        if !confirmations.is_led(id, now) {
            seen.leaderless.insert(*shard);
        }
        let answer = place.replicas.iter().filter(|(node, _)| links.reachable(*node)).count();
        if answer < state.target as usize {
            seen.under_replicated.insert(*shard);
        }
        let Some(replica) = voting_replica(place, me) else { continue };
        seen.held += 1;
        let Some(group) = groups.get(id).filter(|group| group.replica == replica) else {
            seen.absent.insert(*shard);
            continue;
        };
        let metrics = group.metrics();
        let known = metrics.local_committed.map_or(0, |id| id.index);
        let committed = lead.and_then(|(_, lead)| lead.committed).map_or(known, |told| told.max(known));
        let lacks = committed.saturating_sub(metrics.last_applied.map_or(0, |id| id.index));
        if lacks > BEHIND {
            seen.behind.insert(*shard, lacks);
        }
    }
    if !arrived {
        let reachable = state.nodes.keys().copied().filter(|node| links.reachable(*node)).collect();
        seen.to_come = plan::incoming(state, &reachable, me);
    }
    seen
}

/// The voting replica on a node; a replica being added does not count.
fn voting_replica(place: &Placement, node: NodeId) -> Option<u64> {
    place.replicas.iter().find(|(at, _)| *at == node).map(|(_, replica)| replica.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Readiness {
        Readiness { shards: Some(12), meta_led: true, held: 12, ..Readiness::default() }
    }

    fn shards(numbers: std::ops::Range<u32>) -> BTreeSet<ShardId> {
        numbers.map(ShardId).collect()
    }

    #[test]
    fn a_node_that_lacks_nothing_is_ready() {
        assert_eq!(ready().reasons(), Vec::<String>::new());
    }

    #[test]
    fn each_lack_is_a_reason_with_its_shards() {
        let cases = [
            (Readiness::default(), "placement is not known"),
            (Readiness { meta_led: false, ..ready() }, "the meta group has no leader"),
            (Readiness { leaderless: shards(0..2), ..ready() }, "2 of 12 shards have no reachable leader"),
            (Readiness { leaderless: shards(0..12), ..ready() }, "(shard 0, 1, 2, 3, 4, 5, 6, 7 and 4 more)"),
            (Readiness { absent: shards(3..4), ..ready() }, "1 replicas placed on this node are not open"),
            (Readiness { behind: BTreeMap::from([(ShardId(5), 900)]), ..ready() }, "(shard 5 by 900 entries)"),
            (Readiness { held: 4, to_come: 8, ..ready() }, "has 4 replicas and is still to receive 8"),
        ];
        for (readiness, part) in cases {
            let reasons = readiness.reasons();
            assert!(reasons.len() == 1 && reasons[0].contains(part), "{part}: {reasons:?}");
        }
    }

    #[test]
    fn missing_copies_are_remarked_and_no_reason() {
        let few = Readiness { target: 3, takers: 1, under_replicated: shards(0..12), ..ready() };
        assert_eq!(few.reasons(), Vec::<String>::new());
        assert_eq!(
            few.remarks(),
            ["12 of 12 shards have fewer than 3 replicas (nodes that take replicas: 1, to be added: 2)"]
        );
        assert_eq!(Readiness { target: 3, takers: 3, ..ready() }.remarks(), Vec::<String>::new());
    }

    #[test]
    fn all_reasons_are_given_at_once() {
        let bad = Readiness { meta_led: false, leaderless: shards(0..1), to_come: 1, ..ready() };
        assert_eq!(bad.reasons().len(), 3);
    }
}
