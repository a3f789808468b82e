//! Search: a message whose words the device searches is found, if it is acknowledged, unchanged and
//! visible. A recalled message is not found, and neither is an event that the user may not see.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{Change, Entry, FinalLog, History, MessageId, Record, Rule};

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let mut violations = Vec::new();
    // Acknowledged before: each message or edit with its place, and each recall by its message.
    let mut placed: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut recalled: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for record in &history.records {
        match record {
            Record::Ack { conversation, id, at, .. } => {
                placed.entry((conversation, id)).or_insert(*at);
            }
            Record::Changed { at, conversation, id, change, .. } => match change {
                Change::Edited { .. } => {
                    placed.entry((conversation, id)).or_insert(*at);
                }
                Change::Recalled { to } => {
                    recalled.entry((conversation, *to)).or_insert(*at);
                }
                Change::Pinned { .. } | Change::Vanished { .. } | Change::Streamed { .. } => {}
            },
            Record::Searched { asked, device, user, conversation, id, found, whole, .. } => {
                let Some(log) = reference.get(conversation) else { continue };
                let search = format!("{conversation}: a search of device {device} for the words of {id}");
                for seq in found {
                    let gone = recalled.get(&(conversation.as_str(), *seq));
                    if gone.is_some_and(|at| at < asked) {
                        let text = format!("{search} found seq {seq}, after its recall was acknowledged");
                        violations.push(wrong(Kind::Phantom, text));
                    }
                    if !is_shown(conversation, log, *user, *seq) {
                        let text = format!("{search} found seq {seq}, which user {user} may not see");
                        violations.push(wrong(Kind::Phantom, text));
                    }
                }
                let known = placed.get(&(conversation.as_str(), id.as_str()));
                if !*whole || known.is_none_or(|at| at >= asked) {
                    continue;
                }
                let Some(seq) = present(log, id).filter(|seq| stays(conversation, log, *user, *seq)) else { continue };
                if !found.contains(&seq) {
                    let text = format!("{search} found {found:?}, and not seq {seq}, which was acknowledged before");
                    violations.push(wrong(Kind::Lost, text));
                }
            }
            _ => {}
        }
    }
    violations
}

/// The message whose words are those of this message or edit, if no other change of it is in the
/// log.
fn present(log: &FinalLog, id: &MessageId) -> Option<u64> {
    let entry = log.entries.iter().find(|entry| entry.id == *id)?;
    let (message, from) = match &entry.change {
        None if entry.message => (entry.seq, 0),
        Some(Change::Edited { to, .. }) => (*to, entry.seq),
        _ => return None,
    };
    let changes = |entry: &&Entry| match &entry.change {
        Some(Change::Edited { to, .. } | Change::Streamed { to, .. }) => *to == message && entry.seq > from,
        Some(Change::Recalled { to } | Change::Vanished { to }) => *to == message,
        Some(Change::Pinned { .. }) | None => false,
    };
    (!log.entries.iter().any(|entry| changes(&entry))).then_some(message)
}

/// Whether the log lets the user see this event at some time. Imported groups and those of real
/// processes say nothing about their members.
fn is_shown(conversation: &str, log: &FinalLog, user: u64, seq: u64) -> bool {
    if !conversation.starts_with('g') || !has_rules(log) {
        return true;
    }
    let mut since = None;
    let mut shown = false;
    for entry in &log.entries {
        match &entry.rule {
            Some(Rule::Created) if entry.sender == user => since = since.or(Some(entry.seq)),
            Some(Rule::Added { users }) if users.contains(&user) => since = since.or(Some(entry.seq)),
            Some(Rule::Removed { user: gone }) if *gone == user => since = None,
            _ => {}
        }
        shown |= since.is_some_and(|since| since <= seq && seq <= entry.seq);
    }
    shown
}

/// Whether the user sees this event from its commit on, whenever it looks.
fn stays(conversation: &str, log: &FinalLog, user: u64, seq: u64) -> bool {
    if !conversation.starts_with('g') {
        return true;
    }
    let ends = |entry: &Entry| match &entry.rule {
        Some(Rule::Removed { user: gone }) => *gone == user,
        Some(Rule::Disbanded) => true,
        Some(Rule::Added { users }) => users.contains(&user) && entry.seq > seq,
        _ => false,
    };
    has_rules(log) && is_shown(conversation, log, user, seq) && !log.entries.iter().any(ends)
}

fn has_rules(log: &FinalLog) -> bool {
    log.entries.iter().any(|entry| matches!(entry.rule, Some(Rule::Created)))
}

fn wrong(kind: Kind, text: String) -> Violation {
    Violation { promise: Promise::Search, kind, text }
}
