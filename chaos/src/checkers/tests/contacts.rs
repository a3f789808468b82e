//! A good history with contacts and blocks passes, and each way to break one is reported.

use crate::checkers::{Promise, check};
use crate::history::{ContactAct, Entry, FinalContact, FinalGate, FinalLog, History, Outcome, Record};

const CONVERSATION: &str = "d1-2";
const ANN: u64 = 1;
const BOB: u64 = 2;

fn act(history: &mut History, at: u64, (user, other): (u64, u64), act: ContactAct) {
    let (device, asked) = (user as u32, at);
    let record = |at, outcome| Record::Contact { at, asked, device, user, other, act, outcome };
    history.records.extend([record(at, Outcome::Asked), record(at + 5, Outcome::Done)]);
}

fn send(history: &mut History, at: u64, seq: u64) {
    let (device, id, conversation) = (BOB as u32, format!("{BOB}/{seq}"), CONVERSATION.to_owned());
    history.records.push(Record::Invoke { at, device, user: BOB, conversation: conversation.clone(), id: id.clone() });
    history.records.push(Record::Ack { at: at + 5, device, conversation, id, seq });
}

/// Both ask and are contacts; ann blocks bob, who writes before and after.
fn good() -> History {
    let mut history = History::default();
    act(&mut history, 10, (ANN, BOB), ContactAct::Ask);
    act(&mut history, 12, (BOB, ANN), ContactAct::Ask);
    send(&mut history, 20, 1);
    act(&mut history, 30, (ANN, BOB), ContactAct::Block);
    act(&mut history, 50, (ANN, BOB), ContactAct::Unblock);
    send(&mut history, 60, 2);
    act(&mut history, 70, (ANN, BOB), ContactAct::Block);
    let entry = |seq: u64| Entry {
        seq,
        time_ms: seq,
        sender: BOB,
        id: format!("{BOB}/{seq}"),
        message: true,
        ..Entry::default()
    };
    let log = FinalLog { head: 2, chain: "aa".to_owned(), entries: vec![entry(1), entry(2)], ..FinalLog::default() };
    history.finals.insert(1, [(CONVERSATION.to_owned(), log)].into());
    let row = |user, other, blocked| FinalContact {
        user,
        other,
        version: 7,
        wants: true,
        wanted: true,
        blocked,
        owed: false,
    };
    history.contacts.insert(1, vec![row(ANN, BOB, true)]);
    history.contacts.insert(2, vec![row(ANN, BOB, true), row(BOB, ANN, false)]);
    history.gates.insert(1, vec![FinalGate { user: ANN, other: BOB, version: 7, closed: true }]);
    history
}

#[test]
fn good_contacts_pass() {
    assert_eq!(check(&good()), []);
}

#[test]
fn each_broken_contact_is_reported() {
    type Spoiler = (&'static str, fn(&mut History));
    let spoilers: [Spoiler; 8] = [
        ("a contact of one side", |history| history.contacts.get_mut(&2).expect("rows")[1].wanted = false),
        ("an acceptance that is lost", |history| {
            for rows in history.contacts.values_mut() {
                for row in rows {
                    *(if row.user == BOB { &mut row.wants } else { &mut row.wanted }) = false;
                }
            }
        }),
        ("replicas that differ", |history| history.contacts.get_mut(&1).expect("rows")[0].blocked = false),
        ("a row that is owed", |history| history.contacts.get_mut(&2).expect("rows")[1].owed = true),
        ("a block without a gate", |history| drop(history.gates.remove(&1))),
        ("a gate without a block", |history| {
            history.gates.get_mut(&1).expect("gates").push(FinalGate {
                user: BOB,
                other: ANN,
                version: 7,
                closed: true,
            });
        }),
        ("a message under a block", |history| send(history, 40, 3)),
        ("a message under the last block", |history| send(history, 90, 4)),
    ];
    for (name, spoil) in spoilers {
        let mut history = good();
        spoil(&mut history);
        let found = check(&history);
        assert!(found.iter().any(|found| found.promise == Promise::Contacts), "{name}: {found:?}");
    }
}
