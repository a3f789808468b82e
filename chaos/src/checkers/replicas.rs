//! Replicas: after healing and draining, every replica holds the same entries, heads and hash
//! chains.

use super::{Kind, Promise, Violation};
use crate::history::History;

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let mut violations = Vec::new();
    for (node, logs) in &history.finals {
        for (conversation, log) in logs {
            let held = reference[conversation];
            // The counts that a replica keeps have a checker of their own.
            if (log.head, &log.chain, &log.entries) != (held.head, &held.chain, &held.entries) {
                let differs = log.entries.iter().zip(&held.entries).find(|(one, other)| one != other);
                violations.push(diverged(format!(
                    "{conversation}: node {node} holds head {} chain {} ({} entries), another head {} chain {} ({} \
                    entries); the first that differs: {differs:?}",
                    log.head,
                    log.chain,
                    log.entries.len(),
                    held.head,
                    held.chain,
                    held.entries.len()
                )));
            }
        }
    }
    violations
}

fn diverged(text: String) -> Violation {
    Violation { promise: Promise::Replicas, kind: Kind::Diverged, text }
}
