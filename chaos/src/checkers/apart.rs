//! Groups without contact: no plain member receives the names of the others, none reaches another
//! one that it has not met elsewhere, and no replica has a trace of it. The keeper of the group is
//! none of them, and is refused nothing.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{ApartStep, History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let mut groups: BTreeMap<&str, &[u64]> = BTreeMap::new();
    let mut violations = Vec::new();
    let mut wrong = |kind, text: String| violations.push(Violation { promise: Promise::Apart, kind, text });
    for record in &history.records {
        let Record::Apart { conversation, step, .. } = record else { continue };
        let users = groups.entry(conversation).or_default();
        match step {
            ApartStep::Begun { users: begun } => *users = begun,
            ApartStep::Shown { user } if users.contains(user) => {
                wrong(Kind::Phantom, format!("{conversation}: user {user} has received the names of members"));
            }
            ApartStep::Reached { user, other } if users.contains(user) && users.contains(other) => {
                wrong(Kind::Phantom, format!("{conversation}: user {user} has reached user {other}"));
            }
            ApartStep::Refused { user, other } if !users.contains(user) || !users.contains(other) => {
                wrong(Kind::Lost, format!("{conversation}: user {user} was refused user {other}, and one keeps it"));
            }
            ApartStep::Shown { .. } | ApartStep::Reached { .. } | ApartStep::Refused { .. } => {}
        }
    }
    for (group, users) in groups {
        let met = |one: u64, other: u64| one != other && users.contains(&one) && users.contains(&other);
        for (node, logs) in &history.finals {
            let direct = logs.iter().filter(|(_, log)| !log.entries.is_empty());
            for (conversation, _) in
                direct.filter(|(conversation, _)| ends(conversation).is_some_and(|(one, other)| met(one, other)))
            {
                wrong(Kind::Phantom, format!("{group}: node {node} has messages of its members in {conversation}"));
            }
        }
        for (node, contacts) in &history.contacts {
            let asked = contacts.iter().filter(|contact| contact.wants || contact.wanted);
            for contact in asked.filter(|contact| met(contact.user, contact.other)) {
                let (user, other) = (contact.user, contact.other);
                wrong(Kind::Phantom, format!("{group}: node {node} has a contact of user {user} with user {other}"));
            }
        }
    }
    violations
}

/// The users of a direct conversation.
pub(super) fn ends(conversation: &str) -> Option<(u64, u64)> {
    let (low, high) = conversation.strip_prefix('d')?.split_once('-')?;
    Some((low.parse().ok()?, high.parse().ok()?))
}
