//! A stream with its acknowledged pieces passes, and each way to break one is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{Change, Entry, FinalLog, History, Record};

fn place() -> String {
    "g1".to_owned()
}

fn piece(at: u64, index: u64, done: bool) -> Record {
    let text = format!("<{index}>");
    Record::Piece { at, device: 0, conversation: place(), message: 1, index, text, done }
}

fn page(asked: u64, text: &str) -> Record {
    Record::Streaming { at: asked + 1, asked, device: 1, conversation: place(), message: 1, text: text.to_owned() }
}

fn with_end(text: &str) -> History {
    let mut history = History::default();
    let (conversation, id) = (place(), "1/a".to_owned());
    history.records.push(Record::Invoke { at: 1, device: 0, user: 1, conversation, id: id.clone() });
    history.records.extend([piece(2, 0, false), piece(3, 0, true), piece(4, 1, false), piece(5, 1, true)]);
    // Without an answer.
    history.records.push(piece(8, 2, false));
    let change = Some(Change::Streamed { to: 1, text: text.to_owned() });
    let entries = vec![
        Entry { seq: 1, time_ms: 1, sender: 1, id, message: true, ..Entry::default() },
        Entry { seq: 2, time_ms: 9, sender: 1, id: "1/b".to_owned(), change, ..Entry::default() },
    ];
    let log = FinalLog { head: 2, chain: "aa".to_owned(), entries, ..FinalLog::default() };
    for node in [1, 2] {
        history.finals.insert(node, [(place(), log.clone())].into());
    }
    history
}

#[test]
fn acknowledged_pieces_are_there_in_order_and_others_may_be() {
    assert_eq!(check(&with_end("<0><1>")), []);
    assert_eq!(check(&with_end("<0><1><2>")), []);
    let mut history = with_end("<0><1>");
    history.records.extend([page(2, ""), page(4, "<0>"), page(6, "<0><1>"), page(6, "<0><1><2>")]);
    assert_eq!(check(&history), []);
}

#[test]
fn each_broken_one_is_reported() {
    for (text, kind) in [
        ("<0>", Kind::Lost),
        ("<1><0>", Kind::Reordered),
        ("<0><0><1>", Kind::Reordered),
        ("<0><1><1>", Kind::Duplicated),
        ("<0><1><9>", Kind::Phantom),
    ] {
        let found = check(&with_end(text));
        let is_told = found.iter().any(|found| found.promise == Promise::Streams && found.kind == kind);
        assert!(is_told, "{text}: {found:?}");
    }
    let mut history = with_end("<0><1>");
    history.records.push(page(6, "<0>"));
    assert!(check(&history).iter().any(|found| found.kind == Kind::Lost), "a page without an acknowledged piece");
}
