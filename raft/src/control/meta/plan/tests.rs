use proptest::prelude::*;

use troupe_core::level::Range;

use super::*;
use crate::api::{Addresses, LoginPolicy};

fn addresses(n: u64) -> Addresses {
    Addresses { cluster: format!("c{n}"), client: String::new(), http: String::new() }
}

fn born(nodes: u64, shards: u32, replication: u32) -> MetaState {
    let mut state = MetaState::default();
    let found = MetaCommand::Found {
        cluster_id: [7; 16],
        shards,
        replication,
        login_policy: LoginPolicy::Replace,
        settings: crate::api::Settings::default(),
        in_force: crate::level::InForce::at(troupe_core::Level::NEWEST),
        nodes: (1..=nodes).map(|n| (NodeId(n), addresses(n))).collect(),
    };
    state.apply(found).unwrap();
    state
}

fn join(state: &mut MetaState, address: u64) -> NodeId {
    let request = u128::from(state.last_node + 1).to_be_bytes();
    state.apply(MetaCommand::AddNode { request, addresses: addresses(address), levels: Range::OURS }).unwrap()
}

fn all(state: &MetaState) -> ClusterView {
    ClusterView { reachable: state.nodes.keys().copied().collect(), lost: BTreeSet::new() }
}

fn without(state: &MetaState, lost: u64) -> ClusterView {
    let mut view = all(state);
    view.reachable.remove(&NodeId(lost));
    view.lost.insert(NodeId(lost));
    view
}

fn loads(state: &MetaState) -> Vec<usize> {
    state.active().map(|node| state.shards_on(node)).collect()
}

/// The invariants of every placement that a plan leads to.
fn check(state: &MetaState) {
    let copies = state.copies(state.active().count());
    for (shard, place) in &state.placement {
        let nodes: BTreeSet<NodeId> = place.replicas.iter().map(|(node, _)| *node).collect();
        assert_eq!(nodes.len(), place.replicas.len(), "two replicas of shard {shard} on one node");
        assert_eq!(nodes.len(), copies, "shard {shard}");
        assert!(nodes.iter().all(|node| state.is_active(*node)), "shard {shard} is on {nodes:?}");
    }
    let loads = loads(state);
    let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
    assert!(most - least <= 1, "{loads:?}");
}

fn leaving(replacement: Option<u64>) -> NodeState {
    NodeState::Leaving { replacement: replacement.map(NodeId) }
}

fn set(state: &mut MetaState, node: u64, to: NodeState) {
    state.apply(MetaCommand::SetNode { node: NodeId(node), state: to, replication: None }).unwrap();
}

#[test]
fn a_born_cluster_needs_nothing() {
    // With more nodes the initial ring may leave one with two more than another, which one move
    // then repairs.
    for nodes in 1..=4 {
        for shards in [1, 4, 12, 16] {
            let state = born(nodes, shards, 3);
            assert_eq!(next(&state, &all(&state)), [], "{shards} shards on {nodes} nodes");
        }
    }
}

#[test]
fn a_fourth_node_gets_its_share_by_as_few_moves_as_that_takes() {
    let mut state = born(3, 12, 3);
    join(&mut state, 4);
    let (moves, then) = forecast(&state, &all(&state));
    check(&then);
    assert_eq!(moves.len(), 9);
    assert!(moves.iter().all(|planned| planned.add == Some(NodeId(4)) && planned.remove.is_some()));
}

#[test]
fn no_node_receives_more_than_it_can_take() {
    let mut state = born(3, 12, 3);
    join(&mut state, 4);
    for planned in next(&state, &all(&state)) {
        state.apply(planned.command()).unwrap();
    }
    let arriving = state.placement.values().filter(|place| place.moving.is_some()).count();
    assert_eq!(arriving, ARRIVALS);
    assert_eq!(next(&state, &all(&state)), []);
}

#[test]
fn replication_grows_with_the_nodes() {
    let mut state = born(1, 4, 3);
    for nodes in 2..=4 {
        join(&mut state, nodes);
        let (_, then) = forecast(&state, &all(&state));
        check(&then);
        state = then;
    }
}

