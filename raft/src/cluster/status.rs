//! The state of this node for people: its replicas, their progress, and lagging followers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openraft::ServerState;
use troupe_core::{Epoch, NodeId, ShardId};

use crate::api::Routing;
use crate::control::mover::Seen;
use crate::control::readiness::Readiness;
use crate::replication::group::Group;
use crate::replication::health::{Storage, Unsendable};
use crate::transport::clocks::BOUND_MS;
use crate::types::GroupId;

/// For `troupe cluster status`, `/v1/cluster` and readiness.
#[derive(Clone, Debug)]
pub struct ClusterStatus {
    pub routing: Arc<Routing>,
    pub meta_leader: Option<NodeId>,
    pub replicas: Vec<ReplicaStatus>,
    pub readiness: Readiness,
    /// Groups that are led here, have work and commit nothing, and for how long.
    pub stalled: BTreeMap<GroupId, Duration>,
    /// Entries that a peer cannot accept, and the attempts since the start.
    pub unsendable: Vec<Unsendable>,
    pub unsendable_total: u64,
    /// Milliseconds by which the clocks of peers are ahead of this node's.
    pub clock_skew_ms: BTreeMap<NodeId, i64>,
    /// The disk of this node; `None` if it reports no space.
    pub storage: Option<Storage>,
    /// Nodes whose disks are almost full.
    pub storage_low: BTreeSet<NodeId>,
}

impl ClusterStatus {
    /// The reasons why this node does not serve although it runs and is a member, in sentences for
    /// `/readyz`.
    pub fn troubles(&self) -> Vec<String> {
        let stalled = self.stalled.iter().map(|(group, since)| {
            format!("{group} has committed nothing for {} s although work waits", since.as_secs())
        });
        let unsendable = self.unsendable.iter().map(|what| {
            let Unsendable { group, node, index, bytes } = what;
            format!("entry {index} of {group} has {bytes} bytes, more than node {node} accepts")
        });
        stalled.chain(unsendable).collect()
    }

    /// Remarks about a serving node: missing copies, almost full disks, clocks that disagree.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = self.readiness.remarks();
        remarks.extend(warnings(self.routing.me, &self.storage_low, &self.clock_skew_ms));
        remarks
    }
}

fn warnings(me: NodeId, low: &BTreeSet<NodeId>, skews: &BTreeMap<NodeId, i64>) -> Vec<String> {
    let disk = |node| format!("the disk of node {node} is almost full: growing commands are refused with storage_low");
    let clock = |(node, skew): (&NodeId, &i64)| {
        let seconds = *skew as f64 / 1_000.0;
        let wrong = skew.unsigned_abs() > BOUND_MS;
        wrong.then(|| format!("the clock of node {node} differs from that of node {me} by {seconds:+.1} s"))
    };
    low.iter().map(disk).chain(skews.iter().filter_map(clock)).collect()
}

/// One replica on this node.
#[derive(Clone, Debug)]
pub struct ReplicaStatus {
    pub shard: ShardId,
    pub leader: Option<NodeId>,
    pub epoch: Epoch,
    /// "leader", "follower", "learner", "candidate".
    pub role: &'static str,
    pub last_log: u64,
    pub committed: u64,
    pub applied: u64,
    /// Per follower, entries behind; leaders only.
    pub lag: BTreeMap<NodeId, u64>,
}

impl ReplicaStatus {
    pub(super) fn of(shard: ShardId, group: &Group) -> ReplicaStatus {
        let metrics = group.metrics();
        let node = |replica: u64| metrics.membership_config.get_node(&replica).map(|home| home.0);
        let last_log = metrics.last_log_index.unwrap_or(0);
        let followers = metrics.replication.iter().flatten().filter(|(replica, _)| **replica != metrics.id);
        ReplicaStatus {
            shard,
            leader: metrics.current_leader.and_then(node),
            epoch: Epoch(metrics.current_term),
            role: match metrics.state {
                ServerState::Leader => "leader",
                ServerState::Follower => "follower",
                ServerState::Candidate => "candidate",
                ServerState::Learner | ServerState::Shutdown => "learner",
            },
            last_log,
            committed: metrics.local_committed.map_or(0, |id| id.index),
            applied: metrics.last_applied.map_or(0, |id| id.index),
            lag: followers
                .filter_map(|(replica, matching)| {
                    Some((node(*replica)?, last_log.saturating_sub(matching.as_ref().map_or(0, |id| id.index))))
                })
                .collect(),
        }
    }
}

/// The voters of a group, as its leader sees them.
#[derive(Clone, Debug)]
pub struct Voting {
    /// `None` for the meta group.
    pub shard: Option<ShardId>,
    pub epoch: Epoch,
    /// The nodes whose majority decides; those of both sets during a change.
    pub voters: BTreeSet<NodeId>,
    /// There is one set of voters, and it is committed.
    pub agreed: bool,
    /// Entries that each of them lacks.
    pub behind: BTreeMap<NodeId, u64>,
}

impl Voting {
    /// `None` unless this replica leads, and a majority has acknowledged it.
    pub(super) fn of(group: &Group) -> Option<Voting> {
        let metrics = group.metrics();
        let seen = Seen::of(&metrics)?;
        let node = |replica: &u64| metrics.membership_config.get_node(replica).map(|home| home.0);
        let voters: BTreeSet<u64> = seen.voters.iter().flatten().copied().collect();
        let last = metrics.last_log_index.unwrap_or(0);
        let matching = |replica: &u64| match &metrics.replication {
            _ if *replica == metrics.id => last,
            Some(replication) => replication.get(replica).and_then(|id| id.as_ref()).map_or(0, |id| id.index),
            None => 0,
        };
        Some(Voting {
            shard: group.id.shard(),
            epoch: Epoch(metrics.current_term),
            agreed: seen.agreed && seen.voters.len() == 1,
            behind: voters.iter().filter_map(|it| Some((node(it)?, last.saturating_sub(matching(it))))).collect(),
            voters: voters.iter().filter_map(node).collect(),
        })
    }
}

/// The entries of the meta group that this node has applied. Of two tables the one with more is
/// newer.
pub(super) fn meta_applied(group: Option<&Group>) -> u64 {
    group.and_then(|group| group.metrics().last_applied).map_or(0, |id| id.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_disks_and_clocks_that_disagree_are_told() {
        let skews = BTreeMap::from([(NodeId(2), 1_900), (NodeId(3), -7_500)]);
        let told = warnings(NodeId(1), &BTreeSet::from([NodeId(2)]), &skews);
        assert_eq!(
            told,
            [
                "the disk of node 2 is almost full: growing commands are refused with storage_low",
                "the clock of node 3 differs from that of node 1 by -7.5 s"
            ]
        );
        assert!(warnings(NodeId(1), &BTreeSet::new(), &BTreeMap::from([(NodeId(2), -2_000)])).is_empty());
    }
}
