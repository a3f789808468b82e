//! Signals: a device gets each at most once, and both ends are members at the seq at which it
//! passed.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{ConversationId, UserId};

use super::{Kind, Promise, Violation};
use crate::history::{Entry, FinalLog, History, Record, Rule};

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let (mut violations, mut seen) = (Vec::new(), BTreeSet::new());
    let mut members: BTreeMap<(&str, u64), BTreeSet<u64>> = BTreeMap::new();
    for record in &history.records {
        let Record::Signalled { device, user, conversation, from, id, seq, .. } = record else { continue };
        let mut wrong = |kind, text: String| {
            let text = format!("{conversation}: device {device} of {user} got {id} of {from} at {seq}: {text}");
            violations.push(Violation { promise: Promise::Signals, kind, text });
        };
        if !seen.insert((*device, id)) {
            wrong(Kind::Duplicated, "a second time".to_owned());
        }
        match conversation.parse() {
            Ok(direct @ ConversationId::Direct { .. }) => {
                if [user, from].iter().any(|end| direct.peer_of(UserId(**end)).is_none()) || user == from {
                    wrong(Kind::Phantom, "they are not its two ends".to_owned());
                }
            }
            Ok(ConversationId::Group(_)) => {
                let Some(log) = reference.get(conversation) else { continue };
                // Histories of real processes do not tell the members.
                if log.entries.iter().all(|entry| entry.rule.is_none()) {
                    continue;
                }
                let at = members.entry((conversation, *seq)).or_insert_with(|| members_at(log, *seq));
                if ![user, from].iter().all(|end| at.contains(end)) {
                    wrong(Kind::Phantom, format!("the members were {at:?}"));
                }
            }
            Ok(ConversationId::Everyone) | Err(_) => wrong(Kind::Phantom, "it carries no signals".to_owned()),
        }
    }
    violations
}

fn members_at(log: &FinalLog, seq: u64) -> BTreeSet<u64> {
    let mut members = BTreeSet::new();
    let until = |entry: &&Entry| entry.seq <= seq;
    for entry in log.entries.iter().take_while(until) {
        match &entry.rule {
            Some(Rule::Created) => drop(members.insert(entry.sender)),
            Some(Rule::Added { users }) => members.extend(users),
            Some(Rule::Removed { user }) => drop(members.remove(user)),
            Some(Rule::Disbanded) => members.clear(),
            _ => {}
        }
    }
    members
}
