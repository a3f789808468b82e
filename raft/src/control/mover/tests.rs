use super::*;
use crate::control::meta::state::Move;

fn set(replicas: &[u64]) -> BTreeSet<u64> {
    replicas.iter().copied().collect()
}

/// Replicas 1, 2, 3 on nodes of the same number; `add` is added on the node of its number.
fn place(add: Option<u64>, remove: Option<u64>) -> Placement {
    let replica = |number: u64| (NodeId(number), ReplicaId(number));
    let moving = Move { number: 9, add: add.map(replica), remove: remove.map(replica), promoted: false };
    let moving = (add.is_some() || remove.is_some()).then_some(moving);
    Placement { replicas: (1..=3).map(replica).collect(), version: 0, moving }
}

fn step(place: &Placement, seen: &Seen) -> Step {
    super::step(place, seen, true)
}

/// Led by replica 1; every member has caught up.
fn seen(voters: &[&[u64]], learners: &[u64]) -> Seen {
    let voters: Vec<BTreeSet<u64>> = voters.iter().map(|voters| set(voters)).collect();
    let members: BTreeSet<u64> = voters.iter().flatten().chain(learners).copied().collect();
    Seen { me: 1, voters, close: members.clone(), members, agreed: true, membership: None }
}

#[test]
fn a_replica_comes_as_a_learner_and_votes_when_it_has_the_log() {
    let place = place(Some(4), Some(3));
    assert_eq!(step(&place, &seen(&[&[1, 2, 3]], &[])), Step::AddLearner(ReplicaId(4), NodeId(4)));
    let mut behind = seen(&[&[1, 2, 3]], &[4]);
    behind.close.remove(&4);
    assert_eq!(step(&place, &behind), Step::Rest);
    assert_eq!(step(&place, &seen(&[&[1, 2, 3]], &[4])), Step::Change(set(&[1, 2, 4])));
    assert_eq!(step(&place, &seen(&[&[1, 2, 3], &[1, 2, 4]], &[])), Step::Change(set(&[1, 2, 4])));
    assert_eq!(step(&place, &seen(&[&[1, 2, 4]], &[])), Step::Finish);
}

#[test]
fn a_promoted_move_goes_on_without_a_newcomer_that_is_given_up() {
    let mut place = place(Some(4), Some(3));
    let mut behind = seen(&[&[1, 2, 3]], &[4]);
    behind.close.remove(&4);
    assert_eq!(super::step(&place, &behind, false), Step::Rest, "it can be called off");
    if let Some(moving) = &mut place.moving {
        moving.promoted = true;
    }
    assert_eq!(super::step(&place, &behind, true), Step::Rest, "it may come back");
    assert_eq!(super::step(&place, &behind, false), Step::Change(set(&[1, 2, 4])));
}

#[test]
fn nothing_is_done_while_the_members_are_not_agreed() {
    let unsure = Seen { agreed: false, ..seen(&[&[1, 2, 4]], &[]) };
    assert_eq!(step(&place(Some(4), Some(3)), &unsure), Step::Rest);
}

#[test]
fn a_leader_that_goes_hands_over_first() {
    let place = place(Some(4), Some(1));
    assert_eq!(step(&place, &seen(&[&[1, 2, 3]], &[4])), Step::HandOver(2));
    let mut slow = seen(&[&[1, 2, 3]], &[4]);
    slow.close.remove(&2);
    assert_eq!(step(&place, &slow), Step::HandOver(3));
    let next = Seen { me: 3, ..seen(&[&[1, 2, 3]], &[4]) };
    assert_eq!(step(&place, &next), Step::Change(set(&[2, 3, 4])));
}

#[test]
fn the_only_replica_is_replaced_under_its_own_lead_and_its_successor_tells() {
    let mut place = place(Some(4), Some(1));
    place.replicas.truncate(1);
    assert_eq!(step(&place, &seen(&[&[1]], &[4])), Step::Change(set(&[4])));
    assert_eq!(step(&place, &seen(&[&[4]], &[])), Step::Rest);
    let successor = Seen { me: 4, ..seen(&[&[4]], &[]) };
    assert_eq!(step(&place, &successor), Step::Finish);
}

#[test]
fn a_replica_may_come_or_go_alone() {
    assert_eq!(step(&place(Some(4), None), &seen(&[&[1, 2, 3]], &[4])), Step::Change(set(&[1, 2, 3, 4])));
    assert_eq!(step(&place(None, Some(3)), &seen(&[&[1, 2, 3]], &[])), Step::Change(set(&[1, 2])));
    assert_eq!(step(&place(None, Some(3)), &seen(&[&[1, 2]], &[])), Step::Finish);
}

#[test]
fn what_a_move_left_that_was_called_off_is_dropped() {
    let still = place(None, None);
    assert_eq!(step(&still, &seen(&[&[1, 2, 3]], &[4])), Step::DropLearners(set(&[4])));
    assert_eq!(step(&still, &seen(&[&[1, 2, 3]], &[])), Step::Rest);
    // An old view of the placement: unknown voters are not touched.
    assert_eq!(step(&still, &seen(&[&[1, 2, 5]], &[])), Step::Rest);
    assert_eq!(step(&place(None, Some(3)), &seen(&[&[1, 2]], &[3])), Step::DropLearners(set(&[3])));
}
