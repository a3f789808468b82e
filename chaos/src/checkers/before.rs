//! Hooks that are asked before a message: no replica has a message of their groups that the
//! receiver has not allowed. Each of these hooks refuses what its receiver does not answer about.

use std::collections::BTreeSet;

use super::{Kind, Promise, Violation};
use crate::history::{History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let mut guarded = BTreeSet::new();
    let mut allowed = BTreeSet::new();
    for record in &history.records {
        match record {
            Record::HookGuards { conversation, .. } => drop(guarded.insert(conversation)),
            Record::HookAsked { conversation, id, allowed: true, .. } => drop(allowed.insert((conversation, id))),
            _ => {}
        }
    }
    let mut violations = Vec::new();
    for (node, logs) in &history.finals {
        for (conversation, log) in logs.iter().filter(|(conversation, _)| guarded.contains(conversation)) {
            let unasked = |id| !allowed.contains(&(conversation, id));
            for entry in log.entries.iter().filter(|entry| entry.message && unasked(&entry.id)) {
                let text =
                    format!("{conversation}: node {node} has {} at {}, which no hook has allowed", entry.id, entry.seq);
                violations.push(Violation { promise: Promise::Hooks, kind: Kind::Phantom, text });
            }
        }
    }
    violations
}
