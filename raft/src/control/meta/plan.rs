//! Decides which replicas should move, from the meta state and from the reachable nodes. Pure: the
//! meta controller executes the moves, and a dry run simulates them.
//!
//! The order of importance: replicas leave nodes that are being emptied, missing replicas are
//! added, surplus ones are removed, and only then replicas are balanced until no node has two more
//! than another. Each step is the smallest one that helps, so the whole plan moves no replica
//! twice.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{NodeId, ShardId};

use super::command::MetaCommand;
use super::state::{MetaState, Placement};
use crate::api::NodeState;

/// Replicas that one node receives at once, which is as many snapshots as it accepts (see
/// [`crate::replication::snapshot`]). More would only wait there and cost the clients of the
/// sending nodes.
pub const ARRIVALS: usize = 2;

/// Voters of the meta group: five survive two losses, and more would only slow it down.
pub const META_VOTERS: usize = 5;

/// The reachable nodes, as the meta group's leader sees them.
#[derive(Clone, Debug, Default)]
pub struct ClusterView {
    /// Reachable now.
    pub reachable: BTreeSet<NodeId>,
    /// Unreachable for too long to wait for them.
    pub lost: BTreeSet<NodeId>,
}

/// One replica for another, or one that is added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub shard: ShardId,
    pub version: u64,
    pub add: Option<NodeId>,
    pub remove: Option<NodeId>,
}

impl Planned {
    pub fn command(&self) -> MetaCommand {
        let Planned { shard, version, add, remove } = *self;
        MetaCommand::BeginMove { shard, version, add, remove }
    }
}

/// The moves to cancel: their target cannot, or must not, receive them any more.
pub fn called_off(state: &MetaState, view: &ClusterView) -> Vec<MetaCommand> {
    let mut off = Vec::new();
    for (shard, place) in &state.placement {
        let Some(moving) = place.moving.as_ref().filter(|moving| !moving.promoted) else { continue };
        if moving.add.is_some_and(|(node, _)| !state.is_active(node) || view.lost.contains(&node)) {
            off.push(MetaCommand::CancelMove { shard: *shard, number: moving.number });
        }
    }
    off
}

/// The moves to begin now, besides those in progress.
pub fn next(state: &MetaState, view: &ClusterView) -> Vec<Planned> {
    let mut plan = Plan::new(state, view);
    let still: Vec<(ShardId, &Placement)> = state
        .placement
        .iter()
        .filter(|(_, place)| place.moving.is_none() && can_decide(place, view))
        .map(|(shard, place)| (*shard, place))
        .collect();
    for (shard, place) in &still {
        if let Some((add, remove)) = plan.repair(place) {
            plan.take(*shard, place, add, remove);
        }
    }
    // Repairs come first: balancing would use their capacity.
    if plan.moves.is_empty() {
        plan.even_out(&still);
    }
    plan.moves
}

/// Every move until nothing is left to do, those in progress first, and the resulting state.
pub fn forecast(state: &MetaState, view: &ClusterView) -> (Vec<Planned>, MetaState) {
    let mut then = state.clone();
    let mut moves = Vec::new();
    loop {
        for place in then.placement.values_mut().filter(|place| place.moving.is_some()) {
            place.replicas = place.target();
            place.moving = None;
            place.version += 1;
        }
        let next = next(&then, view);
        if next.is_empty() {
            return (moves, then);
        }
        for planned in &next {
            // Refused: the plan and the state disagree, and repeating it would not end.
            if then.apply(planned.command()).is_err() {
                return (moves, then);
            }
        }
        moves.extend(next);
    }
}

/// Replicas that a node is still to receive: those in transfer, and those that will follow. The
/// result is the larger of two plans, one for the reachable nodes and one for all members. A node
/// that has just started reaches few others, and must not conclude that it has all of its replicas.
pub fn incoming(state: &MetaState, reachable: &BTreeSet<NodeId>, node: NodeId) -> usize {
    let on_its_way =
        |place: &&Placement| place.moving.as_ref().and_then(|moving| moving.add).is_some_and(|(to, _)| to == node);
    let on_their_way = state.placement.values().filter(on_its_way).count();
    let expected = state.nodes.keys().copied().filter(|node| state.counts_on(*node)).collect();
    let to_follow = [reachable.clone(), expected].into_iter().map(|reachable| {
        let view = ClusterView { reachable, lost: BTreeSet::new() };
        forecast(state, &view).0.iter().filter(|planned| planned.add == Some(node)).count()
    });
    on_their_way + to_follow.max().unwrap_or(0)
}

/// A shard without a reachable majority cannot change its members, and a move of it would block one
/// that can.
fn can_decide(place: &Placement, view: &ClusterView) -> bool {
    let there = place.replicas.iter().filter(|(node, _)| view.reachable.contains(node)).count();
    2 * there > place.replicas.len()
}

struct Plan<'a> {
    state: &'a MetaState,
    view: &'a ClusterView,
    copies: usize,
    /// Replicas of each active node when everything in progress is done.
    load: BTreeMap<NodeId, usize>,
    arriving: BTreeMap<NodeId, usize>,
    moves: Vec<Planned>,
}

