//! Executes the moves of the meta state on the shards that this node leads: learner, caught up,
//! joint change, done.
//!
//! The leader of a shard compares its group with the placement and takes the one next step. So a
//! move continues after any crash and under any leader. Before the members change, the meta group
//! confirms that the move is still wanted: a leader with an outdated meta state changes nothing.
//! [`crate::control::meta::plan`] decides the moves; [`crate::control::host`] opens and destroys
//! replicas.

use std::collections::BTreeSet;
use std::sync::Arc;

use openraft::ChangeMembers;
use openraft::raft::Precondition;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use troupe_core::planted::{Bug, Planted};
use troupe_core::{NodeId, ReplicaId, ShardId};

use crate::control::balance::CLOSE;
use crate::control::meta::state::Placement;
use crate::control::meta::{Meta, MetaCommand, MetaState};
use crate::replication::group::{Group, Groups};
use crate::timing::{LOOK_FRESH, MEMBERS_TIMEOUT, META_CONTROL_EVERY, MOVE_EVERY};
use crate::types::{GroupId, LogId, Metrics, RaftNode, Types, led_epoch};

/// A group as its leader sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub me: u64,
    /// One set of voters, or two while they change.
    pub voters: Vec<BTreeSet<u64>>,
    /// Voters and learners.
    pub members: BTreeSet<u64>,
    /// Whether the membership is committed. Before that no other change is possible.
    pub agreed: bool,
    /// Replicas that have caught up, or nearly so.
    pub close: BTreeSet<u64>,
    pub membership: Option<LogId>,
}

impl Seen {
    /// `None` unless this node leads the group and a majority has acknowledged it.
    pub fn of(metrics: &Metrics) -> Option<Seen> {
        led_epoch(metrics)?;
        let stored = &metrics.membership_config;
        let last = metrics.last_log_index.unwrap_or(0);
        let close = metrics.replication.iter().flatten();
        let close = close.filter(|(_, matching)| matching.as_ref().is_some_and(|id| id.index + CLOSE >= last));
        let agreed = stored.log_id().as_ref().map(|id| id.index) <= metrics.local_committed.map(|id| id.index);
        Some(Seen {
            me: metrics.id,
            voters: stored.get_joint_config().clone(),
            members: stored.nodes().map(|(replica, _)| *replica).collect(),
            agreed,
            close: close.map(|(replica, _)| *replica).chain([metrics.id]).collect(),
            membership: *stored.log_id(),
        })
    }

    fn votes(&self, replica: u64) -> bool {
        self.voters.iter().any(|voters| voters.contains(&replica))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to do, or something to wait for.
    Rest,
    AddLearner(ReplicaId, NodeId),
    /// Members that no placement names, left by a cancelled move.
    DropLearners(BTreeSet<u64>),
    /// The leader is the replica that leaves, so a successor completes the move.
    HandOver(u64),
    Change(BTreeSet<u64>),
    /// Report to the meta group that the move is done.
    Finish,
}

/// The next step towards the placement. Repeating a step is harmless. `may_come`: the node of the
/// new replica is not lost.
pub fn step(place: &Placement, seen: &Seen, may_come: bool) -> Step {
    if !seen.agreed {
        return Step::Rest;
    }
    let uniform = seen.voters.len() == 1;
    let known: BTreeSet<u64> = place.everyone().map(|(_, replica)| replica.0).collect();
    let strays = |known: &BTreeSet<u64>| -> BTreeSet<u64> {
        seen.members.difference(known).copied().filter(|replica| !seen.votes(*replica)).collect()
    };
    let Some(moving) = &place.moving else {
        let strays = strays(&known);
        return if uniform && !strays.is_empty() { Step::DropLearners(strays) } else { Step::Rest };
    };
    let target: BTreeSet<u64> = place.target().iter().map(|(_, replica)| replica.0).collect();
    if uniform && seen.voters[0] == target {
        let strays = strays(&target);
        return match () {
            () if !strays.is_empty() => Step::DropLearners(strays),
            // openraft makes a removed leader step down; its successor reports.
            () if !target.contains(&seen.me) => Step::Rest,
            () => Step::Finish,
        };
    }
    if !uniform {
        return Step::Change(target);
    }
    if let Some((node, replica)) = moving.add {
        if !seen.members.contains(&replica.0) {
            return Step::AddLearner(replica, node);
        }
        // A promoted move can only continue. If the new replica never arrives, it is replaced
        // afterwards like any other.
        if !seen.close.contains(&replica.0) && (may_come || !moving.promoted) {
            return Step::Rest;
        }
    }
    if !target.contains(&seen.me) {
        let successor = seen.voters[0].iter().find(|voter| target.contains(voter) && seen.close.contains(voter));
        if let Some(successor) = successor {
            return Step::HandOver(*successor);
        }
    }
    Step::Change(target)
}

/// Follows the meta state until it is dropped.
pub async fn run(groups: Groups, meta: Meta, mut state: watch::Receiver<Arc<MetaState>>, planted: Planted) {
    let mut news = groups.news();
    let mut working: JoinSet<ShardId> = JoinSet::new();
    let mut busy: BTreeSet<ShardId> = BTreeSet::new();
    loop {
        let now = state.borrow_and_update().clone();
        let mut moving = false;
        for (shard, place) in &now.placement {
            let Some(group) = groups.get(GroupId::of(*shard)) else { continue };
            let Some(seen) = Seen::of(&group.metrics()) else { continue };
            moving |= place.moving.is_some();
            let newcomer = place.moving.as_ref().and_then(|moving| moving.add);
            let step = step(place, &seen, newcomer.is_none_or(|(node, _)| now.counts_on(node)));
            let step = match step {
                Step::Change(_) if planted.is(Bug::MoveWithoutVote) && is_promoted(place) => Step::Finish,
                step => step,
            };
            if step == Step::Rest || !busy.insert(*shard) {
                continue;
            }
            let (shard, number, meta) = (*shard, place.moving.as_ref().map(|moving| moving.number), meta.clone());
            working.spawn(async move {
                take(&group, &meta, shard, number, step, seen.membership, planted).await;
                shard
            });
        }
        // The progress of a learner triggers no event, so it is checked often while a move is in
        // progress.
        let again = if moving { MOVE_EVERY } else { META_CONTROL_EVERY };
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            changed = news.changed() => if changed.is_err() { return },
            Some(done) = working.join_next() => if let Ok(shard) = done { busy.remove(&shard); },
            () = sleep(again) => {}
        }
    }
}

