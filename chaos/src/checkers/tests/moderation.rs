//! A moderated group passes, and each way to speak against its rules is reported.

use crate::checkers::{Promise, check};
use crate::history::{Entry, FinalLog, History, Record, Rule};

const CONVERSATION: &str = "g1";
const ANN: u64 = 1;
const BOB: u64 = 2;

fn entry(seq: u64, time_ms: u64, sender: u64, rule: Option<Rule>) -> Entry {
    let message = rule.is_none();
    Entry { seq, time_ms, sender, id: format!("{sender}/{seq}"), message, rule, ..Entry::default() }
}

fn good() -> Vec<Entry> {
    let set = |slow_ms, muted_until| Some(Rule::Set { slow_ms, muted_until, approval: None });
    let muted = |until| Some(Rule::Muted { user: BOB, until });
    let banned = |lifted| Some(Rule::Banned { user: BOB, lifted });
    let added = || Some(Rule::Added { users: vec![BOB] });
    vec![
        entry(1, 10, ANN, Some(Rule::Created)),
        entry(2, 10, ANN, added()),
        entry(3, 11, BOB, None),
        entry(4, 12, ANN, muted(20)),
        entry(5, 20, BOB, None),
        entry(6, 21, ANN, set(Some(5), None)),
        entry(7, 22, BOB, None),
        entry(8, 27, BOB, None),
        entry(9, 28, ANN, None),
        entry(10, 28, ANN, None),
        entry(11, 29, ANN, set(Some(0), Some(40))),
        entry(12, 30, ANN, None),
        entry(13, 40, BOB, None),
        entry(14, 41, ANN, Some(Rule::Removed { user: BOB })),
        entry(15, 41, ANN, banned(false)),
        entry(16, 42, ANN, banned(true)),
        entry(17, 43, ANN, added()),
        entry(18, 44, BOB, None),
        entry(19, 45, ANN, Some(Rule::Disbanded)),
    ]
}

fn history(entries: Vec<Entry>) -> History {
    let mut history = History::default();
    for said in entries.iter().filter(|entry| entry.message) {
        let (conversation, id) = (CONVERSATION.to_owned(), said.id.clone());
        history.records.push(Record::Invoke { at: said.time_ms, device: 1, user: said.sender, conversation, id });
    }
    let log = FinalLog { head: entries.len() as u64, chain: "aa".to_owned(), entries, ..FinalLog::default() };
    history.finals.insert(1, [(CONVERSATION.to_owned(), log)].into());
    history
}

#[test]
fn a_moderated_group_passes() {
    assert_eq!(check(&history(good())), []);
}

#[test]
fn each_word_against_the_rules_is_reported() {
    type Spoiler = (&'static str, fn(&mut Vec<Entry>));
    let spoilers: [Spoiler; 7] = [
        ("muted", |log| log[4].time_ms = 19),
        ("in slow mode", |log| log[7].time_ms = 26),
        ("while all are muted", |log| log[12].time_ms = 39),
        ("banned and added", |log| log[15].rule = None),
        ("no admin any more", |log| log[2].rule = Some(Rule::Role { user: ANN, admin: false })),
        ("an admin that is muted", |log| log[3].rule = Some(Rule::Muted { user: ANN, until: 99 })),
        ("behind the end", |log| log.push(entry(20, 50, ANN, None))),
    ];
    for (name, spoil) in spoilers {
        let mut log = good();
        spoil(&mut log);
        let found = check(&history(log));
        assert!(found.iter().any(|found| found.promise == Promise::Moderation), "{name}: {found:?}");
    }
}
