//! Exactly once: an id has at most one seq in its conversation, and no device receives an event
//! twice.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (conversation, log) in history.reference() {
        let mut seen: BTreeMap<(u64, &str), u64> = BTreeMap::new();
        for entry in &log.entries {
            if let Some(first) = seen.insert((entry.sender, &entry.id), entry.seq) {
                violations
                    .push(twice(format!("{conversation}: {} is at seq {first} and at seq {}", entry.id, entry.seq)));
            }
        }
    }
    let mut handed: BTreeMap<(u32, &str, u64), ()> = BTreeMap::new();
    for record in &history.records {
        let Record::Deliver { device, conversation, seq, .. } = record else { continue };
        if handed.insert((*device, conversation, *seq), ()).is_some() {
            violations.push(twice(format!("{conversation}: device {device} received seq {seq} twice")));
        }
    }
    violations
}

fn twice(text: String) -> Violation {
    Violation { promise: Promise::ExactlyOnce, kind: Kind::Duplicated, text }
}
