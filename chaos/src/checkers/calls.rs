//! Calls: the steps of each log are those of calls one after another, one device takes each, and
//! the answers to devices agree with the log.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{CallStep, Entry, History, Record};

/// The call that is under way in a log.
struct Call {
    seq: u64,
    caller: u64,
    started_ms: u64,
    answered_ms: Option<u64>,
}

/// Milliseconds for which a call rings.
const RINGS_MS: u64 = troupe_core::limits::CALL_RINGS_MS;

pub fn check(history: &History) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (conversation, log) in history.reference() {
        let mut held = None;
        for entry in &log.entries {
            if let Some((kind, text)) = step(&mut held, entry) {
                let text = format!("{conversation}: seq {} {text}", entry.seq);
                violations.push(Violation { promise: Promise::Calls, kind, text });
            }
        }
    }
    violations.extend(told(history));
    violations
}

/// The next step, or what is wrong with it.
fn step(held: &mut Option<Call>, entry: &Entry) -> Option<(Kind, String)> {
    match (entry.call.as_ref()?, held.as_mut()) {
        (CallStep::Started, Some(call)) => Some((Kind::Duplicated, format!("starts a call beside {}", call.seq))),
        (CallStep::Started, None) => {
            let (seq, caller, started_ms) = (entry.seq, entry.sender, entry.time_ms);
            *held = Some(Call { seq, caller, started_ms, answered_ms: None });
            None
        }
        (CallStep::Answered { call }, Some(of)) if of.seq == *call => match of.answered_ms {
            Some(_) => Some((Kind::Duplicated, format!("takes the call {call} a second time"))),
            None if entry.sender == of.caller => Some((Kind::Phantom, format!("is the caller's own answer to {call}"))),
            None => {
                of.answered_ms = Some(entry.time_ms);
                None
            }
        },
        (CallStep::Ended { call, caller, outcome, lasted_ms }, Some(of)) if of.seq == *call => {
            let lasted = of.answered_ms.map_or(0, |answered| entry.time_ms - answered);
            let by_caller = entry.sender == of.caller;
            let fits = match (outcome.as_str(), of.answered_ms) {
                ("talked", Some(_)) => true,
                ("refused" | "busy", None) => !by_caller,
                ("cancelled", None) => by_caller,
                ("missed", None) => by_caller && entry.time_ms >= of.started_ms + RINGS_MS,
                _ => false,
            };
            let is_true = fits && *caller == of.caller && *lasted_ms == lasted;
            *held = None;
            (!is_true).then(|| (Kind::Phantom, format!("ends the call {call} as {outcome} after {lasted_ms} ms")))
        }
        (other, _) => Some((Kind::Phantom, format!("is of no call under way: {other:?}"))),
    }
}

/// A step has the place of its answer, one device has the answer that it took a call, and the
/// answer that another one did is true.
fn told(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let log_of = |conversation: &String| reference.get(conversation).map(|log| &log.entries[..]).unwrap_or_default();
    let mut violations = Vec::new();
    let mut wrong = |kind, text: String| violations.push(Violation { promise: Promise::Calls, kind, text });
    let mut winners: BTreeMap<(&str, u64), &str> = BTreeMap::new();
    for record in &history.records {
        match record {
            Record::Called { device, conversation, id, seq, accepts, .. } => {
                let entry = log_of(conversation).iter().find(|entry| entry.seq == *seq);
                if !entry.is_some_and(|entry| entry.id == *id && entry.call.is_some()) {
                    let found = entry.map(|entry| &entry.id);
                    wrong(Kind::Lost, format!("{conversation}: device {device} has {id} at {seq}, the log {found:?}"));
                }
                let Some(call) = accepts else { continue };
                if let Some(other) = winners.insert((conversation, *call), id).filter(|other| other != id) {
                    wrong(Kind::Duplicated, format!("{conversation}: {other} and {id} both took the call {call}"));
                }
            }
            Record::Taken { device, conversation, call, .. } => {
                let is_answer =
                    |entry: &Entry| matches!(entry.call, Some(CallStep::Answered { call: taken }) if taken == *call);
                if !log_of(conversation).iter().any(is_answer) {
                    wrong(Kind::Phantom, format!("{conversation}: device {device} missed {call}, and none took it"));
                }
            }
            _ => {}
        }
    }
    violations
}
