//! The feature level in this crate: what a node says that it supports, what is in force, and what
//! stands in the way of the next one. Pure but for the cell in which a node keeps the level that it
//! has applied.
//!
//! A member must never meet an entry that it cannot apply. So the level rises only when every
//! member has said that it supports it ([`outlook`]), a newcomer that does not is not admitted, and
//! a node that comes back with another version is not talked to ([`InForce::refusal`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use troupe_core::level::Range;
use troupe_core::{Level, NodeId};
use troupe_proto::wire::raft as wire;

use crate::meta::{MetaCommand, MetaState};

/// What one node says of its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    pub range: Range,
    /// For people; empty: a version that does not say it.
    pub version: String,
}

impl Support {
    /// Of this version.
    pub fn ours() -> Support {
        Support { range: Range::OURS, version: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// Of this process: a build that can carry planted bugs may be told to pretend an earlier
    /// version, for tests of mixed clusters.
    pub fn from_environment() -> Support {
        let ours = Support::ours();
        match pretended() {
            Some(Level::FIRST) => Support::unsaid(),
            Some(newest) => Support { range: Range { newest, ..ours.range }, version: "pretended".to_owned() },
            None => ours,
        }
    }

    /// Of a version that says nothing of levels.
    pub fn unsaid() -> Support {
        Support { range: Range::UNSAID, version: String::new() }
    }
}

/// Names the newest level that a node pretends to support.
pub const PRETENDED: &str = "TROUPE_PRETEND_LEVEL";

#[cfg(feature = "planted-bugs")]
fn pretended() -> Option<Level> {
    let level = std::env::var(PRETENDED).ok()?;
    Some(Level(level.parse().unwrap_or_else(|_| panic!("{PRETENDED}={level}: not a level"))))
}

#[cfg(not(feature = "planted-bugs"))]
fn pretended() -> Option<Level> {
    None
}

/// Characters of a version that are shown. Above it the end is left out.
const VERSION_CHARS: usize = 64;

/// Absent: a version that knows no levels.
pub fn range_in(levels: Option<wire::Levels>) -> Range {
    levels.map_or(Range::UNSAID, |levels| Range {
        oldest: Level::kept(levels.oldest),
        newest: Level::kept(levels.newest),
    })
}

pub fn range_out(range: Range) -> Option<wire::Levels> {
    Some(wire::Levels { oldest: range.oldest.0, newest: range.newest.0 })
}

pub fn support_in(levels: Option<wire::Levels>, version: &str) -> Support {
    let version = version.chars().filter(|c| !c.is_control()).take(VERSION_CHARS).collect();
    Support { range: range_in(levels), version }
}

/// The level that the meta group has agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    pub level: Level,
    /// The first version that supports it, for nodes that do not; empty at the first level.
    pub since: String,
}

impl InForce {
    pub fn at(level: Level) -> InForce {
        let since = if level <= Level::FIRST { String::new() } else { level.since().to_owned() };
        InForce { level, since }
    }

    /// Why a node that supports only `range` has no part in the cluster, and what to do.
    pub fn refusal(&self, range: Range) -> Option<String> {
        let InForce { level, since } = self;
        if range.contains(*level) {
            None
        } else if *level < range.oldest {
            let oldest = range.oldest;
            Some(format!(
                "the cluster is at feature level {level} and this version supports {range}: start the version before it, and \
                 finalize the upgrade to level {oldest} first (troupe cluster upgrade status)"
            ))
        } else {
            let since = if since.is_empty() { "a later version" } else { since };
            Some(format!(
                "the cluster is at feature level {level} and this version supports {range}: start it with version {since} or \
                 later"
            ))
        }
    }
}

/// What this node has applied of it. Shared, cheap to clone. It may be behind the cluster, and is
/// then too low, which refuses more than is necessary and never too little.
#[derive(Clone, Debug, Default)]
pub struct LevelHere(Arc<Mutex<InForce>>);

impl LevelHere {
    pub fn get(&self) -> InForce {
        self.0.lock().clone()
    }

    pub fn level(&self) -> Level {
        self.0.lock().level
    }

    pub(crate) fn set(&self, now: &InForce) {
        let mut held = self.0.lock();
        if *held != *now {
            held.clone_from(now);
        }
    }
}

/// Where an upgrade stands, as one node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    pub in_force: InForce,
    /// The highest level that every member supports, as far as they were heard from.
    pub next: Option<Level>,
    /// Each member, and what it says; `None`: it cannot be reached.
    pub members: BTreeMap<NodeId, Option<Support>>,
    /// What the next level waits for, a sentence each. Empty: `next` may be finalized, or no member
    /// supports more than what is in force.
    pub waits_for: Vec<String>,
}

impl Outlook {
    /// The level to which the cluster may be raised now.
    pub fn ready(&self) -> Option<Level> {
        self.next.filter(|_| self.waits_for.is_empty())
    }
}

/// `said`: what the members that can be reached say of themselves.
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
                None => {
                    waits_for.push(format!("node {node} cannot be reached: start it, or take it out of the cluster"))
                }
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

/// The order to raise the level, for the members that there are.
pub fn raise(state: &MetaState, to: Level) -> MetaCommand {
    MetaCommand::RaiseLevel { to: InForce::at(to), nodes: state.nodes.keys().copied().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{Addresses, Member};

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
        // Of several, the highest that is common.
        assert_eq!(outlook(&state(1, 3), &say(&[(1, 4), (2, 3), (3, 4)])).ready(), Some(Level(3)));
    }

    #[test]
    fn a_member_that_is_silent_or_too_old_blocks_it_and_is_named() {
        let silent = outlook(&state(1, 3), &say(&[(1, 2), (2, 2)]));
        assert_eq!((silent.ready(), silent.next), (None, Some(Level(2))));
        assert!(silent.waits_for[0].starts_with("node 3 cannot be reached"), "{silent:?}");
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

    #[test]
    fn who_does_not_support_what_is_in_force_is_told_the_version() {
        let second = InForce::at(Level(2));
        assert_eq!(second.refusal(Range::OURS), None);
        let text = second.refusal(Range::UNSAID).unwrap();
        assert!(text.contains("level 2") && text.contains("version 0.2 or later"), "{text}");
        let later = InForce { level: Level(9), since: "3.1".into() };
        assert!(later.refusal(Range::OURS).unwrap().contains("version 3.1 or later"));
        let dropped = Range { oldest: Level(3), newest: Level(4) };
        assert!(second.refusal(dropped).unwrap().contains("finalize the upgrade to level 3"));
    }
}
