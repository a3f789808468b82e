//! Signals between members pass, and those of outsiders and second copies are reported.

use crate::checkers::{Kind, Promise, Violation, check};
use crate::history::{Entry, FinalLog, History, Record, Rule};

fn entry(seq: u64, rule: Option<Rule>) -> Entry {
    let id = format!("1/{seq}");
    Entry { seq, time_ms: seq, sender: 1, id, rule, ..Entry::default() }
}

fn signalled(device: u32, user: u64, conversation: &str, from: u64, id: &str, seq: u64) -> Record {
    let (conversation, id) = (conversation.to_owned(), id.to_owned());
    Record::Signalled { at: 1, device, user, conversation, from, id, seq }
}

/// User 3 is in the group from 2 to 4.
fn good() -> History {
    let rules = [Some(Rule::Created), Some(Rule::Added { users: vec![2, 3] }), None, Some(Rule::Removed { user: 3 })];
    let entries = (1..).zip(rules).map(|(seq, rule)| entry(seq, rule)).collect();
    let log = FinalLog { head: 4, chain: "aa".to_owned(), entries, ..FinalLog::default() };
    let records = vec![
        signalled(10, 1, "g1", 3, "a", 3),
        signalled(11, 2, "g1", 3, "a", 3),
        signalled(11, 2, "g1", 1, "b", 4),
        signalled(10, 1, "d1-2", 2, "c", 1),
    ];
    History { records, finals: [(1, [("g1".to_owned(), log)].into())].into(), ..History::default() }
}

fn of_signals(history: &History) -> Vec<Violation> {
    check(history).into_iter().filter(|found| found.promise == Promise::Signals).collect()
}

#[test]
fn signals_between_members_pass() {
    assert_eq!(of_signals(&good()), []);
    let mut history = good();
    history.finals.values_mut().flat_map(|logs| logs.values_mut()).for_each(|log| {
        log.entries.iter_mut().for_each(|entry| entry.rule = None);
    });
    assert_eq!(of_signals(&history), [], "real processes do not tell the members");
}

#[test]
fn outsiders_and_second_copies_are_reported() {
    for (name, kind, record) in [
        ("a second copy", Kind::Duplicated, signalled(10, 1, "g1", 3, "a", 3)),
        ("of a former member", Kind::Phantom, signalled(10, 1, "g1", 3, "z", 4)),
        ("to a former member", Kind::Phantom, signalled(12, 3, "g1", 1, "z", 4)),
        ("to a member to be", Kind::Phantom, signalled(12, 3, "g1", 1, "z", 1)),
        ("in a conversation of others", Kind::Phantom, signalled(12, 3, "d1-2", 1, "z", 1)),
        ("to all", Kind::Phantom, signalled(10, 1, "everyone", 2, "z", 1)),
    ] {
        let mut history = good();
        history.records.push(record);
        let found = of_signals(&history);
        assert!(found.iter().any(|found| found.kind == kind), "{name}: {found:?}");
    }
}
