//! Streams: the text at the end of a stream has the message, then its pieces in the order of their
//! indices, each once. No acknowledged piece is missing, also in a page of an open stream. Only
//! pieces that the sender has handed over are there.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{Change, History, Record};

/// By index: the text of a piece, and when it was acknowledged first.
type Pieces = BTreeMap<u64, (String, Option<u64>)>;

pub fn check(history: &History) -> Vec<Violation> {
    let mut streams: BTreeMap<(&str, u64), Pieces> = BTreeMap::new();
    for record in &history.records {
        if let Record::Piece { at, conversation, message, index, text, done, .. } = record {
            let pieces = streams.entry((conversation, *message)).or_default();
            let held = pieces.entry(*index).or_insert_with(|| (text.clone(), None));
            held.1 = held.1.or(done.then_some(*at));
        }
    }
    let mut violations = Vec::new();
    for (conversation, log) in history.reference() {
        for entry in &log.entries {
            let Some(Change::Streamed { to, text }) = &entry.change else { continue };
            let Some(pieces) = streams.get(&(conversation.as_str(), *to)) else { continue };
            let found = compare(pieces, u64::MAX, text);
            violations.extend(found.map(|(kind, why)| wrong(kind, format!("{conversation}: the end of {to} {why}"))));
        }
    }
    for record in &history.records {
        let Record::Streaming { asked, device, conversation, message, text, .. } = record else { continue };
        let Some(pieces) = streams.get(&(conversation.as_str(), *message)) else { continue };
        let found = compare(pieces, *asked, text);
        let page = format!("{conversation}: a page of device {device}, seq {message},");
        violations.extend(found.map(|(kind, why)| wrong(kind, format!("{page} {why}"))));
    }
    violations
}

/// `before`: pieces that were acknowledged earlier must be there.
fn compare(pieces: &Pieces, before: u64, text: &str) -> Option<(Kind, String)> {
    let mut rest = text;
    let mut missing = None;
    for (index, (piece, acknowledged)) in pieces {
        match rest.strip_prefix(piece.as_str()) {
            Some(behind) if missing.is_none() => rest = behind,
            _ if acknowledged.is_some_and(|at| at < before) => {
                let kind = if text.contains(piece.as_str()) { Kind::Reordered } else { Kind::Lost };
                return Some((kind, format!("has not piece {index} {piece:?} at its place: {text:?}")));
            }
            _ => missing = missing.or(Some(index)),
        }
    }
    let again = pieces.values().any(|(piece, _)| rest.contains(piece.as_str()));
    let kind = if again { Kind::Duplicated } else { Kind::Phantom };
    (!rest.is_empty()).then(|| (kind, format!("has more than its pieces: {rest:?} of {text:?}")))
}

fn wrong(kind: Kind, text: String) -> Violation {
    Violation { promise: Promise::Streams, kind, text }
}
