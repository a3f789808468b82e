//! What an operator may ask of the cluster: empty a node, take it back to work, take it out, put
//! another in its place; and what would move if it were done.
//!
//! Nothing here moves anything: an order is one command to the meta group, and the plan is what
//! [`crate::meta::plan`] makes of the state after it. Any node takes orders; the meta group's
//! leader may refuse what this node would have allowed.

use std::collections::BTreeSet;
use std::sync::Arc;

use troupe_core::{NodeId, ShardId};

use crate::cluster::Cluster;
use crate::meta::plan::{self, Planned, Sight};
use crate::meta::{ChangeSettings, MetaCommand, MetaError, MetaState, NodeState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Drain,
    Undrain,
    Remove,
    Replace { heir: Option<NodeId> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub node: NodeId,
    pub verb: Verb,
    /// Replicas of each shard when the order is done, where that is another number. Fewer than the
    /// target because nodes are missing is for as long as they are missing.
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
            Verb::Remove => NodeState::Leaving { heir: None },
            Verb::Replace { heir } => NodeState::Leaving { heir },
        }
    }

    /// One after another. A link to a node is a proof that its process answers at its address: if
    /// another one is its heir all the same, that was a mistake, which an undrain undoes.
    fn commands(&self, state: &MetaState, reachable: &BTreeSet<NodeId>) -> Vec<MetaCommand> {
        let mut commands = match self.verb {
            Verb::Undrain if reachable.contains(&self.node) => state.reinstate(self.node),
            _ => Vec::new(),
        };
        commands.push(self.command());
        commands
    }
}

/// What is still to be done when an order is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prospect {
    pub moves: Vec<Move>,
    /// The node is out of the cluster already.
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
    /// There is no such node; the text names those there are.
    #[error("{0}")]
    Unknown(String),
    /// The operator must change something first; the text says what.
    #[error("{0}")]
    Refused(String),
    /// Ask again.
    #[error("the meta group does not answer: a majority of its nodes must be up")]
    Unavailable,
    /// Not at the feature level in force.
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

/// Decides whether an order may be given, and what would move.
pub fn foresee(state: &MetaState, reachable: &BTreeSet<NodeId>, order: &Order) -> Result<Prospect, OrderError> {
    let node = order.node;
    let leaves = matches!(order.verb, Verb::Remove | Verb::Replace { .. });
    if state.removed.contains_key(&node) && leaves {
        return Ok(Prospect { removed: true, ..Prospect::default() });
    }
    if !state.nodes.contains_key(&node) {
        return Err(OrderError::Unknown(state.unknown(node)));
    }
    let mut then = state.clone();
    for command in order.commands(state, reachable) {
        then.apply(command).map_err(OrderError::Refused)?;
    }
    state.admits_fewer(node, order.state(), order.replication).map_err(OrderError::Refused)?;
    let sight = Sight { reachable: reachable.clone(), gone: BTreeSet::new() };
    let mut moves: Vec<Move> = under_way(&then).collect();
    let (planned, end) = plan::forecast(&then, &sight);
    if order.verb != Verb::Undrain && end.shards_on(node) > 0 {
        return Err(OrderError::Refused(stuck(&end, node, reachable)));
    }
    moves.extend(planned.iter().map(|Planned { shard, add, remove, .. }| Move {
        shard: *shard,
        from: *remove,
        to: *add,
        under_way: false,
    }));
    Ok(Prospect { moves, removed: false })
}

fn under_way(state: &MetaState) -> impl Iterator<Item = Move> + '_ {
    state.placement.iter().filter_map(|(shard, place)| {
        let moving = place.moving.as_ref()?;
        let node = |(node, _)| node;
        Some(Move { shard: *shard, from: moving.remove.map(node), to: moving.add.map(node), under_way: true })
    })
}

/// Why something would be left on a node.
fn stuck(end: &MetaState, node: NodeId, reachable: &BTreeSet<NodeId>) -> String {
    let list = |nodes: Vec<NodeId>| nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ");
    let away: Vec<NodeId> = end.nodes.keys().copied().filter(|other| !reachable.contains(other)).collect();
    let why =
        if away.is_empty() { String::new() } else { format!(": nodes that cannot be reached now: {}", list(away)) };
    format!(
        "{} replicas of node {node} have nowhere to go{why}; start those nodes or add one, then ask again",
        end.shards_on(node)
    )
}

impl Cluster {
    /// What would move if the order were given now.
    pub fn foresee(&self, order: &Order) -> Result<Prospect, OrderError> {
        let state = self.meta_state();
        foresee(&state, &self.reachable(&state), order)
    }

    /// Gives the order, and tells what moves because of it. Giving it again changes nothing.
    pub async fn order(&self, order: &Order) -> Result<Prospect, OrderError> {
        let prospect = self.foresee(order)?;
        if prospect.removed {
            return Ok(prospect);
        }
        let state = self.meta_state();
        for command in order.commands(&state, &self.reachable(&state)) {
            self.meta().propose(&command).await?;
        }
        Ok(prospect)
    }

