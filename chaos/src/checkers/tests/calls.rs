//! Calls that are answered, refused or missed pass, and each way to break them is reported.

use crate::checkers::{Kind, Promise, Violation, check};
use crate::history::{CallStep, Entry, FinalLog, History, Record};

const ANN: u64 = 1;
const BOB: u64 = 2;
const RINGS_MS: u64 = troupe_core::limits::CALL_RINGS_MS;

fn place() -> String {
    "d1-2".to_owned()
}

fn entry(seq: u64, time_ms: u64, sender: u64, call: CallStep) -> Entry {
    let id = format!("{sender}/{seq}");
    Entry { seq, time_ms, sender, id, call: Some(call), ..Entry::default() }
}

fn ended(call: u64, outcome: &str, lasted_ms: u64) -> CallStep {
    CallStep::Ended { call, caller: ANN, outcome: outcome.to_owned(), lasted_ms }
}

fn good() -> History {
    let missed = 1_000 + RINGS_MS;
    let entries = vec![
        entry(1, 10, ANN, CallStep::Started),
        entry(2, 20, BOB, CallStep::Answered { call: 1 }),
        entry(3, 50, ANN, ended(1, "talked", 30)),
        entry(4, 60, ANN, CallStep::Started),
        entry(5, 70, BOB, ended(4, "refused", 0)),
        entry(6, 80, ANN, CallStep::Started),
        entry(7, 90, ANN, ended(6, "cancelled", 0)),
        entry(8, 1_000, ANN, CallStep::Started),
        entry(9, missed, ANN, ended(8, "missed", 0)),
    ];
    let called = |device, seq, sender: u64, accepts| {
        let (conversation, id) = (place(), format!("{sender}/{seq}"));
        Record::Called { at: seq, device, conversation, id, seq, accepts }
    };
    let taken = Record::Taken { at: 3, device: 12, conversation: place(), call: 1 };
    let records = vec![called(10, 1, ANN, None), called(11, 2, BOB, Some(1)), taken, called(10, 3, ANN, None)];
    let log = FinalLog { head: 9, chain: "aa".to_owned(), entries, ..FinalLog::default() };
    History { records, finals: [(1, [(place(), log)].into())].into(), ..History::default() }
}

fn of_calls(history: &History) -> Vec<Violation> {
    check(history).into_iter().filter(|found| found.promise == Promise::Calls).collect()
}

#[test]
fn calls_that_are_answered_refused_or_missed_pass() {
    assert_eq!(of_calls(&good()), []);
}

#[test]
fn each_broken_call_is_reported() {
    type Spoiler = (&'static str, Kind, fn(&mut Vec<Entry>));
    let in_log: [Spoiler; 8] = [
        ("two winners", Kind::Duplicated, |log| log[2] = entry(3, 50, BOB, CallStep::Answered { call: 1 })),
        ("two calls at once", Kind::Duplicated, |log| log[1] = entry(2, 20, BOB, CallStep::Started)),
        ("an answer of the caller", Kind::Phantom, |log| log[1].sender = ANN),
        ("an answer to a call that is over", Kind::Phantom, |log| {
            log[5] = entry(6, 80, BOB, CallStep::Answered { call: 4 });
        }),
        ("a wrong duration", Kind::Phantom, |log| log[2].call = Some(ended(1, "talked", 31))),
        ("a refusal by the caller", Kind::Phantom, |log| log[4].sender = ANN),
        ("a cancelled call that was answered", Kind::Phantom, |log| log[2].call = Some(ended(1, "cancelled", 30))),
        ("missed before its time", Kind::Phantom, |log| log[8].time_ms -= 1),
    ];
    for (name, kind, spoil) in in_log {
        let mut history = good();
        history.finals.values_mut().flat_map(|logs| logs.values_mut()).for_each(|log| spoil(&mut log.entries));
        let found = of_calls(&history);
        assert!(found.iter().any(|found| found.kind == kind), "{name}: {found:?}");
    }
}

#[test]
fn each_untrue_answer_is_reported() {
    let called = |device, id: &str, seq, accepts| Record::Called {
        at: 9,
        device,
        conversation: place(),
        id: id.to_owned(),
        seq,
        accepts,
    };
    for (name, kind, record) in [
        ("another place", Kind::Lost, called(10, "1/1", 2, None)),
        ("a second winner", Kind::Duplicated, called(12, "2/5", 5, Some(1))),
        ("no winner", Kind::Phantom, Record::Taken { at: 9, device: 12, conversation: place(), call: 4 }),
    ] {
        let mut history = good();
        history.records.push(record);
        let found = of_calls(&history);
        assert!(found.iter().any(|found| found.kind == kind), "{name}: {found:?}");
    }
}
