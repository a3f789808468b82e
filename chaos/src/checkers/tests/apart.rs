//! Refusals between plain members pass, and each way in which they meet is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{ApartStep, Entry, FinalContact, FinalLog, History, Record};

fn step(step: ApartStep) -> Record {
    Record::Apart { at: 1, conversation: "g1".to_owned(), step }
}

/// Users 7 and 8 are plain members, and 1 keeps the group.
fn good() -> History {
    let mut history = History::default();
    history.records.push(step(ApartStep::Begun { users: vec![7, 8] }));
    history.records.push(step(ApartStep::Refused { user: 7, other: 8 }));
    history.records.push(step(ApartStep::Shown { user: 1 }));
    history.records.push(step(ApartStep::Reached { user: 8, other: 1 }));
    history.finals.insert(1, [("d1-8".to_owned(), log())].into());
    history.contacts.insert(1, vec![contact(1, 8, true)]);
    history
}

fn log() -> FinalLog {
    let entry = Entry { seq: 1, sender: 8, id: "8/a".to_owned(), ..Entry::default() };
    FinalLog { head: 1, entries: vec![entry], ..FinalLog::default() }
}

fn contact(user: u64, other: u64, wants: bool) -> FinalContact {
    FinalContact { user, other, version: 1, wants, wanted: false, blocked: false, owed: false }
}

fn found(history: &History) -> Vec<Kind> {
    let found = check(history).into_iter().filter(|found| found.promise == Promise::Apart);
    found.map(|found| found.kind).collect()
}

#[test]
fn members_that_do_not_meet_pass() {
    assert_eq!(found(&good()), []);
    let mut ended = good();
    ended.contacts.insert(1, vec![contact(7, 8, false)]);
    assert_eq!(found(&ended), [], "a block is no contact");
}

#[test]
fn each_way_to_meet_is_reported() {
    type Spoiler = (Kind, fn(&mut History));
    let spoilers: [Spoiler; 5] = [
        (Kind::Phantom, |history| history.records.push(step(ApartStep::Shown { user: 7 }))),
        (Kind::Phantom, |history| history.records.push(step(ApartStep::Reached { user: 7, other: 8 }))),
        (Kind::Lost, |history| history.records.push(step(ApartStep::Refused { user: 7, other: 1 }))),
        (Kind::Phantom, |history| drop(history.finals.insert(2, [("d7-8".to_owned(), log())].into()))),
        (Kind::Phantom, |history| drop(history.contacts.insert(2, vec![contact(7, 8, true)]))),
    ];
    for (at, (kind, spoil)) in spoilers.into_iter().enumerate() {
        let mut history = good();
        spoil(&mut history);
        assert_eq!(found(&history), [kind], "spoiler {at}");
    }
}
