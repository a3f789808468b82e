//! The progress of an upgrade of the feature level.

use std::collections::BTreeMap;

use troupe_core::{Level, NodeId};

use crate::control::meta::{MetaCommand, MetaState};
use crate::level::{InForce, Support};

/// The progress of an upgrade, as one node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    pub in_force: InForce,
    /// The highest level that every member supports, as far as they are reachable.
    pub next: Option<Level>,
    /// Each member and its announced support; `None`: it is unreachable.
    pub members: BTreeMap<NodeId, Option<Support>>,
    /// The obstacles to the next level, one sentence each. Empty: `next` may be finalized, or no
    /// member supports more than the level in force.
    pub waits_for: Vec<String>,
}

impl Outlook {
    /// The level to which the cluster may be raised now.
    pub fn ready(&self) -> Option<Level> {
        self.next.filter(|_| self.waits_for.is_empty())
    }
}

/// `said`: the announcements of the reachable members.
pub fn outlook(state: &MetaState, said: &BTreeMap<NodeId, Support>) -> Outlook {
    let in_force = state.in_force.clone();
    let members: BTreeMap<NodeId, Option<Support>> =
        state.nodes.keys().map(|node| (*node, said.get(node).cloned())).collect();
    let heard = || members.values().flatten().map(|support| support.range.newest);
    let wanted = heard().max().filter(|newest| *newest > in_force.level);
    let common = heard().min().filter(|newest| *newest > in_force.level);
    let mut waits_for = Vec::new();
    if let Some(wanted) = wanted {
        for (node, support) in &members {
            match support {
                None => waits_for.push(format!("node {node} is unreachable: start it, or remove it from the cluster")),
                Some(Support { range, version }) if range.newest <= in_force.level => {
                    let version = if version.is_empty() { "an earlier version" } else { version };
                    waits_for
                        .push(format!("node {node} runs {version}, which does not support level {wanted}: upgrade it"));
                }
                Some(_) => {}
            }
        }
    }
    Outlook { in_force, next: common.or(wanted), members, waits_for }
}

/// The command that raises the level for the present members.
pub fn raise(state: &MetaState, to: Level) -> MetaCommand {
    MetaCommand::RaiseLevel { to: InForce::at(to), nodes: state.nodes.keys().copied().collect() }
}

#[cfg(test)]
mod tests {
    use troupe_core::level::Range;

    use super::*;
    use crate::api::Addresses;
    use crate::control::meta::Member;

    fn state(level: u32, nodes: u64) -> MetaState {
        let member = |n: u64| (NodeId(n), Member { addresses: Addresses::default(), ..Member::default() });
        let mut state = MetaState::default();
        state.in_force = InForce::at(Level(level));
        state.nodes = (1..=nodes).map(member).collect();
        state
    }

    fn say(newest: &[(u64, u32)]) -> BTreeMap<NodeId, Support> {
        let support =
            |newest| Support { range: Range { oldest: Level(1), newest: Level(newest) }, version: "x".into() };
        newest.iter().map(|(node, newest)| (NodeId(*node), support(*newest))).collect()
    }

    #[test]
    fn a_level_is_ready_when_every_member_supports_it() {
        let seen = outlook(&state(1, 3), &say(&[(1, 2), (2, 2), (3, 2)]));
        assert_eq!((seen.ready(), seen.waits_for.len()), (Some(Level(2)), 0));
        // Of several common levels, the highest.
        assert_eq!(outlook(&state(1, 3), &say(&[(1, 4), (2, 3), (3, 4)])).ready(), Some(Level(3)));
    }

    #[test]
    fn a_member_that_is_silent_or_too_old_blocks_it_and_is_named() {
        let silent = outlook(&state(1, 3), &say(&[(1, 2), (2, 2)]));
        assert_eq!((silent.ready(), silent.next), (None, Some(Level(2))));
        assert!(silent.waits_for[0].starts_with("node 3 is unreachable"), "{silent:?}");
        let old = outlook(&state(1, 3), &say(&[(1, 2), (2, 1), (3, 2)]));
        assert_eq!((old.ready(), old.next), (None, Some(Level(2))));
        assert!(old.waits_for[0].starts_with("node 2 runs x"), "{old:?}");
    }

    #[test]
    fn nothing_is_next_where_no_member_supports_more() {
        for said in [say(&[(1, 2), (2, 2), (3, 2)]), say(&[(1, 2)])] {
            let seen = outlook(&state(2, 3), &said);
            assert_eq!((seen.ready(), seen.next, seen.waits_for.len()), (None, None, 0));
        }
    }
}
