//! Messages that the hook has allowed pass, and one that it has not is reported.

use crate::checkers::before::check;
use crate::checkers::{Kind, Promise};
use crate::history::{Entry, FinalLog, History, Record};

fn asked(id: &str, allowed: bool) -> Record {
    Record::HookAsked { at: 1, conversation: "g1".to_owned(), id: id.to_owned(), allowed }
}

fn entry(seq: u64, id: &str) -> Entry {
    let mut entry: Entry =
        serde_json::from_value(serde_json::json!({ "seq": seq, "time_ms": 1, "sender": 9, "id": id, "message": true }))
            .expect("an entry");
    entry.message = true;
    entry
}

fn history(entries: Vec<Entry>) -> History {
    let mut history = History::default();
    history.records.push(Record::HookGuards { at: 1, conversation: "g1".to_owned() });
    history.records.extend([asked("9/a", true), asked("9/b", false), asked("9/b", true), asked("9/c", false)]);
    let log = FinalLog { head: entries.len() as u64, entries, ..FinalLog::default() };
    history.finals.insert(1, [("g1".to_owned(), log)].into());
    history
}

#[test]
fn allowed_messages_pass() {
    assert_eq!(check(&history(vec![entry(1, "9/a"), entry(2, "9/b")])), []);
    let created = Entry { message: false, ..entry(1, "9/x") };
    assert_eq!(check(&history(vec![created])), [], "an event that says nothing");
}

#[test]
fn a_message_that_no_hook_has_allowed_is_reported() {
    for id in ["9/c", "9/d"] {
        let found = check(&history(vec![entry(1, id)]));
        let is_it = found.iter().any(|found| (found.promise, found.kind) == (Promise::Hooks, Kind::Phantom));
        assert!(is_it, "{id}: {found:?}");
    }
    let mut other = history(vec![entry(1, "9/d")]);
    other.records.remove(0);
    assert_eq!(check(&other), [], "a group without a hook");
}