#[test]
fn a_wiped_node_is_replaced_by_its_replacement_and_nothing_else_moves() {
    let mut state = born(3, 12, 3);
    let replacement = join(&mut state, 2);
    let (moves, then) = forecast(&state, &without(&state, 2));
    check(&then);
    assert_eq!(moves.len(), 12);
    assert!(moves.iter().all(|planned| planned.add == Some(replacement) && planned.remove == Some(NodeId(2))));
}

#[test]
fn a_drained_node_is_emptied_and_the_others_stay_even() {
    let mut state = born(4, 12, 3);
    set(&mut state, 2, NodeState::Draining);
    let (moves, then) = forecast(&state, &all(&state));
    check(&then);
    assert_eq!(moves.len(), 9);
    assert_eq!(then.shards_on(NodeId(2)), 0);
}

#[test]
fn a_replacement_is_preferred_and_others_step_in_when_it_is_away() {
    let mut state = born(5, 10, 3);
    set(&mut state, 1, leaving(Some(5)));
    let (moves, _) = forecast(&state, &all(&state));
    let to_replacement =
        moves.iter().filter(|planned| planned.remove == Some(NodeId(1)) && planned.add == Some(NodeId(5)));
    let free = state.placement.values().filter(|place| place.replica(NodeId(1)).is_some());
    let free = free.filter(|place| place.replica(NodeId(5)).is_none()).count();
    assert_eq!(to_replacement.count(), free);
    let (_, then) = forecast(&state, &without(&state, 5));
    assert_eq!(then.shards_on(NodeId(1)), 0);
}

#[test]
fn nobody_is_given_what_nobody_could_bring() {
    let mut state = born(3, 3, 3);
    join(&mut state, 4);
    let mut view = all(&state);
    view.reachable = BTreeSet::from([NodeId(1), NodeId(4)]);
    assert_eq!(next(&state, &view), [], "no shard has a majority");
    let view = without(&state, 4);
    assert_eq!(next(&state, &view), [], "the newcomer is not there");
}

#[test]
fn a_move_to_a_node_that_is_gone_is_called_off_unless_it_is_too_late() {
    let mut state = born(3, 4, 3);
    join(&mut state, 4);
    for planned in next(&state, &all(&state)) {
        state.apply(planned.command()).unwrap();
    }
    assert_eq!(called_off(&state, &all(&state)), []);
    let (shard, number) = state
        .placement
        .iter()
        .find_map(|(shard, place)| place.moving.as_ref().map(|moving| (*shard, moving.number)))
        .unwrap();
    state.apply(MetaCommand::PromoteMove { shard, number }).unwrap();
    let off = called_off(&state, &without(&state, 4));
    assert_eq!(off.len(), ARRIVALS - 1);
    assert!(!off.contains(&MetaCommand::CancelMove { shard, number }));
    for command in off {
        state.apply(command).unwrap();
    }
}

fn set_of(nodes: &[u64]) -> BTreeSet<NodeId> {
    nodes.iter().copied().map(NodeId).collect()
}

#[test]
fn the_meta_group_votes_where_nodes_stay() {
    let mut state = born(3, 4, 3);
    let voters = set_of(&[1, 2, 3]);
    assert_eq!(meta_voters(&state, &voters, &set_of(&[])), None);
    join(&mut state, 4);
    assert_eq!(meta_voters(&state, &voters, &set_of(&[4])), None, "four survive no more than three");
    set(&mut state, 3, NodeState::Draining);
    assert_eq!(meta_voters(&state, &voters, &set_of(&[])), None, "no node can step in yet");
    assert_eq!(meta_voters(&state, &voters, &set_of(&[4])), Some(set_of(&[1, 2, 4])));
    join(&mut state, 5);
    join(&mut state, 6);
    assert_eq!(meta_voters(&state, &set_of(&[1, 2, 4]), &set_of(&[5, 6])), Some(set_of(&[1, 2, 4, 5, 6])));
    let one = born(1, 4, 3);
    assert_eq!(meta_voters(&one, &set_of(&[1]), &set_of(&[])), None);
}

