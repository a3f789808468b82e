//! Recalls: the contents of a recalled message and of its edits are on no replica and in no page
//! from the recall on. Every other content is still there, but for those that vanish by time.

use std::collections::{BTreeMap, BTreeSet};

use super::vanishing::{timed, vanished};
use super::{Kind, Promise, Violation};
use crate::history::{Change, Contents, FinalLog, History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let mut violations = Vec::new();
    for (conversation, log) in &reference {
        let found = changes(conversation, log).into_iter();
        violations.extend(found.map(|(kind, text)| wrong(kind, format!("{conversation}: {text}"))));
    }
    for (node, logs) in &history.finals {
        for (conversation, log) in logs {
            let (Some(contents), Some(reference)) = (&log.contents, reference.get(conversation)) else { continue };
            for (kind, text) in compare(reference, log.head, (1, log.head), contents, &BTreeSet::new()) {
                violations.push(wrong(kind, format!("{conversation}: on node {node} {text}")));
            }
        }
    }
    let timed = timed(history, &reference);
    // When each recall was acknowledged first.
    let mut acknowledged: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for record in &history.records {
        match record {
            Record::Changed { at, device, conversation, id, seq, change: change @ Change::Recalled { to } } => {
                acknowledged.entry((conversation, *to)).or_insert(*at);
                let entries = reference.get(conversation).map_or(&[][..], |log| &log.entries);
                let entry = entries.iter().find(|entry| entry.seq == *seq);
                if !entry.is_some_and(|entry| entry.id == *id && entry.change.as_ref() == Some(change)) {
                    let text = format!(
                        "{conversation}: {id} was acknowledged to device {device} at seq {seq} as {change:?}, which holds {entry:?}"
                    );
                    violations.push(wrong(Kind::Lost, text));
                }
            }
            Record::Shown { asked, device, conversation, head, first, last, contents, states, .. } => {
                let Some(log) = reference.get(conversation) else { continue };
                let page = format!("{conversation}: in a page of device {device} at head {head}");
                let timed = timed.get(conversation).cloned().unwrap_or_default();
                for (kind, text) in compare(log, *head, (*first, *last), contents, &timed) {
                    violations.push(wrong(kind, format!("{page} {text}")));
                }
                for (message, recall) in recalls(log) {
                    let is_marked = states.iter().any(|state| state.seq == message && state.erased);
                    let is_seen = (*first..=*last).contains(&message) && !timed.contains(&message);
                    if is_seen && is_marked != (recall <= *head) {
                        let text =
                            format!("{page} seq {message} is shown as erased: {is_marked}; its recall is {recall}");
                        violations.push(wrong(Kind::Diverged, text));
                    }
                    let known = acknowledged.get(&(conversation.as_str(), message));
                    if known.is_some_and(|at| at < asked) && contents.contains_key(&message) {
                        let text = format!("{page} seq {message} has its content, after its recall was acknowledged");
                        violations.push(wrong(Kind::Phantom, text));
                    }
                }
            }
            _ => {}
        }
    }
    violations
}

/// Recalls of no message before them, second ones, and those by other users outside of groups.
fn changes(conversation: &str, log: &FinalLog) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let mut senders: BTreeMap<u64, u64> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for entry in &log.entries {
        if entry.message {
            senders.insert(entry.seq, entry.sender);
        }
        let Some(Change::Recalled { to }) = &entry.change else { continue };
        let what = format!("the recall at seq {} by user {}", entry.seq, entry.sender);
        match senders.get(to) {
            None => found.push((Kind::Phantom, format!("{what} is of seq {to}, which is no message there"))),
            Some(sender) if *sender != entry.sender && !conversation.starts_with('g') => {
                found.push((Kind::Phantom, format!("{what} is of seq {to}, which user {sender} has sent")));
            }
            Some(_) => {}
        }
        if !gone.insert(to) {
            found.push((Kind::Duplicated, format!("{what} is a second one of seq {to}")));
        }
    }
    found
}

/// Each recalled message with the seq of its recall.
fn recalls(log: &FinalLog) -> BTreeMap<u64, u64> {
    let recall = |entry: &crate::history::Entry| match entry.change {
        Some(Change::Recalled { to }) => Some((to, entry.seq)),
        _ => None,
    };
    log.entries.iter().filter_map(recall).collect()
}

/// The bodies that are there despite a recall up to `head`, or missing without one and without a
/// time.
fn compare(
    log: &FinalLog,
    head: u64,
    (first, last): (u64, u64),
    contents: &Contents,
    timed: &BTreeSet<u64>,
) -> Vec<(Kind, String)> {
    let recalls = recalls(log);
    let recalled = |message: &u64| recalls.get(message).is_some_and(|recall| *recall <= head);
    let vanished = vanished(log);
    let mut found = Vec::new();
    for entry in log.entries.iter().filter(|entry| (first..=last).contains(&entry.seq)) {
        let (message, is_edit) = match &entry.change {
            Some(Change::Edited { to, .. } | Change::Streamed { to, .. }) => (*to, true),
            _ => (entry.seq, false),
        };
        if !entry.message && !is_edit || vanished.contains_key(&message) {
            continue;
        }
        match (recalled(&message), contents.contains_key(&entry.seq)) {
            (true, true) => {
                let text = format!("seq {} has its content, but {message} was recalled", entry.seq);
                found.push((Kind::Phantom, text));
            }
            (false, false) if !timed.contains(&message) => {
                found.push((Kind::Lost, format!("seq {} has no content, without a recall", entry.seq)))
            }
            _ => {}
        }
    }
    found
}

fn wrong(kind: Kind, text: String) -> Violation {
    Violation { promise: Promise::Recalls, kind, text }
}
