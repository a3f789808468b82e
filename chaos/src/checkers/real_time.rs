//! Real time: an ack before a send means a smaller seq. One sweep over the records in time order.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let mut places: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (conversation, log) in history.reference() {
        for entry in &log.entries {
            places.entry((conversation, &entry.id)).or_insert(entry.seq);
        }
    }
    let mut records: Vec<(u64, bool, &str, &str, u64)> = Vec::new();
    for record in &history.records {
        match record {
            // At equal times the invocation comes first, because it is not known to be later.
            Record::Invoke { at, conversation, id, .. } => {
                if let Some(seq) = places.get(&(conversation.as_str(), id.as_str())) {
                    records.push((*at, false, conversation, id, *seq));
                }
            }
            Record::Ack { at, conversation, id, seq, .. } => {
                // If log and ack disagree, the log counts. The durable checker reports the
                // difference.
                let place = places.get(&(conversation.as_str(), id.as_str())).unwrap_or(seq);
                records.push((*at, true, conversation, id, *place));
            }
            _ => {}
        }
    }
    records.sort();
    let mut acked: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    let mut violations = Vec::new();
    for (_, is_ack, conversation, id, seq) in records {
        let highest = acked.entry(conversation).or_insert((0, ""));
        if is_ack {
            *highest = (*highest).max((seq, id));
        } else if seq < highest.0 {
            violations.push(Violation {
                promise: Promise::RealTime,
                kind: Kind::Reordered,
                text: format!(
                    "{conversation}: {id} was sent after {} had been acknowledged at {}, yet has seq {seq}",
                    highest.1, highest.0
                ),
            });
        }
    }
    violations
}
