//! States of conversations that two devices change pass, and each way to break them is reported.

use crate::checkers::{Kind, Promise, Violation, check};
use crate::history::{History, Outcome, Personal, Record};

const ANN: u64 = 1;

fn act(device: u32, asked: u64, personal: &Personal, done: u64, outcome: Outcome) -> [Record; 2] {
    let record = |at, outcome| {
        let (conversation, personal) = ("everyone".to_owned(), personal.clone());
        Record::Personal { at, asked, device, user: ANN, conversation, personal, outcome }
    };
    [record(asked, Outcome::Asked), record(done, outcome)]
}

fn state(asked: u64, version: u64, pin: u64, cleared: u64) -> Record {
    let conversation = "everyone".to_owned();
    Record::PersonalState { at: asked + 1, asked, device: 7, user: ANN, conversation, version, pin, cleared }
}

fn page(asked: u64, shown: &[u64]) -> Record {
    let conversation = "everyone".to_owned();
    Record::PersonalPage { at: asked + 1, asked, device: 7, user: ANN, conversation, shown: shown.to_vec() }
}

fn save(seq: u64, removed: bool) -> Personal {
    Personal::Save { seq, removed }
}

fn list(asked: u64, seqs: &[u64]) -> Record {
    let conversation = "everyone".to_owned();
    Record::Saved { at: asked + 1, asked, device: 7, user: ANN, conversation, seqs: seqs.to_vec() }
}

fn pin(seen: u64, was: u64, to: u64) -> Personal {
    Personal::Pin { seen: Some(seen), was, to }
}

/// One device pins twice, and the other one is refused once, clears, and pins.
fn good() -> Vec<Record> {
    let mut records = vec![state(1, 0, 0, 0)];
    records.extend(act(7, 10, &pin(0, 0, 101), 12, Outcome::Done));
    records.extend([state(20, 1, 101, 0), page(22, &[1, 2, 3])]);
    records.extend(act(8, 30, &pin(0, 0, 201), 32, Outcome::Refused));
    records.extend(act(8, 40, &Personal::Clear { to: 2 }, 42, Outcome::Done));
    records.extend([state(50, 2, 101, 2), page(52, &[3])]);
    records.extend(act(8, 60, &pin(2, 101, 202), 62, Outcome::Done));
    records.push(state(70, 3, 202, 2));
    records.extend(act(7, 72, &Personal::Delete { seq: 3 }, 74, Outcome::Done));
    records.push(page(76, &[4]));
    records.extend(act(7, 77, &save(4, false), 78, Outcome::Done));
    records.extend(act(8, 77, &save(5, false), 78, Outcome::Done));
    records.extend(act(8, 79, &save(5, true), 79, Outcome::Done));
    records.push(list(80, &[4]));
    records
}

fn found(records: Vec<Record>) -> Vec<Violation> {
    let history = History { records, ..History::default() };
    check(&history).into_iter().filter(|found| found.promise == Promise::Personal).collect()
}

#[test]
fn states_that_two_devices_change_pass() {
    assert_eq!(found(good()), []);
}

#[test]
fn each_broken_state_is_reported() {
    let with = |records: &[Record]| {
        let mut all = good();
        all.extend_from_slice(records);
        found(all)
    };
    let stale = act(7, 80, &pin(1, 101, 102), 82, Outcome::Done);
    for (name, kind, records) in [
        ("a stale device wins", Kind::Reordered, &stale[..]),
        ("a version goes back", Kind::Reordered, &[state(80, 2, 202, 2)][..]),
        ("an acknowledged change is lost", Kind::Lost, &[state(80, 4, 101, 2)][..]),
        ("all changes are lost", Kind::Lost, &[state(80, 4, 0, 2)][..]),
        ("a refused change is shown", Kind::Phantom, &[state(80, 4, 201, 2)][..]),
        ("a cleared history comes back", Kind::Lost, &[state(80, 4, 202, 1)][..]),
        ("a page shows a cleared event", Kind::Phantom, &[page(80, &[2, 4])][..]),
        ("a saved message is lost", Kind::Lost, &[list(81, &[])][..]),
        ("a removed message is listed", Kind::Phantom, &[list(81, &[4, 5])][..]),
        ("a page shows a deleted message", Kind::Phantom, &[page(80, &[3, 4])][..]),
    ] {
        let found = with(records);
        assert!(found.iter().any(|found| found.kind == kind), "{name}: {found:?}");
    }
}
