//! A group by approval passes, and each way around an approval is reported.

use crate::checkers::{Promise, check};
use crate::history::{Entry, FinalLog, History, Rule};

const ANN: u64 = 1;
const BOB: u64 = 2;

fn good() -> Vec<Entry> {
    let closed = || Some(Rule::Closed { user: BOB });
    let set = |approval| Some(Rule::Set { slow_ms: None, muted_until: None, approval: Some(approval) });
    let rules = [
        (ANN, Some(Rule::Created)),
        (ANN, set(true)),
        (BOB, Some(Rule::Asked)),
        (ANN, closed()),
        (BOB, Some(Rule::Asked)),
        (BOB, closed()),
        (BOB, Some(Rule::Asked)),
        (ANN, Some(Rule::Added { users: vec![BOB] })),
        (ANN, Some(Rule::Removed { user: BOB })),
        (ANN, set(false)),
        (BOB, Some(Rule::Added { users: vec![BOB] })),
    ];
    let entry = |(seq, (sender, rule)): (usize, (u64, Option<Rule>))| {
        let seq = seq as u64 + 1;
        Entry { seq, time_ms: seq, sender, id: format!("{sender}/{seq}"), rule, ..Entry::default() }
    };
    rules.into_iter().enumerate().map(entry).collect()
}

fn history(entries: Vec<Entry>) -> History {
    let mut history = History::default();
    let log = FinalLog { head: entries.len() as u64, chain: "aa".to_owned(), entries, ..FinalLog::default() };
    history.finals.insert(1, [("g1".to_owned(), log)].into());
    history
}

#[test]
fn a_group_by_approval_passes() {
    assert_eq!(check(&history(good())), []);
}

#[test]
fn each_way_around_an_approval_is_reported() {
    type Spoiler = (&'static str, fn(&mut Vec<Entry>));
    let spoilers: [Spoiler; 6] = [
        ("in by itself", |log| log[9].rule = None),
        ("no requests are taken", |log| log[1].rule = None),
        ("asked twice", |log| log[3].rule = None),
        ("asked by a member", |log| log[7].sender = ANN),
        ("refused by an outsider", |log| log[3].sender = 3),
        ("ended twice", |log| log[2].rule = None),
    ];
    for (name, spoil) in spoilers {
        let mut log = good();
        spoil(&mut log);
        if name == "asked by a member" {
            log[8].rule = Some(Rule::Asked);
            log[8].sender = BOB;
        }
        let found = check(&history(log));
        assert!(found.iter().any(|found| found.promise == Promise::Joins), "{name}: {found:?}");
    }
}
