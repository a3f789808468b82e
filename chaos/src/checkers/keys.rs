//! Repeated keys: all answers to one key name one place, the same body is never refused under it,
//! and another body never gets an answer.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Promise, Violation};
use crate::history::{Conversation, History, MessageId, Record};

/// The answers under one key, by body.
#[derive(Default)]
struct Answers<'a> {
    /// The body that has a place, and its seqs.
    placed: BTreeMap<&'a str, BTreeSet<u64>>,
    refused: BTreeSet<&'a str>,
    /// Bodies that were asked for.
    asked: BTreeSet<&'a str>,
    first: usize,
}

pub fn check(history: &History) -> Vec<Violation> {
    let mut keys: BTreeMap<(&Conversation, &MessageId), Answers<'_>> = BTreeMap::new();
    for record in &history.records {
        let Record::Keyed { conversation, id, body, seq, duplicate, .. } = record else { continue };
        let answers = keys.entry((conversation, id)).or_default();
        answers.asked.insert(body);
        match seq {
            Some(seq) => {
                answers.placed.entry(body).or_default().insert(*seq);
                answers.first += usize::from(!duplicate);
            }
            None => drop(answers.refused.insert(body)),
        }
    }
    let mut violations = Vec::new();
    for ((conversation, id), answers) in &keys {
        let mut wrong = |kind, text: String| {
            let text = format!("{conversation}: {id} {text}");
            violations.push(Violation { promise: Promise::Keys, kind, text });
        };
        let seqs: BTreeSet<u64> = answers.placed.values().flatten().copied().collect();
        if seqs.len() > 1 {
            wrong(Kind::Duplicated, format!("has the places {seqs:?}"));
        }
        if answers.first > 1 {
            wrong(Kind::Duplicated, format!("was {} times answered as the first request", answers.first));
        }
        let bodies: Vec<&str> = answers.placed.keys().copied().collect();
        if bodies.len() > 1 {
            wrong(Kind::Phantom, format!("was answered for the bodies {bodies:?}"));
        }
        for body in answers.refused.iter().filter(|body| answers.placed.contains_key(*body)) {
            wrong(Kind::Lost, format!("is placed with the body {body:?}, and was refused with it"));
        }
        if let Some(body) = answers.refused.first().filter(|_| answers.asked.len() == 1) {
            wrong(Kind::Lost, format!("was refused as used with another body, and {body:?} is the only one"));
        }
    }
    violations
}
