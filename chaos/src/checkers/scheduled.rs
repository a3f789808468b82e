//! Scheduled messages: an acknowledged one has its place, not before its time, or its sender took
//! it back, or a row of every replica has the refusal. A cancelled one never appears.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Promise, Violation};
use crate::history::{History, Record};

/// A scheduled message, as its sender saw it.
#[derive(Default)]
struct Sent {
    deliver_at_ms: u64,
    /// Of the acknowledgement: none, or with its place if it was sent already.
    acknowledged: Option<Option<u64>>,
    cancelling: bool,
    cancelled: bool,
}

pub fn check(history: &History) -> Vec<Violation> {
    let mut messages: BTreeMap<(&str, &str), Sent> = BTreeMap::new();
    for record in &history.records {
        match record {
            Record::Schedule { conversation, id, deliver_at_ms, .. } => {
                messages.entry((conversation, id)).or_default().deliver_at_ms = *deliver_at_ms;
            }
            Record::Scheduled { conversation, id, seq, .. } => {
                let sent = messages.entry((conversation, id)).or_default();
                sent.acknowledged = Some(seq.or(sent.acknowledged.flatten()));
            }
            Record::Cancel { conversation, id, done, .. } => {
                let sent = messages.entry((conversation, id)).or_default();
                sent.cancelling = true;
                sent.cancelled |= done;
            }
            _ => {}
        }
    }
    let mut places: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for (conversation, log) in history.reference() {
        for entry in &log.entries {
            places.insert((conversation, &entry.id), (entry.seq, entry.time_ms));
        }
    }
    let mut violations = Vec::new();
    for (&(conversation, id), sent) in &messages {
        let place = places.get(&(conversation, id));
        let mut wrong = |kind, text: String| {
            let text = format!("{conversation}: {id} {text}");
            violations.push(Violation { promise: Promise::Scheduled, kind, text });
        };
        match place {
            Some((seq, _)) if sent.cancelled => wrong(Kind::Phantom, format!("was cancelled, and is at seq {seq}")),
            Some((seq, time)) if *time < sent.deliver_at_ms => {
                let at = sent.deliver_at_ms;
                wrong(Kind::Phantom, format!("is at seq {seq} since {time}, before its time {at}"));
            }
            _ => {}
        }
        let Some(seq) = sent.acknowledged else { continue };
        if let Some(seq) = seq.filter(|seq| place.is_none_or(|(at, _)| at != seq)) {
            wrong(Kind::Lost, format!("was acknowledged at seq {seq}, and is at {place:?}"));
        }
        if place.is_some() || sent.cancelling {
            continue;
        }
        for (node, kept) in &history.kept {
            let Some(rows) = kept.get(conversation) else { continue };
            let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            if !ids.contains(id) {
                wrong(Kind::Lost, format!("was acknowledged, is nowhere, and node {node} keeps {ids:?}"));
            }
        }
    }
    violations
}
