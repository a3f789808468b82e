//! Vanishing messages: the content of one, and those of its edits, are gone from every replica and
//! from every page once its time is over by the log. None is gone before its time.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Promise, Violation};
use crate::history::{Change, Conversation, Entry, FinalLog, History, Record};

/// A leader erases what is over by then.
const LATE_MS: u64 = 3_000;

/// By conversation and message id: milliseconds after which it vanishes.
type Times<'a> = BTreeMap<(&'a str, &'a str), u64>;
type Timed<'a> = BTreeMap<&'a Conversation, BTreeSet<u64>>;

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let times = times(history);
    // Replicas show contents: those whose time is over must be gone.
    let is_shown = history.finals.values().flat_map(BTreeMap::values).any(|log| log.contents.is_some());
    let read_until = is_shown.then(|| history.read_ms.map_or(u64::MAX, |read| read.saturating_sub(LATE_MS)));
    let mut violations = Vec::new();
    for (conversation, log) in &reference {
        let found = events(conversation, log, &times, read_until).into_iter();
        violations.extend(found.map(|(kind, text)| wrong(kind, format!("{conversation}: {text}"))));
    }
    for (node, logs) in &history.finals {
        for (conversation, log) in logs {
            let (Some(contents), Some(reference)) = (&log.contents, reference.get(conversation)) else { continue };
            let gone = vanished(reference).into_iter().filter(|(_, by)| *by <= log.head);
            for (message, _) in gone.filter(|(message, _)| contents.contains_key(message)) {
                let text = format!("{conversation}: node {node} has the content of seq {message}, which has vanished");
                violations.push(wrong(Kind::Phantom, text));
            }
            // An edit that the log shows as erased.
            let is_nothing =
                |seq: &u64| reference.entries.iter().any(|e| e.seq == *seq && !e.message && e.change.is_none());
            for edit in contents.keys().filter(|seq| is_nothing(seq)) {
                let text = format!("{conversation}: node {node} has the content of seq {edit}, an edit of no message");
                violations.push(wrong(Kind::Phantom, text));
            }
        }
    }
    for record in &history.records {
        let Record::Shown { device, conversation, head, first, last, contents, states, .. } = record else { continue };
        let Some(log) = reference.get(conversation) else { continue };
        for message in over(conversation, log, &times, *head) {
            let is_marked = states.iter().any(|state| state.seq == message && state.erased);
            let is_there = contents.contains_key(&message) || !is_marked;
            if (*first..=*last).contains(&message) && is_there {
                let text = format!(
                    "{conversation}: a page of device {device} at head {head} shows seq {message}, whose time is over"
                );
                violations.push(wrong(Kind::Phantom, text));
            }
        }
    }
    violations
}

fn times(history: &History) -> Times<'_> {
    let mut times = Times::new();
    for record in &history.records {
        if let Record::Expires { conversation, id, after_ms, .. } = record {
            times.insert((conversation, id), *after_ms);
        }
    }
    times
}

/// The messages of each conversation that have a time. A page lacks their contents from then on,
/// before the log says so.
pub fn timed<'a>(history: &'a History, logs: &BTreeMap<&'a Conversation, &FinalLog>) -> Timed<'a> {
    let times = times(history);
    let of = |conversation: &'a Conversation, log: &FinalLog| -> BTreeSet<u64> {
        let is_timed = |entry: &&Entry| entry.message && times.contains_key(&(conversation.as_str(), &entry.id));
        log.entries.iter().filter(is_timed).map(|entry| entry.seq).collect()
    };
    logs.iter().map(|(conversation, log)| (*conversation, of(conversation, log))).collect()
}

/// Each vanished message with the seq of the event that says so.
pub fn vanished(log: &FinalLog) -> BTreeMap<u64, u64> {
    let by = |entry: &Entry| match entry.change {
        Some(Change::Vanished { to }) => Some((to, entry.seq)),
        _ => None,
    };
    log.entries.iter().filter_map(by).collect()
}

/// Each message without a content, with the seq of the event that erased it.
pub fn erased(log: &FinalLog) -> BTreeMap<u64, u64> {
    let by = |entry: &Entry| match entry.change {
        Some(Change::Vanished { to } | Change::Recalled { to }) => Some((to, entry.seq)),
        _ => None,
    };
    log.entries.iter().filter_map(by).collect()
}

/// Messages that a page with this head may not show: the time of its head is theirs, or behind it.
fn over(conversation: &str, log: &FinalLog, times: &Times<'_>, head: u64) -> Vec<u64> {
    let time = log.entries.iter().find(|entry| entry.seq == head).map_or(0, |entry| entry.time_ms);
    let until =
        |entry: &Entry| times.get(&(conversation, entry.id.as_str())).map(|after| entry.time_ms.saturating_add(*after));
    let messages = log.entries.iter().filter(|entry| entry.message && entry.seq <= head);
    messages.filter(|entry| until(entry).is_some_and(|until| until <= time)).map(|entry| entry.seq).collect()
}

/// Ends of no message before them, second ones, those by other users, early and missing ones.
fn events(conversation: &str, log: &FinalLog, times: &Times<'_>, over: Option<u64>) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let mut waiting: BTreeMap<u64, (u64, Option<u64>)> = BTreeMap::new();
    for entry in &log.entries {
        let after = times.get(&(conversation, entry.id.as_str()));
        if entry.message {
            waiting.insert(entry.seq, (entry.sender, after.map(|after| entry.time_ms.saturating_add(*after))));
        }
        let what = format!("the event at seq {} by user {}", entry.seq, entry.sender);
        match &entry.change {
            Some(Change::Vanished { to }) => match waiting.remove(to) {
                None => {
                    found.push((Kind::Phantom, format!("{what} ends seq {to}, which is no message with a content")))
                }
                Some((sender, _)) if sender != entry.sender => {
                    found.push((Kind::Phantom, format!("{what} ends seq {to} of user {sender}")));
                }
                Some((_, None)) => {
                    found.push((Kind::Lost, format!("{what} ends seq {to}, which was sent to stay")));
                }
                Some((_, Some(until))) if entry.time_ms < until => {
                    let early = until - entry.time_ms;
                    found.push((Kind::Lost, format!("{what} ends seq {to} {early} ms before its time")));
                }
                Some(_) => {}
            },
            Some(Change::Recalled { to }) => drop(waiting.remove(to)),
            Some(Change::Edited { .. } | Change::Pinned { .. } | Change::Streamed { .. }) | None => {}
        }
    }
    if let Some(over) = over {
        let late = waiting.into_iter().filter(|(_, (_, until))| until.is_some_and(|until| until <= over));
        found.extend(late.map(|(seq, _)| (Kind::Phantom, format!("seq {seq} has not vanished"))));
    }
    found
}

fn wrong(kind: Kind, text: String) -> Violation {
    Violation { promise: Promise::Vanishing, kind, text }
}
