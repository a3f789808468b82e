//! Replicas that hold the pins of their log pass, and any others are reported.

use crate::checkers::{Promise, check};
use crate::history::{Change, Entry, FinalLog, History};

fn good() -> FinalLog {
    let pinned = |to, removed| Some(Change::Pinned { to, removed });
    let changes =
        [None, None, None, pinned(3, false), pinned(1, false), pinned(2, false), pinned(1, true), pinned(1, false)];
    let changes = changes.into_iter().chain([Some(Change::Recalled { to: 3 })]);
    let entry = |(at, change): (usize, Option<Change>)| {
        let (seq, message) = (at as u64 + 1, change.is_none());
        Entry { seq, time_ms: seq, sender: 1, id: format!("1/{seq}"), message, change, ..Entry::default() }
    };
    let entries: Vec<Entry> = changes.enumerate().map(entry).collect();
    let (head, pins) = (entries.len() as u64, Some(vec![2, 1]));
    FinalLog { head, chain: "aa".to_owned(), entries, pins, ..FinalLog::default() }
}

fn pins(log: FinalLog) -> Vec<String> {
    let mut history = History::default();
    history.finals.insert(1, [("g1".to_owned(), log)].into());
    let found = check(&history).into_iter().filter(|found| found.promise == Promise::Pins);
    found.map(|found| found.text).collect()
}

#[test]
fn pins_of_the_log_pass() {
    assert_eq!(pins(good()), Vec::<String>::new());
    assert_eq!(pins(FinalLog { pins: None, ..good() }), Vec::<String>::new(), "the replica was not asked");
}

#[test]
fn other_pins_are_reported() {
    type Spoiler = (&'static str, fn(&mut FinalLog));
    let spoilers: [Spoiler; 4] = [
        ("of a recalled message", |log| log.pins = Some(vec![3, 2, 1])),
        ("lost", |log| log.pins = Some(vec![2])),
        ("in another order", |log| log.pins = Some(vec![1, 2])),
        ("pinned twice", |log| log.entries[6].change = None),
    ];
    for (name, spoil) in spoilers {
        let mut log = good();
        spoil(&mut log);
        assert!(!pins(log).is_empty(), "{name}");
    }
}
