//! Reading what is applied here without reading what is old, or what is gone.

use openraft::ReadPolicy;
use openraft::errors::{LinearizableReadError, RaftError};
use tokio::time::{Instant, sleep};

use super::ReadError;
use crate::group::{Group, Groups};
use crate::proposer;
use crate::timing::{FRESH_LEADER, LOOK_FRESH};
use crate::types::GroupId;

/// What a read rests on: that this replica leads, and has applied everything acknowledged before.
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
    /// To be asked after reading. A replica that has gone elsewhere takes its rows with it, and is
    /// closed before they are deleted: if it is open now, what was read was all there; if not,
    /// absence says nothing.
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
