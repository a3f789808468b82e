//! Pins: the pinned messages of a conversation are those of its log, in the same order, on every
//! replica. A message is pinned once, and a recall takes its pin away.

use super::{Kind, Promise, Violation};
use crate::history::{Change, FinalLog, History};

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let mut violations = Vec::new();
    let mut wrong = |text: String| violations.push(Violation { promise: Promise::Pins, kind: Kind::Diverged, text });
    for (conversation, log) in &reference {
        pinned(log, log.head).1.into_iter().for_each(|text| wrong(format!("{conversation}: {text}")));
    }
    for (node, logs) in &history.finals {
        for (conversation, log) in logs {
            let (Some(held), Some(reference)) = (&log.pins, reference.get(conversation)) else { continue };
            let (expected, _) = pinned(reference, log.head);
            if *held != expected {
                wrong(format!("{conversation}: node {node} holds the pins {held:?}, but its log says {expected:?}"));
            }
        }
    }
    violations
}

/// The pins up to `head`, and changes that changed nothing.
fn pinned(log: &FinalLog, head: u64) -> (Vec<u64>, Vec<String>) {
    let (mut pins, mut wrong): (Vec<u64>, Vec<String>) = (Vec::new(), Vec::new());
    for entry in log.entries.iter().take_while(|entry| entry.seq <= head) {
        match &entry.change {
            Some(Change::Pinned { to, removed }) => {
                if pins.contains(to) != *removed {
                    wrong.push(format!("seq {} changes the pin of {to}, which is so already", entry.seq));
                }
                pins.retain(|pin| pin != to);
                if !removed {
                    pins.push(*to);
                }
            }
            Some(Change::Recalled { to }) => pins.retain(|pin| pin != to),
            _ => {}
        }
    }
    (pins, wrong)
}