fn is_promoted(place: &Placement) -> bool {
    place.moving.as_ref().is_some_and(|moving| moving.promoted)
}

/// Takes one step. A failed step is checked again in the next round.
async fn take(
    group: &Group,
    meta: &Meta,
    shard: ShardId,
    number: Option<u64>,
    step: Step,
    membership: Option<LogId>,
    planted: Planted,
) {
    let unchanged = [Precondition::<Types>::LastMembershipLogId { last_membership_log_id: membership }];
    let outcome = match step {
        Step::Rest => Ok(()),
        Step::AddLearner(replica, node) => {
            tracing::info!(%shard, %node, %replica, "adds a replica as a learner");
            let added = timeout(MEMBERS_TIMEOUT, group.raft.add_learner(replica.0, RaftNode(node), false)).await;
            report(added)
        }
        Step::DropLearners(strays) => {
            let change = ChangeMembers::RemoveNodes(strays);
            report(timeout(MEMBERS_TIMEOUT, group.raft.change_membership_if(change, true, unchanged)).await)
        }
        Step::HandOver(to) => {
            let asked = group.raft.trigger().transfer_leader(to).await;
            // The transfer happens within milliseconds, or the other side refused it and it is
            // requested again.
            sleep(MOVE_EVERY).await;
            asked.map_err(|error| error.to_string())
        }
        Step::Change(voters) => {
            let Some(number) = number else { return };
            match meta.propose(&MetaCommand::PromoteMove { shard, number }).await {
                Ok(_) if planted.is(Bug::MoveWithoutVote) => Ok(()),
                Ok(_) => {
                    tracing::info!(%shard, ?voters, "changes the replicas of a shard");
                    let change = ChangeMembers::ReplaceAllVoters(voters);
                    report(timeout(MEMBERS_TIMEOUT, group.raft.change_membership_if(change, false, unchanged)).await)
                }
                Err(error) => Err(error.to_string()),
            }
        }
        Step::Finish => {
            let Some(number) = number else { return };
            let told = meta.propose(&MetaCommand::FinishMove { shard, number }).await;
            told.map(|_| tracing::info!(%shard, number, "a move is done")).map_err(|error| error.to_string())
        }
    };
    if let Err(error) = &outcome {
        tracing::debug!(%shard, %error, "a step of a move failed, retrying");
    }
    // A failure probably persists, and a success takes a moment to show.
    sleep(if outcome.is_ok() { LOOK_FRESH } else { MOVE_EVERY }).await;
}

fn report<T, E: ToString, Late: ToString>(outcome: Result<Result<T, E>, Late>) -> Result<(), String> {
    match outcome {
        Ok(done) => done.map(|_| ()).map_err(|error| error.to_string()),
        Err(late) => Err(late.to_string()),
    }
}

#[cfg(test)]
mod tests;
