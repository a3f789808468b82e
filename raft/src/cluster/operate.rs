//! Orders of an operator: drain a node, take it back, remove it, replace it; and the moves that an
//! order would cause.
//!
//! Nothing is moved here. An order is one command to the meta group, and its plan is the output of
//! [`crate::control::meta::plan`] for the state after it. Any node accepts orders. The meta group's
//! leader may refuse an order that this node would have allowed.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::timeout;
use troupe_core::{NodeId, ShardId};

use crate::api::{ChangeSettings, NodeState};
use crate::cluster::Cluster;
use crate::control::meta::plan::{self, ClusterView, Planned};
use crate::control::meta::{MetaCommand, MetaError, MetaState};
use crate::timing::META_TIMEOUT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Drain,
    Undrain,
    Remove,
    Replace { replacement: Option<NodeId> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub node: NodeId,
    pub verb: Verb,
    /// Replicas of each shard after the order, if the number changes. A number below the target,
    /// given because nodes are missing, holds while they are missing.
    pub replication: Option<u32>,
}

impl Order {
    fn command(&self) -> MetaCommand {
        MetaCommand::SetNode { node: self.node, state: self.state(), replication: self.replication }
    }

    fn state(&self) -> NodeState {
        match self.verb {
            Verb::Drain => NodeState::Draining,
            Verb::Undrain => NodeState::Active,
            Verb::Remove => NodeState::Leaving { replacement: None },
            Verb::Replace { replacement } => NodeState::Leaving { replacement },
        }
    }

    /// The commands of an order, in sequence. A link to a node proves that its process answers at
    /// its address. If another node is its replacement all the same, that was a mistake, which an
    /// undrain reverts.
    fn commands(&self, state: &MetaState, reachable: &BTreeSet<NodeId>) -> Vec<MetaCommand> {
        let mut commands = match self.verb {
            Verb::Undrain if reachable.contains(&self.node) => state.reinstate(self.node),
            _ => Vec::new(),
        };
        commands.push(self.command());
        commands
    }
}

/// The remaining work when an order is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangePlan {
    pub moves: Vec<Move>,
    /// The node has left the cluster already.
    pub removed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub shard: ShardId,
    pub from: Option<NodeId>,
    pub to: Option<NodeId>,
    /// Begun already.
    pub under_way: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// There is no such node; the text names the existing ones.
    #[error("{0}")]
    Unknown(String),
    /// The operator must change something first; the text names it.
    #[error("{0}")]
    Refused(String),
    /// Retry.
    #[error("the meta group does not answer: a majority of its nodes must be up")]
    Unavailable,
    /// Not available at the feature level in force.
    #[error("{0}")]
    UpgradePending(String),
}

impl From<MetaError> for OrderError {
    fn from(error: MetaError) -> OrderError {
        match error {
            MetaError::Unavailable => OrderError::Unavailable,
            MetaError::Refused(why) => OrderError::Refused(why),
            MetaError::UpgradePending { .. } => OrderError::UpgradePending(error.to_string()),
        }
    }
}

/// Decides whether an order may be given, and which moves it causes.
pub fn plan_change(state: &MetaState, reachable: &BTreeSet<NodeId>, order: &Order) -> Result<ChangePlan, OrderError> {
    let node = order.node;
    let leaves = matches!(order.verb, Verb::Remove | Verb::Replace { .. });
    if state.removed.contains_key(&node) && leaves {
        return Ok(ChangePlan { removed: true, ..ChangePlan::default() });
    }
    if !state.nodes.contains_key(&node) {
        return Err(OrderError::Unknown(state.unknown(node)));
    }
    let mut then = state.clone();
    for command in order.commands(state, reachable) {
        then.apply(command).map_err(OrderError::Refused)?;
    }
    state.admits_fewer(node, order.state(), order.replication).map_err(OrderError::Refused)?;
    let view = ClusterView { reachable: reachable.clone(), lost: BTreeSet::new() };
    let mut moves: Vec<Move> = under_way(&then).collect();
    let (planned, end) = plan::forecast(&then, &view);
    if order.verb != Verb::Undrain && end.shards_on(node) > 0 {
        return Err(OrderError::Refused(stuck(&end, node, reachable)));
    }
    moves.extend(planned.iter().map(|Planned { shard, add, remove, .. }| Move {
        shard: *shard,
        from: *remove,
        to: *add,
        under_way: false,
    }));
    Ok(ChangePlan { moves, removed: false })
}

