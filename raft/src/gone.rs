//! What happens when a leader's process has ended: its connections are closed, and its address
//! answers that nobody listens there. Nobody need wait for the lease of such a leader, because a
//! process that starts anew leads nothing.
//!
//! Each voter stops honouring the lease on its own evidence, and they ask for votes one after
//! another. Who still hears the leader refuses the pre-vote, and nothing has happened: a leader
//! that one node cannot reach keeps its place. A machine that is lost, or cut off, closes nothing
//! and answers nothing; it is noticed by its silence.

use std::collections::BTreeSet;

use openraft::raft::TransferLeaderRequest;
use tokio::task::JoinSet;
use tokio::time::sleep;
use troupe_core::NodeId;

use crate::group::{Group, Groups};
use crate::link::Links;
use crate::timing::CAMPAIGN_STEP;
use crate::types::{GroupId, Metrics};

/// Times that each voter asks. By then the silence has lasted long enough for an ordinary election.
const ROUNDS: usize = 3;

/// Watches the other nodes until it is dropped.
pub async fn run(groups: Groups, links: Links) {
    let mut gone = links.gone();
    let mut known = BTreeSet::new();
    // At most one for each group and each time that a node goes; each ends by itself.
    let mut campaigns = JoinSet::new();
    loop {
        let now = gone.borrow_and_update().clone();
        for lost in now.difference(&known) {
            for group in groups.all() {
                campaigns.spawn(succeed(group, *lost, now.clone()));
            }
        }
        known = now;
        if gone.changed().await.is_err() {
            return;
        }
        while campaigns.try_join_next().is_some() {}
    }
}

/// Has a group elect another leader, if it was led from the lost node.
pub(crate) async fn succeed(group: Group, lost: NodeId, gone: BTreeSet<NodeId>) {
    let before = group.metrics();
    let Some(leader) = before.current_leader.filter(|leader| home(&before, *leader) == Some(lost)) else { return };
    let Some((turn, voters)) = turn(group.id, &before, &gone) else { return };
    // It is the one message of openraft's that ends a lease. It names no heir but the lost leader,
    // so nobody campaigns by it.
    let forget = TransferLeaderRequest::new(before.vote, leader, None);
    if group.raft.handle_transfer_leader(forget).await.is_err() {
        return;
    }
    sleep(CAMPAIGN_STEP * turn).await;
    for _ in 0..ROUNDS {
        if group.metrics().vote != before.vote {
            return;
        }
        tracing::info!(group = %group.id, node = %lost, "its leader's process has ended: asks for votes");
        if group.raft.trigger().elect(true).await.is_err() {
            return;
        }
        sleep(CAMPAIGN_STEP * voters).await;
    }
}

pub fn home(metrics: &Metrics, replica: u64) -> Option<NodeId> {
    metrics.membership_config.get_node(&replica).map(|home| home.0)
}

/// When it is this replica's turn among the voters that are left, and how many they are. Groups
/// begin with different nodes, so that not one node inherits all.
fn turn(group: GroupId, metrics: &Metrics, gone: &BTreeSet<NodeId>) -> Option<(u32, u32)> {
    let voters = metrics.membership_config.voter_ids().filter_map(|replica| Some((home(metrics, replica)?, replica)));
    let mut left: Vec<(NodeId, u64)> = voters.filter(|(node, _)| !gone.contains(node)).collect();
    left.sort_unstable();
    let here = left.iter().position(|(_, replica)| *replica == metrics.id)? as u32;
    let voters = left.len() as u32;
    Some(((here + group.0) % voters, voters))
}
