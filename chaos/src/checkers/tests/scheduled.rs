//! Scheduled messages that are sent, cancelled or refused pass, and each way to break them is
//! reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{Entry, FinalLog, History, Kept, Record};

const SENT: &str = "1/a";
const CANCELLED: &str = "1/b";
const REFUSED: &str = "1/c";

fn place() -> String {
    "g1".to_owned()
}

fn entry(id: &str, time_ms: u64) -> Entry {
    Entry { seq: 1, time_ms, sender: 1, id: id.to_owned(), message: true, ..Entry::default() }
}

fn good() -> History {
    let mut history = History::default();
    for id in [SENT, CANCELLED, REFUSED] {
        let (conversation, id) = (place(), id.to_owned());
        let (named, again) = (conversation.clone(), id.clone());
        let schedule = Record::Schedule { at: 1, device: 0, user: 1, conversation, id, deliver_at_ms: 50 };
        history.records.push(schedule);
        history.records.push(Record::Scheduled { at: 2, device: 0, conversation: named, id: again, seq: None });
    }
    for done in [false, true] {
        let cancel = Record::Cancel { at: 3, device: 0, conversation: place(), id: CANCELLED.to_owned(), done };
        history.records.push(cancel);
    }
    let log = FinalLog { head: 1, chain: "aa".to_owned(), entries: vec![entry(SENT, 50)], ..FinalLog::default() };
    let refused = Kept { id: REFUSED.to_owned(), refused: "muted".to_owned() };
    for node in [1, 2] {
        history.finals.insert(node, [(place(), log.clone())].into());
        history.kept.insert(node, [(place(), vec![refused.clone()])].into());
    }
    history
}

fn logs(history: &mut History) -> impl Iterator<Item = &mut FinalLog> {
    history.finals.values_mut().flat_map(|logs| logs.values_mut())
}

#[test]
fn sent_cancelled_and_refused_messages_pass() {
    assert_eq!(check(&good()), []);
    let mut history = good();
    history.records.push(Record::Scheduled { at: 9, device: 0, conversation: place(), id: SENT.into(), seq: Some(1) });
    assert_eq!(check(&history), [], "a repeat names the place");
    let mut history = good();
    history.kept.clear();
    assert_eq!(check(&history), [], "before the end no replica is asked");
}

#[test]
fn each_broken_one_is_reported() {
    type Spoiler = (&'static str, Kind, fn(&mut History));
    let spoilers: [Spoiler; 5] = [
        ("sent although it was cancelled", Kind::Phantom, |history| {
            logs(history).for_each(|log| {
                log.head = 2;
                log.entries.push(Entry { seq: 2, ..entry(CANCELLED, 60) });
            });
        }),
        ("before its time", Kind::Phantom, |history| logs(history).for_each(|log| log.entries[0].time_ms = 49)),
        ("lost at its time", Kind::Lost, |history| {
            logs(history).for_each(|log| {
                log.head = 0;
                log.entries.clear();
            });
        }),
        ("a refusal that one replica lost", Kind::Lost, |history| {
            history.kept.insert(2, [(place(), Vec::new())].into());
        }),
        ("another place than acknowledged", Kind::Lost, |history| {
            let (conversation, id) = (place(), SENT.to_owned());
            history.records.push(Record::Scheduled { at: 9, device: 0, conversation, id, seq: Some(2) });
        }),
    ];
    for (name, kind, spoil) in spoilers {
        let mut history = good();
        spoil(&mut history);
        let found = check(&history);
        let is_it = |found: &crate::checkers::Violation| (found.promise, found.kind) == (Promise::Scheduled, kind);
        assert!(found.iter().any(is_it), "{name}: {found:?}");
    }
}
