//! Durable: every acknowledged message is in the final log at the acknowledged seq.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let mut places: BTreeMap<(&str, u64), &str> = BTreeMap::new();
    for (conversation, log) in history.reference() {
        for entry in &log.entries {
            places.insert((conversation, entry.seq), &entry.id);
        }
    }
    let mut violations = Vec::new();
    for record in &history.records {
        let Record::Ack { conversation, id, seq, device, .. } = record else { continue };
        match places.get(&(conversation.as_str(), *seq)) {
            Some(held) if held == id => {}
            Some(held) => violations.push(lost(format!(
                "{conversation}: {id} was acknowledged to device {device} at seq {seq}, which holds {held}"
            ))),
            None => violations.push(lost(format!(
                "{conversation}: {id} was acknowledged to device {device} at seq {seq}, which is empty"
            ))),
        }
    }
    violations
}

fn lost(text: String) -> Violation {
    Violation { promise: Promise::Durable, kind: Kind::Lost, text }
}
