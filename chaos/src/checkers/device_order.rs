//! Device order: messages of one device appear in the log in the order in which it sent them.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let mut places: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (conversation, log) in history.reference() {
        for entry in &log.entries {
            // The first seq counts. The exactly-once checker reports a second one.
            places.entry((conversation, &entry.id)).or_insert(entry.seq);
        }
    }
    let mut violations = Vec::new();
    let mut highest: BTreeMap<(u32, &str), (u64, &str)> = BTreeMap::new();
    for record in &history.records {
        let Record::Invoke { device, conversation, id, .. } = record else { continue };
        let Some(seq) = places.get(&(conversation.as_str(), id.as_str())) else { continue };
        if let Some((before, earlier)) = highest.insert((*device, conversation), (*seq, id))
            && before > *seq
        {
            violations.push(Violation {
                promise: Promise::DeviceOrder,
                kind: Kind::Reordered,
                text: format!("{conversation}: device {device} sent {earlier} (seq {before}) before {id} (seq {seq})"),
            });
        }
    }
    violations
}
