use troupe_proto::wire::raft as wire;

use troupe_core::level::Range;

use super::*;

fn addresses(n: u64) -> Addresses {
    Addresses { cluster: format!("c{n}"), client: format!("u{n}"), http: format!("h{n}") }
}

fn add(request: u8) -> MetaCommand {
    MetaCommand::AddNode { request: [request; 16], addresses: addresses(100 + u64::from(request)), levels: Range::OURS }
}

fn found(nodes: u64) -> MetaCommand {
    MetaCommand::Found {
        cluster_id: [7; 16],
        shards: 16,
        replication: 3,
        login_policy: LoginPolicy::Refuse,
        settings: crate::api::Settings::default(),
        in_force: crate::level::InForce::at(troupe_core::Level::NEWEST),
        nodes: (1..=nodes).map(|n| (NodeId(n), addresses(n))).collect(),
    }
}

fn born(nodes: u64) -> MetaState {
    let mut state = MetaState::default();
    state.apply(found(nodes)).unwrap();
    state
}

fn begin(state: &mut MetaState, shard: u32, add: Option<u64>, remove: Option<u64>) -> Result<u64, String> {
    let version = state.placement[&ShardId(shard)].version;
    let (add, remove) = (add.map(NodeId), remove.map(NodeId));
    state.apply(MetaCommand::BeginMove { shard: ShardId(shard), version, add, remove })?;
    Ok(state.last_move)
}

fn set(node: u64, state: NodeState, replication: Option<u32>) -> MetaCommand {
    MetaCommand::SetNode { node: NodeId(node), state, replication }
}

#[test]
fn a_birth_spreads_the_shards_evenly_and_happens_once() {
    let mut state = MetaState::default();
    assert!(state.apply(add(1)).is_err());
    state.apply(found(4)).unwrap();
    for first in 1..=4 {
        let led = state.placement.values().filter(|place| place.replicas[0].0 == NodeId(first)).count();
        assert_eq!(led, 4, "node {first}");
    }
    let mut replicas: Vec<ReplicaId> =
        state.placement.values().flat_map(Placement::everyone).map(|(_, replica)| replica).collect();
    replicas.sort();
    replicas.dedup();
    assert_eq!(replicas.len(), 16 * 3);
    let born = state.clone();
    state.apply(found(2)).unwrap();
    assert_eq!(state, born);
}

#[test]
fn fewer_nodes_than_copies_hold_one_each() {
    assert!(born(1).placement.values().all(|place| place.replicas.len() == 1));
}

#[test]
fn node_ids_are_never_reused() {
    let mut state = born(3);
    assert_eq!(state.apply(add(1)), Ok(NodeId(4)));
    assert_eq!(state.apply(add(2)), Ok(NodeId(5)));
    assert_eq!(state.apply(add(1)), Ok(NodeId(4)));
    assert_eq!(state.apply(MetaCommand::UpdateNode(NodeId(4), addresses(8))), Ok(NodeId(4)));
    assert!(state.apply(MetaCommand::UpdateNode(NodeId(99), addresses(8))).is_err());
    let wire = wire::MetaState::from(&state);
    assert_eq!(MetaState::try_from(wire).unwrap(), state);
}

#[test]
fn a_move_goes_its_way_once_and_its_replica_is_new() {
    let mut state = born(3);
    state.apply(add(1)).unwrap();
    let place = state.placement[&ShardId(0)].clone();
    let number = begin(&mut state, 0, Some(4), Some(1)).unwrap();
    assert!(begin(&mut state, 0, Some(4), Some(2)).is_err(), "one at a time");
    let fresh = state.replica(ShardId(0), NodeId(4)).unwrap();
    assert!(place.replicas.iter().all(|(_, replica)| *replica < fresh));
    assert_eq!(state.placement[&ShardId(0)].replicas, place.replicas, "nothing has moved yet");

    let finish = MetaCommand::FinishMove { shard: ShardId(0), number };
    let promote = MetaCommand::PromoteMove { shard: ShardId(0), number };
    assert!(state.apply(finish.clone()).is_err(), "it was not promoted");
    state.apply(promote.clone()).unwrap();
    state.apply(promote.clone()).unwrap();
    assert!(state.apply(MetaCommand::CancelMove { shard: ShardId(0), number }).is_err(), "too late");
    let wire = wire::MetaState::from(&state);
    assert_eq!(MetaState::try_from(wire).unwrap(), state);
    state.apply(finish.clone()).unwrap();
    assert!(state.apply(finish).is_err());
    assert!(state.apply(promote).is_err());

    let moved = &state.placement[&ShardId(0)];
    assert_eq!((moved.version, &moved.moving), (1, &None));
    assert!(moved.replica(NodeId(1)).is_none() && moved.replica(NodeId(4)) == Some(fresh));
    // Returning to the same node is another replica.
    begin(&mut state, 0, Some(1), Some(4)).unwrap();
    assert!(state.replica(ShardId(0), NodeId(1)).unwrap() > fresh);
}

