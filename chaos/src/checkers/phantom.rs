//! Honest errors: logs and deliveries contain only messages that were sent, and no message that was
//! definitely rejected.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Promise, Violation};
use crate::history::{History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let mut sent: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    let mut rejected: BTreeSet<&str> = BTreeSet::new();
    for record in &history.records {
        match record {
            Record::Invoke { conversation, id, user, .. } | Record::Schedule { conversation, id, user, .. } => {
                sent.insert(id, (conversation, *user));
            }
            Record::Reject { id, .. } => {
                rejected.insert(id);
            }
            _ => {}
        }
    }
    let mut violations = Vec::new();
    let mut judge = |place: String, conversation: &str, id: &str, sender: u64| match sent.get(id) {
        None => violations.push(phantom(format!("{conversation}: {place} holds {id}, which was never sent"))),
        Some((into, user)) if *into != conversation || *user != sender => violations
            .push(phantom(format!("{conversation}: {place} holds {id} of {sender}, which {user} sent into {into}"))),
        Some(_) if rejected.contains(id) => {
            violations.push(phantom(format!("{conversation}: {place} holds {id}, which was definitely rejected")))
        }
        Some(_) => {}
    };
    for (conversation, log) in history.reference() {
        for entry in log.entries.iter().filter(|entry| entry.message) {
            judge(format!("seq {}", entry.seq), conversation, &entry.id, entry.sender);
        }
    }
    for record in &history.records {
        if let Record::Deliver { device, conversation, id, sender, message: true, .. } = record {
            judge(format!("device {device}"), conversation, id, *sender);
        }
    }
    violations
}

fn phantom(text: String) -> Violation {
    Violation { promise: Promise::HonestErrors, kind: Kind::Phantom, text }
}