fn under_way(state: &MetaState) -> impl Iterator<Item = Move> + '_ {
    state.placement.iter().filter_map(|(shard, place)| {
        let moving = place.moving.as_ref()?;
        let node = |(node, _)| node;
        Some(Move { shard: *shard, from: moving.remove.map(node), to: moving.add.map(node), under_way: true })
    })
}

/// Explains why replicas would remain on a node.
fn stuck(end: &MetaState, node: NodeId, reachable: &BTreeSet<NodeId>) -> String {
    let list = |nodes: Vec<NodeId>| nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ");
    let away: Vec<NodeId> = end.nodes.keys().copied().filter(|other| !reachable.contains(other)).collect();
    let why =
        if away.is_empty() { String::new() } else { format!(": nodes that cannot be reached now: {}", list(away)) };
    format!(
        "{} replicas of node {node} have nowhere to go{why}; start those nodes or add one, then retry",
        end.shards_on(node)
    )
}

impl Cluster {
    /// The moves that the order would cause now.
    pub fn plan_change(&self, order: &Order) -> Result<ChangePlan, OrderError> {
        let state = self.meta_state();
        plan_change(&state, &self.reachable(&state), order)
    }

    /// Gives the order and returns the moves that it causes. Repeating it changes nothing.
    pub async fn order(&self, order: &Order) -> Result<ChangePlan, OrderError> {
        let change = self.plan_change(order)?;
        if change.removed {
            return Ok(change);
        }
        let state = self.meta_state();
        for command in order.commands(&state, &self.reachable(&state)) {
            self.commit(&command).await?;
        }
        Ok(change)
    }

    /// Changes settings of the whole cluster. Repeating it changes nothing.
    pub async fn change_settings(&self, change: ChangeSettings) -> Result<(), OrderError> {
        self.commit(&MetaCommand::ChangeSettings(change)).await
    }

    /// Returns when this node's own state has the committed command as well, because the next order
    /// at this node is judged by it. A follower learns of a commit within
    /// [`crate::timing::COMMIT_HELD`]; one that is cut off meanwhile is not waited for any longer
    /// than [`META_TIMEOUT`].
    async fn commit(&self, command: &MetaCommand) -> Result<(), OrderError> {
        self.meta().propose(command).await?;
        let has = |state: &Arc<MetaState>| {
            let mut then = MetaState::clone(state);
            // Repeating it changes nothing.
            then.apply(command.clone()).is_err() || then == **state
        };
        let _ = timeout(META_TIMEOUT, self.0.state.clone().wait_for(has)).await;
        Ok(())
    }

    /// Moves in progress and planned moves, as this node predicts them.
    pub fn to_come(&self) -> Vec<Move> {
        let state = self.meta_state();
        let view = ClusterView { reachable: self.reachable(&state), lost: BTreeSet::new() };
        let planned = plan::forecast(&state, &view).0;
        let later = planned.iter().map(|planned| Move {
            shard: planned.shard,
            from: planned.remove,
            to: planned.add,
            under_way: false,
        });
        under_way(&state).chain(later).collect()
    }

