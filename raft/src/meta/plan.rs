//! Which replicas should move, decided from the meta state and from who can be reached. Pure: the
//! steward of the meta group's leader carries the answers out, and a dry run plays them through.
//!
//! In this order: what is on nodes that are to be emptied goes elsewhere, what is missing is added,
//! what is too much goes, and only then replicas are evened out until no node has two more than
//! another. Each step is the smallest one that helps, so that the whole plan moves no replica
//! twice.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{NodeId, ShardId};

use super::command::MetaCommand;
use super::state::{MetaState, NodeState, Place};

/// Replicas that one node receives at once: as many snapshots as it takes in (see
/// [`crate::snapshot`]). More would only wait there, and all of them take from what the clients of
/// the sending nodes get.
pub const ARRIVALS: usize = 2;

/// Voters of the meta group: five survive two losses, and more would only slow it down.
pub const META_VOTERS: usize = 5;

/// Who answers, as the meta group's leader sees it.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Now.
    pub reachable: BTreeSet<NodeId>,
    /// Not for so long that nobody waits for them any more.
    pub gone: BTreeSet<NodeId>,
}

/// One replica for another, or one that comes or goes.
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

/// The moves to call off: what is to receive them cannot, or shall not any more.
pub fn called_off(state: &MetaState, sight: &Sight) -> Vec<MetaCommand> {
    let mut off = Vec::new();
    for (shard, place) in &state.placement {
        let Some(moving) = place.moving.as_ref().filter(|moving| !moving.promoted) else { continue };
        if moving.add.is_some_and(|(node, _)| !state.is_active(node) || sight.gone.contains(&node)) {
            off.push(MetaCommand::CancelMove { shard: *shard, number: moving.number });
        }
    }
    off
}

/// The moves to begin now, besides those under way.
pub fn next(state: &MetaState, sight: &Sight) -> Vec<Planned> {
    let mut plan = Plan::new(state, sight);
    let still: Vec<(ShardId, &Place)> = state
        .placement
        .iter()
        .filter(|(_, place)| place.moving.is_none() && can_decide(place, sight))
        .map(|(shard, place)| (*shard, place))
        .collect();
    for (shard, place) in &still {
        if let Some((add, remove)) = plan.repair(place) {
            plan.take(*shard, place, add, remove);
        }
    }
    // What is broken comes first: evening out would take its room.
    if plan.moves.is_empty() {
        plan.even_out(&still);
    }
    plan.moves
}

