//! Edits: only the sender of a message edits it, and its present state is its last edit in the
//! order of the log, on every replica and in every page.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::Body;

use super::{Kind, Promise, Violation};
use crate::history::{Change, FinalLog, History, Record, State};

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let mut violations = Vec::new();
    for (conversation, log) in &reference {
        violations.extend(changes(log).into_iter().map(|(kind, text)| wrong(kind, format!("{conversation}: {text}"))));
    }
    for (node, logs) in &history.finals {
        for (conversation, log) in logs {
            let Some(kept) = &log.edits else { continue };
            let expected = reference.get(conversation).map(|reference| present(reference, log.head));
            if expected.as_ref().is_some_and(|expected| expected != kept) {
                let text =
                    format!("{conversation}: node {node} keeps the edits {kept:?}, but the log has {expected:?}");
                violations.push(wrong(Kind::Diverged, text));
            }
        }
    }
    for record in &history.records {
        match record {
            Record::Changed { device, conversation, id, seq, change: change @ Change::Edited { .. }, .. } => {
                let entries = reference.get(conversation).map_or(&[][..], |log| &log.entries);
                let entry = entries.iter().find(|entry| entry.seq == *seq);
                // An edit that was erased since has its place.
                let is_it = |held: &Option<Change>| held.as_ref().is_none_or(|held| held == change);
                if !entry.is_some_and(|entry| entry.id == *id && is_it(&entry.change)) {
                    let text = format!(
                        "{conversation}: {id} was acknowledged to device {device} at seq {seq} as {change:?}, which holds {entry:?}"
                    );
                    violations.push(wrong(Kind::Lost, text));
                }
            }
            Record::Shown { device, conversation, head, first, last, states, .. } => {
                let Some(log) = reference.get(conversation) else { continue };
                for text in page(log, *head, (*first, *last), states) {
                    let text = format!("{conversation}: a page of device {device} at head {head}: {text}");
                    violations.push(wrong(Kind::Diverged, text));
                }
            }
            _ => {}
        }
    }
    violations
}

/// Edits by other users, of no message before them, or of one that is gone.
fn changes(log: &FinalLog) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let mut senders: BTreeMap<u64, u64> = BTreeMap::new();
    for entry in &log.entries {
        if entry.message {
            senders.insert(entry.seq, entry.sender);
        }
        match &entry.change {
            Some(Change::Edited { to, .. }) => {
                let what = format!("the edit at seq {} by user {}", entry.seq, entry.sender);
                match senders.get(to) {
                    None => found.push((Kind::Phantom, format!("{what} is of seq {to}, which is no message there"))),
                    Some(sender) if *sender != entry.sender => {
                        found.push((Kind::Phantom, format!("{what} is of seq {to}, which user {sender} has sent")));
                    }
                    Some(_) => {}
                }
            }
            Some(Change::Recalled { to } | Change::Vanished { to }) => drop(senders.remove(to)),
            Some(Change::Pinned { .. } | Change::Streamed { .. }) | None => {}
        }
    }
    found
}

/// The edits of each message that is neither recalled nor has vanished, up to `head`.
fn present(log: &FinalLog, head: u64) -> BTreeMap<u64, Vec<u64>> {
    let mut edits: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for entry in log.entries.iter().take_while(|entry| entry.seq <= head) {
        match &entry.change {
            // The end of a stream stands with the edits of its message.
            Some(Change::Edited { to, .. } | Change::Streamed { to, .. }) => {
                edits.entry(*to).or_default().push(entry.seq);
            }
            Some(Change::Recalled { to } | Change::Vanished { to }) => drop(edits.remove(to)),
            Some(Change::Pinned { .. }) | None => {}
        }
    }
    edits
}

/// The differences of a page from the log.
fn page(log: &FinalLog, head: u64, (first, last): (u64, u64), states: &[State]) -> Vec<String> {
    let mut expected = present(log, head);
    expected.retain(|seq, _| (first..=last).contains(seq));
    let later = log.entries.iter().filter(|entry| entry.seq > head);
    let gone: BTreeSet<u64> = later.filter_map(|entry| erased(entry.change.as_ref())).collect();
    let shown: BTreeMap<u64, &State> =
        states.iter().filter(|state| !state.erased).map(|state| (state.seq, state)).collect();
    let mut wrong = Vec::new();
    // Erased edits do not say any more of which message they were.
    for seq in
        expected.keys().chain(shown.keys()).collect::<BTreeSet<_>>().into_iter().filter(|seq| !gone.contains(seq))
    {
        let edits = expected.get(seq).map_or(&[][..], Vec::as_slice);
        let state = shown.get(seq);
        if state.map_or(&[][..], |state| &state.edits) != edits {
            wrong.push(format!("seq {seq} is shown with {state:?}, but its edits are {edits:?}"));
            continue;
        }
        let present = edits.last().and_then(|edit| log.entries.iter().find(|entry| entry.seq == *edit));
        let digest = match present.and_then(|entry| entry.change.as_ref()) {
            Some(Change::Edited { digest, .. }) => Some(digest.clone()),
            Some(Change::Streamed { text, .. }) => Some(crate::history::digest(&Body::text(text))),
            _ => None,
        };
        if state.and_then(|state| state.digest.clone()) != digest {
            wrong.push(format!("seq {seq} is shown with another body than its last edit has: {state:?}"));
        }
    }
    wrong
}

fn erased(change: Option<&Change>) -> Option<u64> {
    match change {
        Some(Change::Recalled { to } | Change::Vanished { to }) => Some(*to),
        _ => None,
    }
}

fn wrong(kind: Kind, text: String) -> Violation {
    Violation { promise: Promise::Edits, kind, text }
}