#[test]
fn a_move_that_was_called_off_leaves_the_placement_and_spends_its_replica_id() {
    let mut state = born(3);
    state.apply(add(1)).unwrap();
    let before = state.placement.clone();
    let number = begin(&mut state, 3, Some(4), None).unwrap();
    let spent = state.replica(ShardId(3), NodeId(4)).unwrap();
    state.apply(MetaCommand::CancelMove { shard: ShardId(3), number }).unwrap();
    assert_eq!(state.placement, before);
    assert!(state.has_handed_out(spent));
    begin(&mut state, 3, Some(4), None).unwrap();
    assert!(state.replica(ShardId(3), NodeId(4)).unwrap() > spent);
}

#[test]
fn moves_that_make_no_sense_are_refused() {
    let mut state = born(3);
    state.apply(add(1)).unwrap();
    for (to, from) in [(Some(1), None), (None, None), (Some(9), None), (None, Some(4)), (Some(4), Some(4))] {
        assert!(begin(&mut state, 0, to, from).is_err(), "{to:?} {from:?}");
    }
    state.apply(set(4, NodeState::Draining, None)).unwrap();
    assert!(begin(&mut state, 0, Some(4), None).is_err(), "a draining node takes nothing");
    let mut one = born(1);
    assert!(begin(&mut one, 0, None, Some(1)).is_err(), "the last replica stays");
    let stale = MetaCommand::BeginMove { shard: ShardId(0), version: 7, add: None, remove: Some(NodeId(1)) };
    assert!(state.apply(stale).is_err());
}

#[test]
fn a_node_is_not_emptied_when_replication_would_suffer() {
    let mut state = born(3);
    let refusal = state.apply(set(3, NodeState::Draining, None)).unwrap_err();
    assert!(refusal.contains("add a node first") && refusal.contains("--replication 2"), "{refusal}");
    state.apply(add(1)).unwrap();
    state.apply(set(3, NodeState::Draining, None)).unwrap();
    state.apply(set(3, NodeState::Draining, None)).unwrap();
    assert!(state.apply(set(2, NodeState::Leaving { replacement: None }, None)).is_err(), "one is gone already");
    state.apply(set(2, NodeState::Leaving { replacement: None }, Some(2))).unwrap();
    assert_eq!(state.replication, 2);
    state.apply(set(3, NodeState::Active, None)).unwrap();
    assert!(state.apply(set(3, NodeState::Active, Some(5))).is_err(), "five copies on two nodes");
    let refusal = born(1).apply(set(1, NodeState::Draining, Some(1))).unwrap_err();
    assert!(refusal.contains("the only active one"), "{refusal}");
}

/// 3 -> 1 -> 3 nodes by the orders in docs/operations.md.
#[test]
fn copies_that_were_given_up_for_want_of_nodes_come_back_with_them() {
    let mut state = born(3);
    state.apply(set(3, NodeState::Leaving { replacement: None }, Some(2))).unwrap();
    state.apply(set(2, NodeState::Leaving { replacement: None }, Some(1))).unwrap();
    assert_eq!((state.replication, state.target, state.copies(state.active().count())), (1, 3, 1));
    let wire = wire::MetaState::from(&state);
    assert_eq!(MetaState::try_from(wire).unwrap(), state);
    state.apply(add(1)).unwrap();
    assert_eq!(state.copies(state.active().count()), 2);
    state.apply(add(2)).unwrap();
    assert_eq!(state.copies(state.active().count()), 3);
    // With enough nodes it is the operator's intent.
    state.apply(set(1, NodeState::Active, Some(2))).unwrap();
    assert_eq!((state.replication, state.target), (2, 2));
    state.apply(set(1, NodeState::Active, Some(3))).unwrap();
    assert_eq!((state.replication, state.target), (3, 3));
}

#[test]
fn who_is_named_must_exist() {
    let mut state = born(4);
    let refusal = state.apply(set(9, NodeState::Draining, None)).unwrap_err();
    assert!(refusal.contains("its nodes are 1, 2, 3, 4"), "{refusal}");
    let replacement = |replacement| set(1, NodeState::Leaving { replacement: Some(NodeId(replacement)) }, None);
    assert!(state.apply(replacement(9)).is_err());
    assert!(state.apply(replacement(1)).is_err());
    state.apply(replacement(2)).unwrap();
}

#[test]
fn a_wiped_node_is_followed_by_the_one_at_its_address() {
    let mut state = born(3);
    let again = MetaCommand::AddNode { request: [9; 16], addresses: addresses(2), levels: Range::OURS };
    assert_eq!(state.apply(again.clone()), Ok(NodeId(4)));
    assert_eq!(state.nodes[&NodeId(2)].state, NodeState::Leaving { replacement: Some(NodeId(4)) });
    assert_eq!(state.apply(again), Ok(NodeId(4)));
    assert!(state.is_active(NodeId(4)));
    for state_of_it in [NodeState::Active, NodeState::Draining, NodeState::Lost] {
        assert!(state.apply(set(2, state_of_it, None)).is_err(), "its address is taken");
    }
}