#[derive(Clone, Debug)]
enum Event {
    Join,
    /// The index of the node.
    Drain(usize),
    Leave(usize),
    Wipe(usize),
    Undrain(usize),
    /// The number of executed steps of the plan.
    Work(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Join),
        (0..8usize).prop_map(Event::Drain),
        (0..8usize).prop_map(Event::Leave),
        (0..8usize).prop_map(Event::Wipe),
        (0..8usize).prop_map(Event::Undrain),
        (1..6usize).prop_map(Event::Work),
    ]
}

/// Begins the planned moves, and completes the oldest move in progress.
fn work(state: &mut MetaState, view: &ClusterView) {
    for command in called_off(state, view) {
        state.apply(command).unwrap();
    }
    for planned in next(state, view) {
        state.apply(planned.command()).unwrap();
    }
    let oldest =
        state.placement.iter().filter_map(|(shard, place)| Some((place.moving.as_ref()?.number, *shard))).min();
    if let Some((number, shard)) = oldest {
        state.apply(MetaCommand::PromoteMove { shard, number }).unwrap();
        state.apply(MetaCommand::FinishMove { shard, number }).unwrap();
    }
}

proptest! {
    /// Whichever nodes come and go, in any order: a shard never has two replicas on a node or fewer
    /// than it needed, and no replica id is used twice. When all is quiet, the load is even and the
    /// emptied nodes are empty.
    #[test]
    fn plans_come_to_rest_where_they_should(nodes in 1..6u64, shards in 1..14u32, events in prop::collection::vec(event(), 0..24)) {
        let mut state = born(nodes, shards, 3);
        let mut wiped = BTreeSet::new();
        for event in events {
            let nth = |at: usize| *state.nodes.keys().nth(at % state.nodes.len()).unwrap();
            let refusable = |node, to| MetaCommand::SetNode { node, state: to, replication: None };
            match event {
                Event::Join => {
                    let address = 1000 + state.last_node;
                    join(&mut state, address);
                }
                Event::Drain(at) => drop(state.apply(refusable(nth(at), NodeState::Draining))),
                Event::Leave(at) => drop(state.apply(refusable(nth(at), leaving(None)))),
                Event::Undrain(at) => drop(state.apply(refusable(nth(at), NodeState::Active))),
                Event::Wipe(at) => {
                    let node = nth(at);
                    // A second loss before the first is repaired exceeds the promise.
                    if wiped.iter().all(|lost| state.shards_on(*lost) == 0) && state.copies(state.active().count()) == 3 {
                        let address = state.nodes[&node].addresses.clone();
                        let request = u128::from(state.last_node + 1).to_be_bytes();
                        state.apply(MetaCommand::AddNode { request, addresses: address, levels: Range::OURS }).unwrap();
                        wiped.insert(node);
                    }
                }
                Event::Work(steps) => {
                    for _ in 0..steps {
                        let mut view = all(&state);
                        view.reachable.retain(|node| !wiped.contains(node));
                        work(&mut state, &view);
                    }
                }
            }
            // Two nodes with one address: only the newest of them is alive.
            let addresses: Vec<(NodeId, String)> =
                state.nodes.iter().map(|(id, member)| (*id, member.addresses.cluster.clone())).collect();
            for (id, address) in &addresses {
                if addresses.iter().any(|(other, theirs)| other > id && theirs == address) {
                    wiped.insert(*id);
                }
            }
        }
        let mut view = all(&state);
        view.reachable.retain(|node| !wiped.contains(node));
        for _ in 0..2_000 {
            let before = state.clone();
            work(&mut state, &view);
            if state == before {
                break;
            }
        }
        let lost = |place: &Placement| place.replicas.iter().filter(|(node, _)| wiped.contains(node)).count() * 2;
        if state.placement.values().all(|place| lost(place) < place.replicas.len()) {
            prop_assert!(state.placement.values().all(|place| place.moving.is_none()));
            check(&state);
        }
        let ids: Vec<u64> = state.placement.values().flat_map(Placement::everyone).map(|(_, replica)| replica.0).collect();
        let distinct: BTreeSet<u64> = ids.iter().copied().collect();
        prop_assert_eq!(ids.len(), distinct.len());
    }
}
