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
            if log != held {
                violations.push(diverged(format!(
                    "{conversation}: node {node} holds head {} chain {} ({} entries), another head {} chain {} ({} entries)",
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