impl<'a> Plan<'a> {
    fn new(state: &'a MetaState, view: &'a ClusterView) -> Plan<'a> {
        let mut load: BTreeMap<NodeId, usize> = state.active().map(|node| (node, 0)).collect();
        let mut arriving: BTreeMap<NodeId, usize> = BTreeMap::new();
        for place in state.placement.values() {
            for (node, _) in place.target() {
                load.entry(node).and_modify(|count| *count += 1);
            }
            if let Some((node, _)) = place.moving.as_ref().and_then(|moving| moving.add) {
                *arriving.entry(node).or_default() += 1;
            }
        }
        Plan { state, view, copies: state.copies(load.len()), load, arriving, moves: Vec::new() }
    }

    fn take(&mut self, shard: ShardId, place: &Placement, add: Option<NodeId>, remove: Option<NodeId>) {
        if let Some(node) = add {
            self.load.entry(node).and_modify(|count| *count += 1);
            *self.arriving.entry(node).or_default() += 1;
        }
        if let Some(node) = remove {
            self.load.entry(node).and_modify(|count| *count = count.saturating_sub(1));
        }
        self.moves.push(Planned { shard, version: place.version, add, remove });
    }

    fn load(&self, node: NodeId) -> usize {
        self.load.get(&node).copied().unwrap_or(0)
    }

    /// Whether a node may receive one more replica now.
    fn has_room(&self, node: NodeId) -> bool {
        self.view.reachable.contains(&node) && self.arriving.get(&node).copied().unwrap_or(0) < ARRIVALS
    }

    /// The node for a new replica of a shard: the replacement if there is one, else the least
    /// loaded. `Err` if all candidates are busy.
    fn taker(&self, place: &Placement, replacement: Option<NodeId>) -> Result<Option<NodeId>, Busy> {
        let free = |node: &NodeId| place.replica(*node).is_none() && self.view.reachable.contains(node);
        if let Some(replacement) = replacement.filter(|replacement| self.load.contains_key(replacement)).filter(free) {
            return if self.has_room(replacement) { Ok(Some(replacement)) } else { Err(Busy) };
        }
        let able: Vec<NodeId> = self.load.keys().copied().filter(free).collect();
        let least = able.iter().copied().filter(|node| self.has_room(*node)).min_by_key(|node| self.load(*node));
        if least.is_none() && !able.is_empty() { Err(Busy) } else { Ok(least) }
    }

    /// The change that repairs a shard: the added and the removed node.
    fn repair(&self, place: &Placement) -> Option<(Option<NodeId>, Option<NodeId>)> {
        let nodes: Vec<NodeId> = place.replicas.iter().map(|(node, _)| *node).collect();
        // Unreachable nodes go first: while they are counted, the shard cannot afford another loss.
        let unfit = nodes.iter().copied().filter(|node| !self.state.is_active(*node));
        let unfit = unfit.min_by_key(|node| (self.view.reachable.contains(node), *node));
        if let Some(node) = unfit {
            if nodes.len() > self.copies {
                return Some((None, Some(node)));
            }
            let replacement = match self.state.nodes.get(&node).map(|member| member.state) {
                Some(NodeState::Leaving { replacement }) => replacement,
                _ => None,
            };
            return match self.taker(place, replacement) {
                Ok(Some(taker)) => Some((Some(taker), Some(node))),
                Ok(None) | Err(Busy) => None,
            };
        }
        if nodes.len() < self.copies {
            return self.taker(place, None).ok().flatten().map(|taker| (Some(taker), None));
        }
        if nodes.len() > self.copies {
            let most = nodes.iter().copied().max_by_key(|node| (self.load(*node), *node));
            return most.map(|node| (None, Some(node)));
        }
        None
    }

    /// Moves replicas from the most loaded to the least loaded node, while that reduces the
    /// difference.
    fn even_out(&mut self, still: &[(ShardId, &Placement)]) {
        let mut left: Vec<(ShardId, &Placement)> = still.to_vec();
        let all: usize = self.load.values().sum();
        let fair = all.div_ceil(self.load.len().max(1));
        loop {
            // A node above its share never receives a replica just because nodes below theirs are
            // busy.
            let lacks = |node: &NodeId| self.load(*node) < fair && self.has_room(*node);
            let takers = self.load.keys().copied().filter(lacks);
            let Some(to) = takers.min_by_key(|node| (self.load(*node), *node)) else { return };
            let mut givers: Vec<NodeId> = self.load.keys().copied().collect();
            givers.sort_by_key(|node| (std::cmp::Reverse(self.load(*node)), *node));
            givers.retain(|node| self.load(*node) >= self.load(to) + 2);
            let found = givers.into_iter().find_map(|from| {
                let fit =
                    |(_, place): &&(ShardId, &Placement)| place.replica(from).is_some() && place.replica(to).is_none();
                left.iter().find(fit).map(|(shard, place)| (*shard, *place, from))
            });
            let Some((shard, place, from)) = found else { return };
            left.retain(|(other, _)| *other != shard);
            self.take(shard, place, Some(to), Some(from));
        }
    }
}

/// Suitable nodes exist, but not now.
struct Busy;

/// The wanted voters of the meta group, given the present ones; `None` if nothing should change.
/// Present voters that can stay do. A new voter must have the log already.
pub fn meta_voters(
    state: &MetaState,
    voters: &BTreeSet<NodeId>,
    caught_up: &BTreeSet<NodeId>,
) -> Option<BTreeSet<NodeId>> {
    let active = state.active().count();
    // Four voters survive no more losses than three.
    let wanted = match active {
        0 => return None,
        1..=3 => active,
        4 => 3,
        _ => META_VOTERS,
    };
    let mut then: BTreeSet<NodeId> =
        voters.iter().copied().filter(|node| state.is_active(*node)).take(wanted).collect();
    let more = state.active().filter(|node| caught_up.contains(node) && !voters.contains(node));
    then.extend(more.take(wanted - then.len()));
    // A leaving voter is better than one fewer: all voters remain until a replacement is ready.
    let fewer = then.len() < voters.len().min(wanted);
    (!then.is_empty() && !fewer && then != *voters).then_some(then)
}

#[cfg(test)]
mod tests;
