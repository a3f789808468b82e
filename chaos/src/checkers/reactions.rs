//! Reactions: each event of a reaction changes something, so that a user has each emoji at most
//! once on a message. The counts of every replica and of every fetched page follow from the log.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::{Kind, Promise, Violation};
use crate::history::{Count, FinalLog, History, Record};

/// The users of each emoji, by message.
type Given<'a> = BTreeMap<(u64, &'a str), BTreeSet<u64>>;

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let mut violations = Vec::new();
    for (conversation, log) in &reference {
        violations.extend(changes(log).into_iter().map(|(kind, text)| wrong(kind, format!("{conversation}: {text}"))));
    }
    for (node, logs) in &history.finals {
        for (conversation, log) in logs {
            let expected = counts(&given(log, log.head), 0..=u64::MAX, None);
            if let Some(kept) = &log.counts
                && sorted(kept) != expected
            {
                let text = format!("{conversation}: node {node} keeps {kept:?}, but its log has {expected:?}");
                violations.push(wrong(Kind::Diverged, text));
            }
        }
    }
    for record in &history.records {
        match record {
            Record::Reacted { device, conversation, id, seq, reaction, .. } => {
                let log = reference.get(conversation);
                let entry = log.and_then(|log| log.entries.iter().find(|entry| entry.seq == *seq));
                if !entry.is_some_and(|entry| entry.id == *id && entry.reaction.as_ref() == Some(reaction)) {
                    let text = format!(
                        "{conversation}: {id} was acknowledged to device {device} at seq {seq} as {reaction:?}, which holds {entry:?}"
                    );
                    violations.push(wrong(Kind::Lost, text));
                }
            }
            Record::Counted { device, conversation, user, head, first, last, counts: shown, .. } => {
                let log = reference.get(conversation);
                if *head > log.map_or(0, |log| log.head) {
                    let text =
                        format!("{conversation}: device {device} received a page at head {head}, which no log has");
                    violations.push(wrong(Kind::Phantom, text));
                    continue;
                }
                let expected = log.map(|log| counts(&given(log, *head), *first..=*last, Some(*user)));
                if expected.as_ref().is_some_and(|expected| sorted(shown) != *expected) {
                    let text = format!(
                        "{conversation}: device {device} of user {user} received {shown:?} for {first} to {last} at head {head}, but the log has {expected:?}"
                    );
                    violations.push(wrong(Kind::Diverged, text));
                }
            }
            _ => {}
        }
    }
    violations
}

/// Reactions that change nothing, or are to no message before them.
fn changes(log: &FinalLog) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let mut messages: BTreeSet<u64> = BTreeSet::new();
    let mut given = Given::new();
    for entry in &log.entries {
        if entry.message {
            messages.insert(entry.seq);
        }
        let Some(reaction) = &entry.reaction else { continue };
        let what = format!("{} of user {} at seq {}", reaction.emoji, entry.sender, entry.seq);
        if !messages.contains(&reaction.to) {
            found.push((Kind::Phantom, format!("{what} is to seq {}, which is no message", reaction.to)));
        }
        let users = given.entry((reaction.to, &reaction.emoji)).or_default();
        if reaction.removed && !users.remove(&entry.sender) {
            found.push((Kind::Phantom, format!("{what} takes back a reaction to {} that is not there", reaction.to)));
        }
        if !reaction.removed && !users.insert(entry.sender) {
            found.push((Kind::Duplicated, format!("{what} is a second one to {}", reaction.to)));
        }
    }
    found
}

/// The users of each emoji up to `head`.
fn given(log: &FinalLog, head: u64) -> Given<'_> {
    let mut given = Given::new();
    for entry in log.entries.iter().take_while(|entry| entry.seq <= head) {
        let Some(reaction) = &entry.reaction else { continue };
        let users = given.entry((reaction.to, &reaction.emoji)).or_default();
        match reaction.removed {
            true => users.remove(&entry.sender),
            false => users.insert(entry.sender),
        };
    }
    given
}

/// As a page or a replica has them, in order.
fn counts(given: &Given<'_>, of: RangeInclusive<u64>, asker: Option<u64>) -> Vec<Count> {
    let counts = given.iter().filter(|((seq, _), users)| of.contains(seq) && !users.is_empty());
    let count = |((seq, emoji), users): (&(u64, &str), &BTreeSet<u64>)| Count {
        seq: *seq,
        emoji: (*emoji).to_owned(),
        users: users.len() as u64,
        mine: asker.is_some_and(|asker| users.contains(&asker)),
    };
    counts.map(count).collect()
}

fn sorted(counts: &[Count]) -> Vec<Count> {
    let mut counts = counts.to_vec();
    counts.sort();
    counts
}

fn wrong(kind: Kind, text: String) -> Violation {
    Violation { promise: Promise::Reactions, kind, text }
}
