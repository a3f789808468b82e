//! Cursors: for each device, a member's positions never go back and never pass the head.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let mut last: BTreeMap<(u32, &str, u64), (u64, u64)> = BTreeMap::new();
    let mut violations = Vec::new();
    for record in &history.records {
        let Record::Cursor { device, conversation, user, delivered, read, .. } = record else { continue };
        let (before_delivered, before_read) =
            last.insert((*device, conversation, *user), (*delivered, *read)).unwrap_or_default();
        if *delivered < before_delivered || *read < before_read {
            violations.push(Violation {
                promise: Promise::Cursors,
                kind: Kind::Reordered,
                text: format!(
                    "{conversation}: device {device} saw user {user} go back from ({before_delivered}, {before_read}) to ({delivered}, {read})"
                ),
            });
        }
        let head = reference.get(conversation).map_or(0, |log| log.head);
        if *delivered > head || *read > head {
            violations.push(Violation {
                promise: Promise::Cursors,
                kind: Kind::Phantom,
                text: format!("{conversation}: user {user} is said to be at ({delivered}, {read}), the head is {head}"),
            });
        }
    }
    violations
}