    fn reachable(&self, state: &Arc<MetaState>) -> BTreeSet<NodeId> {
        let links = self.links();
        state.nodes.keys().copied().filter(|node| links.reachable(*node)).collect()
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::level::Range;

    use super::*;
    use crate::api::{Addresses, LoginPolicy};

    fn born(nodes: u64) -> (MetaState, BTreeSet<NodeId>) {
        let mut state = MetaState::default();
        let addresses = |n: u64| Addresses { cluster: format!("c{n}"), ..Addresses::default() };
        let found = MetaCommand::Found {
            cluster_id: [7; 16],
            shards: 12,
            replication: 3,
            login_policy: LoginPolicy::Replace,
            settings: crate::api::Settings::default(),
            in_force: crate::level::InForce::at(troupe_core::Level::NEWEST),
            nodes: (1..=nodes).map(|n| (NodeId(n), addresses(n))).collect(),
        };
        state.apply(found).unwrap();
        (state, (1..=nodes).map(NodeId).collect())
    }

    fn order(node: u64, verb: Verb) -> Order {
        Order { node: NodeId(node), verb, replication: None }
    }

    #[test]
    fn draining_one_of_three_is_refused_with_a_way_out() {
        let (state, all) = born(3);
        let refused = plan_change(&state, &all, &order(3, Verb::Drain)).unwrap_err();
        assert!(matches!(&refused, OrderError::Refused(why) if why.contains("add a node first")), "{refused}");
        let lower = Order { replication: Some(2), ..order(3, Verb::Drain) };
        let change = plan_change(&state, &all, &lower).unwrap();
        assert_eq!(change.moves.len(), 12);
        assert!(change.moves.iter().all(|planned| planned.from == Some(NodeId(3)) && planned.to.is_none()));
    }

    #[test]
    fn after_a_forced_loss_of_copies_the_next_one_must_be_said_too() {
        let (mut state, mut all) = born(3);
        state.apply(Order { replication: Some(2), ..order(3, Verb::Drain) }.command()).unwrap();
        state.apply(order(3, Verb::Undrain).command()).unwrap();
        let refused = plan_change(&state, &all, &order(3, Verb::Drain)).unwrap_err().to_string();
        assert!(refused.contains("each shard has 3 replicas"), "{refused}");
        let request = [9; 16];
        let addresses = Addresses { cluster: "c4".to_owned(), ..Addresses::default() };
        all.insert(state.apply(MetaCommand::AddNode { request, addresses, levels: Range::OURS }).unwrap());
        plan_change(&state, &all, &order(3, Verb::Drain)).unwrap();
    }

    #[test]
    fn a_plan_names_every_move_and_an_undrain_needs_none() {
        let (state, all) = born(4);
        let change = plan_change(&state, &all, &order(2, Verb::Remove)).unwrap();
        assert_eq!(change.moves.len(), 9);
        assert_eq!(plan_change(&state, &all, &order(2, Verb::Undrain)).unwrap(), ChangePlan::default());
    }

    #[test]
    fn an_order_that_could_not_be_finished_is_refused() {
        let (state, mut all) = born(4);
        all.remove(&NodeId(4));
        let refused = plan_change(&state, &all, &order(2, Verb::Drain)).unwrap_err().to_string();
        assert!(refused.contains("nowhere to go") && refused.contains("reached now: 4"), "{refused}");
    }

    #[test]
    fn an_undrain_undoes_that_the_address_of_a_living_node_was_given_away() {
        let (mut state, mut all) = born(3);
        let addresses = state.nodes[&NodeId(1)].addresses.clone();
        state.apply(MetaCommand::AddNode { request: [9; 16], addresses, levels: Range::OURS }).unwrap();
        assert!(!state.is_active(NodeId(1)));
        plan_change(&state, &all, &order(1, Verb::Undrain)).unwrap();
        // Its process has ended, so the other node is its replacement.
        all.remove(&NodeId(1));
        let refused = plan_change(&state, &all, &order(1, Verb::Undrain)).unwrap_err().to_string();
        assert!(refused.contains("node 4 has its address now"), "{refused}");
    }

    #[test]
    fn nodes_that_are_not_there_are_named_as_such() {
        let (mut state, all) = born(4);
        let refused = plan_change(&state, &all, &order(7, Verb::Drain)).unwrap_err();
        assert!(matches!(&refused, OrderError::Unknown(why) if why.contains("1, 2, 3, 4")), "{refused}");
        state.nodes.remove(&NodeId(4));
        state.removed.insert(NodeId(4), "c4".to_owned());
        assert!(plan_change(&state, &all, &order(4, Verb::Remove)).unwrap().removed);
        assert!(matches!(plan_change(&state, &all, &order(4, Verb::Drain)), Err(OrderError::Unknown(_))));
    }
}
