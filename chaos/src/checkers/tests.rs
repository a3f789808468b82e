//! Tests of the checkers: a good history passes, and each corruption is reported under its own
//! promise.

mod apart;
mod attachments;
mod before;
mod bots;
mod calls;
mod changes;
mod contacts;
mod hooks;
mod joins;
mod keys;
mod moderation;
mod oversight;
mod personal;
mod pins;
mod polls;
mod pushes;
mod reactions;
mod scheduled;
mod signals;
mod spoilers;
mod streams;
mod vanishing;

use proptest::prelude::*;

use self::spoilers::SPOILERS;
use super::*;
use crate::history::{Entry, FinalLog, Record};

const CONVERSATION: &str = "g1";

/// `count` messages by two devices in turn, all acknowledged, delivered to both, on three replicas.
fn good(count: u64) -> History {
    let mut history = History::default();
    let mut entries = Vec::new();
    let id = |seq: u64| format!("{seq:032x}");
    for seq in 1..=count {
        let device = (seq % 2) as u32;
        let user = 10 + u64::from(device);
        let conversation = CONVERSATION.to_owned();
        let at = seq * 100;
        history.records.push(Record::Invoke { at, device, user, conversation: conversation.clone(), id: id(seq) });
        history.records.push(Record::Ack { at: at + 10, device, conversation: conversation.clone(), id: id(seq), seq });
        for device in [0, 1] {
            let conversation = conversation.clone();
            history.records.push(Record::Deliver {
                at: at + 20,
                device,
                conversation,
                seq,
                sender: user,
                id: id(seq),
                message: true,
            });
        }
        history.records.push(Record::Cursor {
            at: at + 30,
            device: 0,
            conversation,
            user: 11,
            delivered: seq,
            read: seq - 1,
        });
        // The messages of the two alternate, and user 11 has read all but the last three.
        let (conversation, read) = (CONVERSATION.to_owned(), seq.saturating_sub(3));
        history.records.push(Record::Marked { at: at + 40, device: 0, conversation, user: 11, seq: read });
        history.records.push(Record::Listed {
            at: at + 60,
            asked: at + 50,
            device: 0,
            conversation: CONVERSATION.to_owned(),
            user: 11,
            head: seq,
            read,
            unread: (read + 1..=seq).filter(|seq| seq % 2 == 0).count() as u64,
            first: 1,
        });
        entries.push(Entry { seq, time_ms: at, sender: user, id: id(seq), message: true, ..Entry::default() });
    }
    let log = FinalLog { head: count, chain: "aa".into(), entries, ..FinalLog::default() };
    for node in 1..=3 {
        history.finals.insert(node, [(CONVERSATION.to_owned(), log.clone())].into());
    }
    for device in [0, 1] {
        history.cursors.insert(device, [(CONVERSATION.to_owned(), count)].into());
    }
    history
}

#[test]
fn a_good_history_passes() {
    assert_eq!(check(&good(50)), []);
    assert_eq!(check(&History::default()), []);
}

/// The property test below draws positions. This one tries the first, a middle, and a late
/// position.
#[test]
fn each_way_of_spoiling_is_flagged_at_every_place_tried() {
    assert!(SPOILERS.len() >= 60, "{} ways of spoiling", SPOILERS.len());
    for (name, promise, spoil) in SPOILERS.iter() {
        for at in [1, 2, 7, 16] {
            let mut history = good(20);
            spoil(&mut history, at);
            let found = check(&history);
            assert!(found.iter().any(|v| v.promise == *promise), "{name} at {at}: {found:?}");
        }
    }
}

proptest! {
    #[test]
    fn every_spoiled_history_is_flagged_under_its_promise(which in 0..SPOILERS.len(), count in 6u64..60, at in 1u64..60) {
        let (name, promise, spoil) = SPOILERS[which];
        let mut history = good(count);
        spoil(&mut history, 1 + at % (count - 4));
        let found = check(&history);
        prop_assert!(found.iter().any(|v| v.promise == promise), "{name} at {at} of {count}: {found:?}");
    }
}
