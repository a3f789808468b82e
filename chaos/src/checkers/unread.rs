//! Unread: a line of a conversation list counts the messages of others after the user's read
//! position, as far as the user sees them. That position never falls behind an acknowledged or
//! listed one.

use std::collections::BTreeMap;

use super::vanishing::erased;
use super::{Kind, Promise, Violation};
use crate::history::{Entry, FinalLog, History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    // By conversation and user: known positions, in order of time.
    let mut known: BTreeMap<(&str, u64), Vec<(u64, Position)>> = BTreeMap::new();
    let mut violations = Vec::new();
    for record in &history.records {
        match record {
            Record::Marked { at, conversation, user, seq, .. } => {
                known.entry((conversation, *user)).or_default().push((*at, Position { head: *seq, read: *seq }));
            }
            Record::Listed { at, asked, device, conversation, user, head, read, unread, first } => {
                let line = format!(
                    "{conversation}: device {device} of user {user}, which sees it from {first} on, received head {head}, read {read}, unread {unread}"
                );
                let log = reference.get(conversation);
                if *head > log.map_or(0, |log| log.head) || read > head {
                    violations.push(wrong(Kind::Phantom, format!("{line}, which no log has")));
                    continue;
                }
                let counted = log.map_or(0, |log| count(log, *user, *head, *read, *first));
                // A run of vanished messages may count as read.
                let gone = log.map_or(0, |log| gone(log, *user, *head, *read, *first));
                let least = counted.saturating_sub(gone);
                if !(least..=counted).contains(unread) {
                    violations.push(wrong(Kind::Diverged, format!("{line}, but the log has {counted}")));
                }
                let of = known.entry((conversation, *user)).or_default();
                let before = of.iter().filter(|(known_at, _)| known_at < asked).map(|(_, position)| position);
                if let Some(before) = before.copied().reduce(Position::further)
                    && (*read < before.read || *head < before.head)
                {
                    violations.push(wrong(Kind::Reordered, format!("{line}, after {before:?}")));
                }
                of.push((*at, Position { head: *head, read: *read }));
            }
            _ => {}
        }
    }
    violations
}

#[derive(Clone, Copy, Debug)]
struct Position {
    head: u64,
    read: u64,
}

impl Position {
    fn further(self, other: Position) -> Position {
        Position { head: self.head.max(other.head), read: self.read.max(other.read) }
    }
}

fn count(log: &FinalLog, user: u64, head: u64, read: u64, first: u64) -> u64 {
    let behind = read.max(first.saturating_sub(1));
    let is_unread = |seq: u64| seq > behind && seq <= head;
    let unread = log.entries.iter().filter(|entry| entry.message && entry.sender != user && is_unread(entry.seq));
    unread.count() as u64
}

/// Messages without a content among those.
fn gone(log: &FinalLog, user: u64, head: u64, read: u64, first: u64) -> u64 {
    let erased = erased(log);
    let is_left = |entry: &&Entry| erased.get(&entry.seq).is_none_or(|by| *by > head);
    let entries = log.entries.iter().filter(is_left).cloned().collect();
    let left = FinalLog { entries, ..FinalLog::default() };
    count(log, user, head, read, first) - count(&left, user, head, read, first)
}

fn wrong(kind: Kind, text: String) -> Violation {
    Violation { promise: Promise::Unread, kind, text }
}
