//! Replaces a leader whose process has ended: its connections are closed, and its address refuses
//! new ones. No voter needs to wait for the lease of such a leader, because a restarted process
//! leads nothing.
//!
//! Each voter drops the lease on its own evidence, and the voters campaign one after another. A
//! voter that still hears the leader rejects the pre-vote, and nothing changes: a leader that one
//! node cannot reach remains. A machine that is lost or cut off closes and refuses nothing. Its
//! silence triggers an ordinary election.

use std::collections::BTreeSet;

use openraft::raft::TransferLeaderRequest;
use tokio::task::JoinSet;
use tokio::time::sleep;
use troupe_core::NodeId;

use crate::replication::group::{Group, Groups};
use crate::timing::CAMPAIGN_STEP;
use crate::transport::link::Links;
use crate::types::{GroupId, Metrics, node_of};

/// Campaigns of each voter. By then the silence has lasted long enough for an ordinary election.
const ROUNDS: usize = 3;

/// Watches the other nodes until it is dropped.
pub async fn run(groups: Groups, links: Links) {
    let mut ended = links.ended();
    let mut known = BTreeSet::new();
    // At most one for each group and each ended process; each ends by itself.
    let mut campaigns = JoinSet::new();
    loop {
        let now = ended.borrow_and_update().clone();
        for lost in now.difference(&known) {
            for group in groups.all() {
                campaigns.spawn(campaign(group, *lost, now.clone()));
            }
        }
        known = now;
        if ended.changed().await.is_err() {
            return;
        }
        while campaigns.try_join_next().is_some() {}
    }
}

/// Elects another leader of a group, if the lost node led it.
pub(crate) async fn campaign(group: Group, lost: NodeId, ended: BTreeSet<NodeId>) {
    let before = group.metrics();
    let Some(leader) = before.current_leader.filter(|leader| node_of(&before, *leader) == Some(lost)) else { return };
    let Some((turn, voters)) = turn(group.id, &before, &ended) else { return };
    // This is the only openraft message that ends a lease. It names the lost leader as the
    // successor, so no voter campaigns because of it.
    let forget = TransferLeaderRequest::new(before.vote, leader, None);
    if group.raft.handle_transfer_leader(forget).await.is_err() {
        return;
    }
    sleep(CAMPAIGN_STEP * turn).await;
    for _ in 0..ROUNDS {
        if group.metrics().vote != before.vote {
            return;
        }
        tracing::info!(group = %group.id, node = %lost, "the process of its leader has ended: campaigns");
        if group.raft.trigger().elect(true).await.is_err() {
            return;
        }
        sleep(CAMPAIGN_STEP * voters).await;
    }
}

/// The position of this replica among the remaining voters, and their number. The order rotates
/// with the group, so that not one node inherits all leaderships.
fn turn(group: GroupId, metrics: &Metrics, ended: &BTreeSet<NodeId>) -> Option<(u32, u32)> {
    let voters =
        metrics.membership_config.voter_ids().filter_map(|replica| Some((node_of(metrics, replica)?, replica)));
    let mut left: Vec<(NodeId, u64)> = voters.filter(|(node, _)| !ended.contains(node)).collect();
    left.sort_unstable();
    let here = left.iter().position(|(_, replica)| *replica == metrics.id)? as u32;
    let voters = left.len() as u32;
    Some(((here + group.0) % voters, voters))
}
