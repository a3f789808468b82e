//! Reads of applied state that are neither stale nor missing a deleted replica.

use openraft::ReadPolicy;
use openraft::errors::{LinearizableReadError, RaftError};
use tokio::time::{Instant, sleep};

use crate::api::ReadError;
use crate::replication::group::{Group, Groups};
use crate::replication::proposer;
use crate::timing::{FRESH_LEADER, LOOK_FRESH};
use crate::types::GroupId;

/// The basis of a read: this replica leads, and has applied everything acknowledged before.
pub struct Barrier {
    groups: Groups,
    group: GroupId,
    replica: u64,
}

impl Barrier {
    pub(crate) fn new(groups: &Groups, group: &Group) -> Barrier {
        Barrier { groups: groups.clone(), group: group.id, replica: group.replica }
    }

    // Invariant: replicas answer for what they hold.
    /// Checked after the read. A replica that moves away is closed before its rows are deleted. If
    /// it is still open, the read saw all rows. If not, a missing row proves nothing.
    pub fn stands(&self) -> bool {
        self.groups.get(self.group).is_some_and(|group| group.replica == self.replica)
    }
}

pub(crate) async fn read_index(group: &Group) -> Result<(), ReadError> {
    let begin = Instant::now();
    loop {
        match group.raft.get_read_linearizer(ReadPolicy::ReadIndex).await {
            Ok(linearizer) => {
                let ready = linearizer.await_ready(&group.raft).await;
                return ready.map(|_| ()).map_err(|_| ReadError::Unavailable);
            }
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(refusal))) => {
                if !proposer::is_fresh(&refusal) || begin.elapsed() >= FRESH_LEADER {
                    return Err(ReadError::NotLeader { hint: refusal.leader_node.map(|home| home.0) });
                }
                sleep(LOOK_FRESH).await;
            }
            Err(_) => return Err(ReadError::Unavailable),
        }
    }
}