    /// Changes settings of the whole cluster. Doing it again changes nothing.
    pub async fn change_settings(&self, change: ChangeSettings) -> Result<(), OrderError> {
        self.meta().propose(&MetaCommand::ChangeSettings(change)).await?;
        Ok(())
    }

    /// Moves under way and moves that will follow, as this node foresees them.
    pub fn to_come(&self) -> Vec<Move> {
        let state = self.meta_state();
        let sight = Sight { reachable: self.reachable(&state), gone: BTreeSet::new() };
        let planned = plan::forecast(&state, &sight).0;
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
    use crate::cluster::LoginPolicy;
    use crate::meta::Addresses;

    fn born(nodes: u64) -> (MetaState, BTreeSet<NodeId>) {
        let mut state = MetaState::default();
        let addresses = |n: u64| Addresses { cluster: format!("c{n}"), ..Addresses::default() };
        let found = MetaCommand::Found {
            cluster_id: [7; 16],
            shards: 12,
            replication: 3,
            login_policy: LoginPolicy::Replace,
            settings: crate::meta::Settings::default(),
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
        let refused = foresee(&state, &all, &order(3, Verb::Drain)).unwrap_err();
        assert!(matches!(&refused, OrderError::Refused(why) if why.contains("add a node first")), "{refused}");
        let lower = Order { replication: Some(2), ..order(3, Verb::Drain) };
        let prospect = foresee(&state, &all, &lower).unwrap();
        assert_eq!(prospect.moves.len(), 12);
        assert!(prospect.moves.iter().all(|planned| planned.from == Some(NodeId(3)) && planned.to.is_none()));
    }

    #[test]
    fn after_a_forced_loss_of_copies_the_next_one_must_be_said_too() {
        let (mut state, mut all) = born(3);
        state.apply(Order { replication: Some(2), ..order(3, Verb::Drain) }.command()).unwrap();
        state.apply(order(3, Verb::Undrain).command()).unwrap();
        let refused = foresee(&state, &all, &order(3, Verb::Drain)).unwrap_err().to_string();
        assert!(refused.contains("each shard has 3 replicas"), "{refused}");
        let request = [9; 16];
        let addresses = Addresses { cluster: "c4".to_owned(), ..Addresses::default() };
        all.insert(state.apply(MetaCommand::AddNode { request, addresses, levels: Range::OURS }).unwrap());
        foresee(&state, &all, &order(3, Verb::Drain)).unwrap();
    }

    #[test]
    fn a_plan_names_every_move_and_an_undrain_needs_none() {
        let (state, all) = born(4);
        let prospect = foresee(&state, &all, &order(2, Verb::Remove)).unwrap();
        assert_eq!(prospect.moves.len(), 9);
        assert_eq!(foresee(&state, &all, &order(2, Verb::Undrain)).unwrap(), Prospect::default());
    }

    #[test]
    fn an_order_that_could_not_be_finished_is_refused() {
        let (state, mut all) = born(4);
        all.remove(&NodeId(4));
        let refused = foresee(&state, &all, &order(2, Verb::Drain)).unwrap_err().to_string();
        assert!(refused.contains("nowhere to go") && refused.contains("reached now: 4"), "{refused}");
    }

    #[test]
    fn an_undrain_undoes_that_the_address_of_a_living_node_was_given_away() {
        let (mut state, mut all) = born(3);
        let addresses = state.nodes[&NodeId(1)].addresses.clone();
        state.apply(MetaCommand::AddNode { request: [9; 16], addresses, levels: Range::OURS }).unwrap();
        assert!(!state.is_active(NodeId(1)));
        foresee(&state, &all, &order(1, Verb::Undrain)).unwrap();
        // Its process is gone: then the other one is its heir.
        all.remove(&NodeId(1));
        let refused = foresee(&state, &all, &order(1, Verb::Undrain)).unwrap_err().to_string();
        assert!(refused.contains("node 4 has its address now"), "{refused}");
    }

    #[test]
    fn nodes_that_are_not_there_are_named_as_such() {
        let (mut state, all) = born(4);
        let refused = foresee(&state, &all, &order(7, Verb::Drain)).unwrap_err();
        assert!(matches!(&refused, OrderError::Unknown(why) if why.contains("1, 2, 3, 4")), "{refused}");
        state.nodes.remove(&NodeId(4));
        state.removed.insert(NodeId(4), "c4".to_owned());
        assert!(foresee(&state, &all, &order(4, Verb::Remove)).unwrap().removed);
        assert!(matches!(foresee(&state, &all, &order(4, Verb::Drain)), Err(OrderError::Unknown(_))));
    }
}
