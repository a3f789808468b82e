//! A good history with edits and recalls passes, and each way to break one is reported.

use crate::checkers::{Kind, Promise, Violation, check};
use crate::history::{Change, Contents, Entry, FinalLog, History, Record, State};

const CONVERSATION: &str = "d1-2";
const ANN: u64 = 1;
const BOB: u64 = 2;

fn entry(seq: u64, sender: u64, change: Option<Change>) -> Entry {
    let (id, message) = (format!("{sender}/{seq}"), change.is_none());
    Entry { seq, time_ms: seq, sender, id, message, change, ..Entry::default() }
}

fn edited(to: u64, digest: &str) -> Option<Change> {
    Some(Change::Edited { to, digest: digest.to_owned() })
}

fn recalled(to: u64) -> Option<Change> {
    Some(Change::Recalled { to })
}

fn bodies(of: &[(u64, &str)]) -> Contents {
    of.iter().map(|(seq, digest)| (*seq, (*digest).to_owned())).collect()
}

fn state(seq: u64, edits: &[u64], digest: &str) -> State {
    State { seq, erased: false, edits: edits.to_vec(), digest: Some(digest.to_owned()) }
}

fn page(asked: u64, head: u64, contents: Contents, states: Vec<State>) -> Record {
    let conversation = CONVERSATION.to_owned();
    Record::Shown { at: asked + 1, asked, device: 0, conversation, head, first: 1, last: head, contents, states }
}

fn acked(at: u64, seq: u64, sender: u64, change: Option<Change>) -> Record {
    let (conversation, id) = (CONVERSATION.to_owned(), format!("{sender}/{seq}"));
    Record::Changed { at, device: 0, conversation, id, seq, change: change.expect("a change") }
}

/// Ann edits her message twice, and Bob takes his back, edit and all.
fn good() -> History {
    let entries = vec![
        entry(1, ANN, None),
        entry(2, BOB, None),
        entry(3, ANN, edited(1, "b")),
        entry(4, BOB, edited(2, "y")),
        entry(5, ANN, edited(1, "c")),
        entry(6, BOB, recalled(2)),
    ];
    let mut history = History::default();
    let invoke = |seq: u64, user: u64| {
        let (conversation, id) = (CONVERSATION.to_owned(), format!("{user}/{seq}"));
        Record::Invoke { at: seq, device: user as u32, user, conversation, id }
    };
    let erased = State { seq: 2, erased: true, edits: Vec::new(), digest: None };
    let all = bodies(&[(1, "a"), (2, "x"), (3, "b"), (4, "y")]);
    history.records.extend([
        invoke(1, ANN),
        invoke(2, BOB),
        acked(10, 3, ANN, edited(1, "b")),
        acked(10, 4, BOB, edited(2, "y")),
        page(11, 4, all, vec![state(1, &[3], "b"), state(2, &[4], "y")]),
        acked(20, 6, BOB, recalled(2)),
        page(21, 6, bodies(&[(1, "a"), (3, "b"), (5, "c")]), vec![state(1, &[3, 5], "c"), erased]),
    ]);
    let log = FinalLog {
        head: 6,
        chain: "aa".to_owned(),
        entries,
        contents: Some(bodies(&[(1, "a"), (3, "b"), (5, "c")])),
        edits: Some([(1, vec![3, 5])].into()),
        ..FinalLog::default()
    };
    for node in 1..=2 {
        history.finals.insert(node, [(CONVERSATION.to_owned(), log.clone())].into());
    }
    history
}

fn on_each_log(history: &mut History, change: impl Fn(&mut FinalLog)) {
    history.finals.values_mut().flat_map(|logs| logs.values_mut()).for_each(change);
}

fn in_last_page(history: &mut History, change: impl Fn(&mut Contents, &mut Vec<State>)) {
    if let Some(Record::Shown { contents, states, .. }) = history.records.last_mut() {
        change(contents, states);
    }
}

#[test]
fn good_edits_and_recalls_pass() {
    assert_eq!(check(&good()), []);
}