/// Every move that is still to be made until nothing is left to do, those under way first, and what
/// it looks like then.
pub fn forecast(state: &MetaState, sight: &Sight) -> (Vec<Planned>, MetaState) {
    let mut then = state.clone();
    let mut moves = Vec::new();
    loop {
        for place in then.placement.values_mut().filter(|place| place.moving.is_some()) {
            place.replicas = place.target();
            place.moving = None;
            place.version += 1;
        }
        let next = next(&then, sight);
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

/// Replicas that a node is still to receive: those that are on their way, and those that will
/// follow. Counts what can be done with the nodes that answer, and what could be done if all nodes
/// that belong to the cluster did: a node that has just started reaches few others, and must not
/// take that for having everything.
pub fn incoming(state: &MetaState, reachable: &BTreeSet<NodeId>, node: NodeId) -> usize {
    let on_its_way =
        |place: &&Place| place.moving.as_ref().and_then(|moving| moving.add).is_some_and(|(to, _)| to == node);
    let on_their_way = state.placement.values().filter(on_its_way).count();
    let expected = state.nodes.keys().copied().filter(|node| state.counts_on(*node)).collect();
    let to_follow = [reachable.clone(), expected].into_iter().map(|reachable| {
        let sight = Sight { reachable, gone: BTreeSet::new() };
        forecast(state, &sight).0.iter().filter(|planned| planned.add == Some(node)).count()
    });
    on_their_way + to_follow.max().unwrap_or(0)
}

/// A shard whose replicas cannot agree now cannot change its members either, and a move of it would
/// take the place of one that can.
fn can_decide(place: &Place, sight: &Sight) -> bool {
    let there = place.replicas.iter().filter(|(node, _)| sight.reachable.contains(node)).count();
    2 * there > place.replicas.len()
}

struct Plan<'a> {
    state: &'a MetaState,
    sight: &'a Sight,
    copies: usize,
    /// Replicas of each active node when everything begun so far is done.
    load: BTreeMap<NodeId, usize>,
    arriving: BTreeMap<NodeId, usize>,
    moves: Vec<Planned>,
}

impl<'a> Plan<'a> {
    fn new(state: &'a MetaState, sight: &'a Sight) -> Plan<'a> {
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
        Plan { state, sight, copies: state.copies(load.len()), load, arriving, moves: Vec::new() }
    }

    fn take(&mut self, shard: ShardId, place: &Place, add: Option<NodeId>, remove: Option<NodeId>) {
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

    /// Whether a node may be given one more replica now.
    fn has_room(&self, node: NodeId) -> bool {
        self.sight.reachable.contains(&node) && self.arriving.get(&node).copied().unwrap_or(0) < ARRIVALS
    }

    /// Who should take a replica of a shard: the heir if there is one, else whoever has least.
    /// `Err` if they are only busy.
    fn taker(&self, place: &Place, heir: Option<NodeId>) -> Result<Option<NodeId>, Busy> {
        let free = |node: &NodeId| place.replica(*node).is_none() && self.sight.reachable.contains(node);
        if let Some(heir) = heir.filter(|heir| self.load.contains_key(heir)).filter(free) {
            return if self.has_room(heir) { Ok(Some(heir)) } else { Err(Busy) };
        }
        let able: Vec<NodeId> = self.load.keys().copied().filter(free).collect();
        let least = able.iter().copied().filter(|node| self.has_room(*node)).min_by_key(|node| self.load(*node));
        if least.is_none() && !able.is_empty() { Err(Busy) } else { Ok(least) }
    }

    /// What a shard needs: who comes and who goes.
    fn repair(&self, place: &Place) -> Option<(Option<NodeId>, Option<NodeId>)> {
        let nodes: Vec<NodeId> = place.replicas.iter().map(|(node, _)| *node).collect();
        // Who cannot be reached goes first: as long as it is counted, the others have no second
        // loss to spare.
        let unfit = nodes.iter().copied().filter(|node| !self.state.is_active(*node));
        let unfit = unfit.min_by_key(|node| (self.sight.reachable.contains(node), *node));
        if let Some(node) = unfit {
            if nodes.len() > self.copies {
                return Some((None, Some(node)));
            }
            let heir = match self.state.nodes.get(&node).map(|member| member.state) {
                Some(NodeState::Leaving { heir }) => heir,
                _ => None,
            };
            return match self.taker(place, heir) {
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

    /// From who has most to who has least, as long as that makes them more alike.
    fn even_out(&mut self, still: &[(ShardId, &Place)]) {
        let mut left: Vec<(ShardId, &Place)> = still.to_vec();
        let all: usize = self.load.values().sum();
        let fair = all.div_ceil(self.load.len().max(1));
        loop {
            // Whoever will have to give does not take because those who lack are busy.
            let lacks = |node: &NodeId| self.load(*node) < fair && self.has_room(*node);
            let takers = self.load.keys().copied().filter(lacks);
            let Some(to) = takers.min_by_key(|node| (self.load(*node), *node)) else { return };
            let mut givers: Vec<NodeId> = self.load.keys().copied().collect();
            givers.sort_by_key(|node| (std::cmp::Reverse(self.load(*node)), *node));
            givers.retain(|node| self.load(*node) >= self.load(to) + 2);
            let found = givers.into_iter().find_map(|from| {
                let fit =
                    |(_, place): &&(ShardId, &Place)| place.replica(from).is_some() && place.replica(to).is_none();
                left.iter().find(fit).map(|(shard, place)| (*shard, *place, from))
            });
            let Some((shard, place, from)) = found else { return };
            left.retain(|(other, _)| *other != shard);
            self.take(shard, place, Some(to), Some(from));
        }
    }
}

/// There are nodes that could, but not now.
struct Busy;

/// Who should vote in the meta group, given who does; `None` if that is well. Those who can stay,
/// stay; who comes in must have the log already.
pub fn meta_voters(
    state: &MetaState,
    voters: &BTreeSet<NodeId>,
    caught_up: &BTreeSet<NodeId>,
) -> Option<BTreeSet<NodeId>> {
    let active = state.active().count();
    // Four survive no more losses than three do.
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
    // Better one who is to go than one fewer: until somebody can step in, everybody who votes goes
    // on.
    let fewer = then.len() < voters.len().min(wanted);
    (!then.is_empty() && !fewer && then != *voters).then_some(then)
}

#[cfg(test)]
mod tests;
