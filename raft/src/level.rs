//! The feature level: the range that a node supports, and the level in force. Pure, except for the
//! cell that holds the level that this node has applied.
//!
//! A member must never meet an entry that it cannot apply. So the level rises only when every
//! member has announced that it supports the next one ([`upgrade`](crate::control::upgrade)). A
//! newcomer that does not support the level in force is not admitted. A node that returns with an
//! unsuitable version gets no calls ([`InForce::refusal`]).

use std::sync::Arc;

use parking_lot::Mutex;
use troupe_core::Level;
use troupe_core::level::Range;
use troupe_proto::wire::raft as wire;

/// The support that one node announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    pub range: Range,
    /// For people. Empty: the version does not announce it.
    pub version: String,
}

impl Support {
    /// The support of this version.
    pub fn ours() -> Support {
        Support { range: Range::OURS, version: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// The support of this process. A build with planted bugs may pretend an earlier version, for
    /// tests of mixed clusters.
    pub fn from_environment() -> Support {
        let ours = Support::ours();
        match pretended() {
            Some(Level::FIRST) => Support::unsaid(),
            Some(newest) => Support { range: Range { newest, ..ours.range }, version: "pretended".to_owned() },
            None => ours,
        }
    }

    /// The support of a version that announces no levels.
    pub fn unsaid() -> Support {
        Support { range: Range::UNSAID, version: String::new() }
    }
}

/// The environment variable that names the newest level that a node pretends to support.
#[cfg(feature = "planted-bugs")]
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

/// The shown characters of a version. Longer ones are cut.
const VERSION_CHARS: usize = 64;

/// Absent in messages of a version that knows no levels.
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

/// The level on which the meta group has agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    pub level: Level,
    /// The first version that supports the level, shown to nodes that do not. Empty at the first
    /// level.
    pub since: String,
}

impl InForce {
    pub fn at(level: Level) -> InForce {
        let since = if level <= Level::FIRST { String::new() } else { level.since().to_owned() };
        InForce { level, since }
    }

    /// The reason why a node that supports only `range` cannot take part, and the remedy.
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

/// The level that this node has applied. Shared, cheap to clone. It may lag behind the cluster. A
/// level that is too low refuses more than necessary, never too little.
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

#[cfg(test)]
mod tests {
    use super::*;

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
