//! One order: the final log has no gaps, and its times never go back. Every device receives a
//! contiguous run of it with the same message at each seq, and ends at the head.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{Entry, History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let mut violations = Vec::new();
    let reference = history.reference();
    let mut places: BTreeMap<(&str, u64), &Entry> = BTreeMap::new();
    for (conversation, log) in &reference {
        let mut time = 0;
        for (index, entry) in log.entries.iter().enumerate() {
            let expected = index as u64 + 1;
            if entry.seq != expected {
                violations.push(gap(format!("{conversation}: the log has seq {} where {expected} belongs", entry.seq)));
                break;
            }
            if entry.time_ms < time {
                violations.push(order(format!("{conversation}: time goes back at seq {}", entry.seq)));
            }
            time = entry.time_ms;
            places.insert((conversation, entry.seq), entry);
        }
        if log.entries.len() as u64 != log.head {
            violations.push(gap(format!("{conversation}: head {} but {} entries", log.head, log.entries.len())));
        }
    }

    let mut last: BTreeMap<(u32, &str), u64> = BTreeMap::new();
    for record in &history.records {
        let Record::Deliver { device, conversation, seq, sender, id, .. } = record else { continue };
        if let Some(before) = last.insert((*device, conversation), *seq) {
            if *seq < before {
                violations.push(order(format!("{conversation}: device {device} received {seq} after {before}")));
            } else if *seq > before + 1 {
                violations.push(gap(format!("{conversation}: device {device} received {seq} after {before}")));
            }
        }
        if let Some(entry) = places.get(&(conversation.as_str(), *seq))
            && (entry.id != *id || entry.sender != *sender)
        {
            violations.push(order(format!(
                "{conversation}: device {device} received {id} of {sender} at seq {seq}, the log has {} of {}",
                entry.id, entry.sender
            )));
        }
    }

    for (device, cursors) in &history.cursors {
        for (conversation, position) in cursors {
            let head = reference.get(conversation).map_or(0, |log| log.head);
            if *position < head {
                violations.push(gap(format!("{conversation}: device {device} ended at {position} of {head}")));
            }
        }
    }
    violations
}

fn gap(text: String) -> Violation {
    Violation { promise: Promise::OneOrder, kind: Kind::Gap, text }
}

fn order(text: String) -> Violation {
    Violation { promise: Promise::OneOrder, kind: Kind::Reordered, text }
}
