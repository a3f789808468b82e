//! Deliveries in order with repeats pass, and each way to lose or reorder one is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{FinalHook, History, Record};

fn hook() -> String {
    "g1.7".to_owned()
}

fn taken(seq: u64) -> Record {
    Record::HookTaken { at: seq, hook: hook(), seq }
}

fn good() -> History {
    let mut history = History::default();
    history.records.push(Record::HookMade { at: 1, hook: hook(), since: 2 });
    history.records.extend([3, 4, 5, 4, 5, 6].map(taken));
    let row = FinalHook { delivered: 7, dead: vec![7] };
    for node in [1, 2] {
        history.hooks.insert(node, [(hook(), row.clone())].into());
    }
    history
}

#[test]
fn repeats_and_dead_events_pass() {
    assert_eq!(check(&good()), []);
    let mut history = good();
    history.records.push(taken(8));
    assert_eq!(check(&history), [], "behind a dead event");
    history.hooks.clear();
    history.records.pop();
    assert_eq!(check(&history), [], "before the end no replica is asked");
}

#[test]
fn each_broken_one_is_reported() {
    type Spoiler = (&'static str, Kind, fn(&mut History));
    let spoilers: [Spoiler; 4] = [
        ("an event that was passed over", Kind::Gap, |history| history.records.push(taken(9))),
        ("an earlier one later", Kind::Reordered, |history| {
            history.records.extend([taken(8), taken(7)]);
        }),
        ("a cursor before its delivery", Kind::Lost, |history| {
            history.hooks.insert(2, [(hook(), FinalHook { delivered: 8, dead: vec![7] })].into());
        }),
        ("a cursor without any delivery", Kind::Lost, |history| {
            history.records.truncate(1);
        }),
    ];
    for (name, kind, spoil) in spoilers {
        let mut history = good();
        spoil(&mut history);
        let found = check(&history);
        let is_it = |found: &crate::checkers::Violation| (found.promise, found.kind) == (Promise::Hooks, kind);
        assert!(found.iter().any(is_it), "{name}: {found:?}");
    }
}
