//! Pushes of messages that were sent before an end or a mute pass, and each other one is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{Entry, FinalLog, History, PushStep, Record};

const CONVERSATION: &str = "d7-8";

fn step(at: u64, step: PushStep) -> Record {
    Record::Push { at, user: 8, step }
}

fn pushed(at: u64, subscription: u64, conversation: &str, seq: u64, sender: u64) -> Record {
    step(at, PushStep::Pushed { subscription, conversation: conversation.to_owned(), seq, sender })
}

/// User 7 sends at 10, 20, 30 and 40, and user 8 at 50. Subscription 1 ends at 25, and user 8 has
/// muted the conversation from 35 on.
fn good() -> History {
    let mut history = History::default();
    let mut entries = Vec::new();
    for (seq, user) in [(1, 7), (2, 7), (3, 7), (4, 7), (5, 8)] {
        let (at, id, conversation) = (seq * 10, format!("{user}/{seq}"), CONVERSATION.to_owned());
        entries.push(Entry { seq, time_ms: at, sender: user, id: id.clone(), message: true, ..Entry::default() });
        let invoke =
            Record::Invoke { at, device: user as u32, user, conversation: conversation.clone(), id: id.clone() };
        history.records.push(invoke);
        history.records.push(Record::Ack { at: at + 1, device: user as u32, conversation, id, seq });
    }
    let log = FinalLog { head: 5, entries, ..FinalLog::default() };
    for node in [0, 1] {
        history.finals.insert(node, [(CONVERSATION.to_owned(), log.clone())].into());
    }
    history.records.extend([
        step(5, PushStep::Asked { subscription: 1 }),
        step(6, PushStep::Asked { subscription: 2 }),
        pushed(12, 1, CONVERSATION, 1, 7),
        step(25, PushStep::Ended { subscription: 1 }),
        // In flight at the end, and another attempt.
        pushed(26, 1, CONVERSATION, 2, 7),
        pushed(29, 1, CONVERSATION, 2, 7),
        pushed(32, 2, CONVERSATION, 3, 7),
        step(35, PushStep::Muted { conversation: CONVERSATION.to_owned() }),
        pushed(36, 2, CONVERSATION, 3, 7),
    ]);
    history
}

fn found(history: &History) -> Vec<Kind> {
    let found = check(history).into_iter().filter(|found| found.promise == Promise::Pushes);
    found.map(|found| found.kind).collect()
}

#[test]
fn pushes_of_what_was_sent_before_an_end_or_a_mute_pass() {
    assert_eq!(found(&good()), []);
    // While the run lasts, the log may be behind.
    let mut early = good();
    early.finals.clear();
    assert_eq!(found(&early), []);
}

#[test]
fn each_push_against_its_subscription_is_reported() {
    let spoilers = [
        ("no subscription", pushed(60, 3, CONVERSATION, 1, 7)),
        ("an ended one", pushed(60, 1, CONVERSATION, 3, 7)),
        ("a muted conversation", pushed(60, 2, CONVERSATION, 4, 7)),
        ("the sender", pushed(60, 2, CONVERSATION, 5, 8)),
        ("another sender", pushed(60, 2, CONVERSATION, 1, 9)),
        ("no event", pushed(60, 2, CONVERSATION, 6, 7)),
    ];
    for (name, spoiler) in spoilers {
        let mut history = good();
        history.records.push(spoiler);
        assert_eq!(found(&history), [Kind::Phantom], "{name}");
    }
}

#[test]
fn a_push_to_a_stranger_is_reported() {
    let mut history = good();
    let log = history.finals[&0][CONVERSATION].clone();
    history.finals.entry(0).or_default().insert("d6-7".to_owned(), log);
    history.records.push(pushed(60, 2, "d6-7", 1, 7));
    assert_eq!(found(&history), [Kind::Phantom]);
}