#[test]
fn an_edit_that_a_replica_has_erased_already_says_nothing_of_its_message() {
    let mut history = good();
    on_each_log(&mut history, |log| log.entries[3].change = None);
    assert_eq!(check(&history), []);
}

#[test]
fn each_broken_edit_and_recall_is_reported() {
    type Spoiler = (&'static str, Promise, Kind, fn(&mut History));
    let (edits, recalls) = (Promise::Edits, Promise::Recalls);
    let spoilers: [Spoiler; 17] = [
        ("edited by another", edits, Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[4] = entry(5, BOB, edited(1, "c")));
        }),
        ("an edit of no message", edits, Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[4] = entry(5, ANN, edited(3, "c")));
        }),
        ("an edit of a recalled message", edits, Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries.push(entry(7, BOB, edited(2, "z"))));
        }),
        ("an acknowledged edit is another", edits, Kind::Lost, |history| {
            on_each_log(history, |log| log.entries[2] = entry(3, ANN, edited(1, "?")));
        }),
        ("a replica has lost an edit", edits, Kind::Diverged, |history| {
            on_each_log(history, |log| log.edits = Some([(1, vec![3])].into()));
        }),
        ("a replica keeps the edits of a recalled message", edits, Kind::Diverged, |history| {
            on_each_log(history, |log| drop(log.edits.as_mut().map(|edits| edits.insert(2, vec![4]))));
        }),
        ("a page shows an earlier edit", edits, Kind::Diverged, |history| {
            in_last_page(history, |_, states| states[0].digest = Some("b".to_owned()));
        }),
        ("a page lacks an edit", edits, Kind::Diverged, |history| {
            in_last_page(history, |_, states| states[0] = state(1, &[3], "b"));
        }),
        ("a page shows no edit at all", edits, Kind::Diverged, |history| {
            in_last_page(history, |_, states| drop(states.remove(0)));
        }),
        ("a replica keeps the message", recalls, Kind::Phantom, |history| {
            on_each_log(history, |log| log.contents.iter_mut().for_each(|of| drop(of.insert(2, "x".to_owned()))));
        }),
        ("a replica keeps the edit", recalls, Kind::Phantom, |history| {
            on_each_log(history, |log| log.contents.iter_mut().for_each(|of| drop(of.insert(4, "y".to_owned()))));
        }),
        ("a replica has erased too much", recalls, Kind::Lost, |history| {
            on_each_log(history, |log| log.contents.iter_mut().for_each(|of| drop(of.remove(&1))));
        }),
        ("a page has the message", recalls, Kind::Phantom, |history| {
            in_last_page(history, |contents, _| drop(contents.insert(2, "x".to_owned())));
        }),
        ("a page does not mark it", recalls, Kind::Diverged, |history| {
            in_last_page(history, |_, states| drop(states.pop()));
        }),
        ("a page from after the recall is from before it", recalls, Kind::Phantom, |history| {
            let all = bodies(&[(1, "a"), (2, "x"), (3, "b"), (4, "y")]);
            history.records.push(page(30, 4, all, vec![state(1, &[3], "b"), state(2, &[4], "y")]));
        }),
        ("an acknowledged recall is missing", recalls, Kind::Lost, |history| {
            on_each_log(history, |log| log.entries[5].change = None);
        }),
        ("recalled by another", recalls, Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[5] = entry(6, ANN, recalled(2)));
        }),
    ];
    for (name, promise, kind, spoil) in spoilers {
        let mut history = good();
        spoil(&mut history);
        let found = check(&history);
        let is_it = |found: &Violation| found.promise == promise && found.kind == kind;
        assert!(found.iter().any(is_it), "{name}: {found:?}");
    }
    let mut twice = good();
    on_each_log(&mut twice, |log| log.entries.push(entry(7, BOB, recalled(2))));
    assert!(check(&twice).iter().any(|found| found.promise == Promise::Recalls && found.kind == Kind::Duplicated));
}