#[test]
fn a_node_whose_address_was_given_away_while_it_lives_is_reinstated() {
    let mut state = born(3);
    state.apply(MetaCommand::AddNode { request: [9; 16], addresses: addresses(1), levels: Range::OURS }).unwrap();
    assert_eq!(state.nodes[&NodeId(1)].state, NodeState::Leaving { replacement: Some(NodeId(4)) });
    assert!(
        state.apply(set(4, NodeState::Leaving { replacement: None }, None)).is_err(),
        "the wrong one cannot go first"
    );
    for command in state.reinstate(NodeId(1)) {
        state.apply(command).unwrap();
    }
    state.apply(set(1, NodeState::Active, None)).unwrap();
    assert_eq!(state.nodes[&NodeId(4)].addresses, Addresses { cluster: String::new(), ..addresses(1) });
    // Nodes without an address replace no node.
    state.apply(MetaCommand::UpdateNode(NodeId(3), Addresses::default())).unwrap();
    assert_eq!(state.replacements(NodeId(3)).count(), 0);
    state.apply(set(4, NodeState::Leaving { replacement: None }, None)).unwrap();
    assert!(state.is_active(NodeId(1)));
}

#[test]
fn a_node_goes_when_nothing_is_left_on_it_and_never_comes_back() {
    let mut state = born(3);
    state.apply(add(1)).unwrap();
    assert!(state.apply(MetaCommand::RemoveNode(NodeId(4))).is_err(), "it is active");
    state.apply(set(1, NodeState::Leaving { replacement: None }, None)).unwrap();
    assert!(state.apply(MetaCommand::RemoveNode(NodeId(1))).unwrap_err().contains("still has"));
    state.apply(set(4, NodeState::Leaving { replacement: None }, None)).unwrap_err();
    state.apply(set(1, NodeState::Active, None)).unwrap();
    state.apply(set(4, NodeState::Leaving { replacement: None }, None)).unwrap();
    state.apply(MetaCommand::RemoveNode(NodeId(4))).unwrap();
    state.apply(MetaCommand::RemoveNode(NodeId(4))).unwrap();
    assert!(state.apply(add(1)).unwrap_err().contains("was removed"));
    assert!(state.apply(set(4, NodeState::Active, None)).unwrap_err().contains("was removed"));
    let wire = wire::MetaState::from(&state);
    assert_eq!(MetaState::try_from(wire).unwrap(), state);
}

#[test]
fn a_cluster_remembers_whose_content_it_goes_on_with() {
    let mut state = born(1);
    assert_eq!((state.history, state.continues.len()), (0, 0));
    for step in 0..20u8 {
        let adopt = MetaCommand::Adopt { history: u64::from(step) + 1, origin: [step; 16] };
        state.apply(adopt.clone()).unwrap();
        state.apply(adopt).unwrap();
    }
    assert_eq!((state.history, state.continues.len(), state.continues[15]), (20, CONTINUES, [19; 16]));
    let wire = wire::MetaState::from(&state);
    assert_eq!(MetaState::try_from(wire).unwrap(), state);
}

#[test]
fn commands_survive_the_wire() {
    let (shard, number) = (ShardId(5), 6);
    let (one, two) = (NodeId(1), NodeId(2));
    for command in [
        found(3),
        add(1),
        MetaCommand::UpdateNode(NodeId(3), addresses(2)),
        MetaCommand::BeginMove { shard, version: 4, add: Some(one), remove: None },
        MetaCommand::BeginMove { shard, version: 4, add: None, remove: Some(two) },
        MetaCommand::PromoteMove { shard, number },
        MetaCommand::FinishMove { shard, number },
        MetaCommand::CancelMove { shard, number },
        set(1, NodeState::Draining, Some(2)),
        set(1, NodeState::Leaving { replacement: Some(two) }, None),
        set(1, NodeState::Lost, None),
        MetaCommand::RemoveNode(one),
        MetaCommand::Adopt { history: 9, origin: [4; 16] },
    ] {
        assert_eq!(MetaCommand::try_from(wire::MetaCommand::from(&command)).unwrap(), command);
    }
}

/// A state of the version before moves: bytes that must stay readable.
#[test]
fn a_state_of_the_first_format_reads_as_one_at_rest() {
    use prost::Message;
    // cluster id, 1 shard, replication 3, node 1 at "a", shard 0 on node 1 as replica 1, last node
    // 1, last replica 1.
    let bytes = b"\x0a\x10\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x10\x01\x18\x03\x2a\x05\x08\x01\x12\x01a\x32\x06\x12\x04\x08\x01\x10\x01\x38\x01\x40\x01";
    let state = MetaState::try_from(wire::MetaState::decode(&bytes[..]).unwrap()).unwrap();
    assert!(state.is_active(NodeId(1)));
    let place = Placement { replicas: vec![(NodeId(1), ReplicaId(1))], version: 0, moving: None };
    assert_eq!(state.placement[&ShardId(0)], place);
    assert_eq!((state.replication, state.target), (3, 3), "what was agreed is what is wanted");
}
