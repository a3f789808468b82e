//! Messages that vanish at their time pass, and each way to break them is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{Change, Entry, FinalLog, History, Record, State};

const ANN: u64 = 1;

fn place() -> String {
    "g1".to_owned()
}

fn entry(seq: u64, time_ms: u64, sender: u64, change: Option<Change>) -> Entry {
    let message = change.is_none() && seq != 3;
    Entry { seq, time_ms, sender, id: format!("{sender}/{seq}"), message, change, ..Entry::default() }
}

/// A message for 50 ms, one that stays, an edit of the first that was erased with it, and its end.
fn good() -> History {
    let mut history = History::default();
    for (seq, after_ms) in [(1, Some(50)), (2, None)] {
        let (conversation, id) = (place(), format!("{ANN}/{seq}"));
        history.records.push(Record::Invoke {
            at: seq,
            device: 0,
            user: ANN,
            conversation: conversation.clone(),
            id: id.clone(),
        });
        let expires = after_ms.map(|after_ms| Record::Expires { at: seq, device: 0, conversation, id, after_ms });
        history.records.extend(expires);
    }
    let entries = vec![
        entry(1, 100, ANN, None),
        entry(2, 120, ANN, None),
        entry(3, 130, ANN, None),
        entry(4, 150, ANN, Some(Change::Vanished { to: 1 })),
    ];
    let (contents, edits) = (Some([(2, "aa".to_owned())].into()), Some(Default::default()));
    let log = FinalLog { head: 4, chain: "aa".to_owned(), entries, contents, edits, ..FinalLog::default() };
    for node in [1, 2] {
        history.finals.insert(node, [(place(), log.clone())].into());
    }
    history.records.push(page(3, &[1, 2], &[]));
    history.records.push(page(4, &[2], &[1]));
    history
}

fn page(head: u64, contents: &[u64], erased: &[u64]) -> Record {
    let contents = contents.iter().map(|seq| (*seq, "aa".to_owned())).collect();
    let state = |seq: &u64| State { seq: *seq, erased: true, edits: Vec::new(), digest: None };
    let states = erased.iter().map(state).collect();
    Record::Shown { at: 9, asked: 8, device: 0, conversation: place(), head, first: 1, last: 2, contents, states }
}

fn logs(history: &mut History) -> impl Iterator<Item = &mut FinalLog> {
    history.finals.values_mut().flat_map(|logs| logs.values_mut())
}

#[test]
fn messages_that_vanish_at_their_time_pass() {
    assert_eq!(check(&good()), []);
    let mut history = good();
    history.records.push(page(3, &[2], &[1]));
    assert_eq!(check(&history), [], "a page hides it before the event, when the clock says so");
}

#[test]
fn each_broken_one_is_reported() {
    type Spoiler = (&'static str, Kind, fn(&mut History));
    let spoilers: [Spoiler; 8] = [
        ("early", Kind::Lost, |history| logs(history).for_each(|log| log.entries[3].time_ms = 149)),
        ("by another user", Kind::Phantom, |history| {
            logs(history).for_each(|log| (log.entries[3].sender, log.entries[3].id) = (2, "2/4".to_owned()));
        }),
        ("one that was sent to stay", Kind::Lost, |history| {
            logs(history).for_each(|log| log.entries[3].change = Some(Change::Vanished { to: 2 }));
        }),
        ("of no message", Kind::Phantom, |history| {
            logs(history).for_each(|log| log.entries[3].change = Some(Change::Vanished { to: 3 }));
        }),
        ("never", Kind::Phantom, |history| logs(history).for_each(|log| log.entries[3].change = None)),
        ("kept by one replica", Kind::Phantom, |history| {
            let log = logs(history).next().and_then(|log| log.contents.as_mut());
            log.expect("contents").insert(1, "bb".to_owned());
        }),
        ("an edit is kept", Kind::Phantom, |history| {
            let log = logs(history).next().and_then(|log| log.contents.as_mut());
            log.expect("contents").insert(3, "bb".to_owned());
        }),
        ("shown later", Kind::Phantom, |history| history.records.push(page(4, &[1, 2], &[]))),
    ];
    for (name, kind, spoil) in spoilers {
        let mut history = good();
        spoil(&mut history);
        let found = check(&history);
        let is_told = found.iter().any(|found| found.promise == Promise::Vanishing && found.kind == kind);
        assert!(is_told, "{name}: {found:?}");
    }
}
