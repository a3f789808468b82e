//! The checkers themselves are tested: a good history passes, and each way of spoiling it is flagged under its own promise.

use proptest::prelude::*;

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
        entries.push(Entry { seq, time_ms: at, sender: user, id: id(seq), message: true });
    }
    let log = FinalLog { head: count, chain: "aa".into(), entries };
    for node in 1..=3 {
        history.finals.insert(node, [(CONVERSATION.to_owned(), log.clone())].into());
    }
    for device in [0, 1] {
        history.cursors.insert(device, [(CONVERSATION.to_owned(), count)].into());
    }
    history
}

type Spoil = fn(&mut History, u64);

/// Ways to spoil a good history at position `at` (1-based seq, below the count), and what must be flagged.
const SPOILERS: &[(&str, Promise, Spoil)] = &[
    ("acked but in no log", Promise::Durable, |h, at| {
        for log in logs(h) {
            log.entries.remove(at as usize - 1);
            log.entries.iter_mut().enumerate().for_each(|(i, e)| e.seq = i as u64 + 1);
            log.head -= 1;
        }
    }),
    ("acked at another place", Promise::Durable, |h, at| {
        let ack = h.records.iter_mut().find_map(|r| match r {
            Record::Ack { seq, .. } if *seq == at => Some(seq),
            _ => None,
        });
        *ack.expect("every seq is acked") += 1;
    }),
    ("one id at two places", Promise::ExactlyOnce, |h, at| {
        for log in logs(h) {
            let (sender, id) = (log.entries[at as usize - 1].sender, log.entries[at as usize - 1].id.clone());
            let seq = log.head + 1;
            let time_ms = u64::MAX;
            log.entries.push(Entry { seq, time_ms, sender, id, message: true });
            log.head += 1;
        }
    }),
    ("handed out twice", Promise::ExactlyOnce, |h, at| {
        let index = delivery(h, at);
        let record = h.records[index].clone();
        h.records.insert(index, record);
    }),
    ("a hole in a device's deliveries", Promise::OneOrder, |h, at| {
        let index = delivery(h, at.max(2));
        h.records.remove(index);
    }),
    ("two deliveries swapped", Promise::OneOrder, |h, at| {
        let (a, b) = (delivery(h, at), delivery(h, at + 1));
        h.records.swap(a, b);
    }),
    ("another message at the same place", Promise::OneOrder, |h, at| {
        let index = delivery(h, at);
        if let Record::Deliver { id, .. } = &mut h.records[index] {
            *id = format!("{:032x}", at + 1);
        }
    }),
    ("a device that never caught up", Promise::OneOrder, |h, _| {
        for cursors in h.cursors.values_mut() {
            cursors.values_mut().for_each(|at| *at -= 1);
        }
    }),
    ("a hole in the log", Promise::OneOrder, |h, at| {
        for log in logs(h) {
            log.entries.remove(at as usize - 1);
        }
    }),
    ("time that goes back", Promise::OneOrder, |h, at| {
        for log in logs(h) {
            log.entries[at as usize].time_ms = 1;
        }
    }),
    ("a device's sends in the wrong order", Promise::DeviceOrder, |h, at| {
        // The device's next message is two places on.
        for log in logs(h) {
            let (a, b) = (at as usize - 1, at as usize + 1);
            let held = log.entries[a].id.clone();
            log.entries[a].id = log.entries[b].id.clone();
            log.entries[b].id = held;
        }
    }),
    ("a later send before an earlier ack", Promise::RealTime, |h, at| {
        for log in logs(h) {
            let (a, b) = (at as usize - 1, at as usize);
            let held = log.entries[a].clone();
            log.entries[a].id = log.entries[b].id.clone();
            log.entries[b].id = held.id;
        }
    }),
    ("a message from nowhere", Promise::HonestErrors, |h, at| {
        for log in logs(h) {
            log.entries[at as usize - 1].id = "f".repeat(32);
        }
    }),
    ("a message under another sender", Promise::HonestErrors, |h, at| {
        for log in logs(h) {
            log.entries[at as usize - 1].sender = 99;
        }
    }),
    ("a rejected message that appears", Promise::HonestErrors, |h, at| {
        h.records.push(Record::Reject {
            at: 1,
            device: 0,
            conversation: CONVERSATION.into(),
            id: format!("{at:032x}"),
            code: "not_member".into(),
        });
    }),
    ("a cursor that goes back", Promise::Cursors, |h, at| {
        let record =
            h.records.iter().position(|r| matches!(r, Record::Cursor { delivered, .. } if *delivered == at + 1));
        let index = record.expect("a cursor record");
        if let Record::Cursor { delivered, .. } = &mut h.records[index] {
            *delivered = at - 1;
        }
    }),
    ("a cursor beyond the head", Promise::Cursors, |h, _| {
        h.records.push(Record::Cursor {
            at: u64::MAX,
            device: 0,
            conversation: CONVERSATION.into(),
            user: 11,
            delivered: 1_000_000,
            read: 1_000,
        });
    }),
    ("a replica with other content", Promise::Replicas, |h, at| {
        let log = logs(h).next().expect("three replicas");
        log.entries[at as usize - 1].time_ms += 1;
    }),
    ("a replica that lags", Promise::Replicas, |h, _| {
        let log = logs(h).next().expect("three replicas");
        log.entries.pop();
        log.head -= 1;
    }),
    ("a replica with another chain", Promise::Replicas, |h, _| {
        logs(h).next().expect("three replicas").chain = "bb".into();
    }),
];

fn logs(history: &mut History) -> impl Iterator<Item = &mut FinalLog> {
    history.finals.values_mut().flat_map(|logs| logs.values_mut())
}

/// Index of the delivery of `at` to device 0.
fn delivery(history: &History, at: u64) -> usize {
    let found = history.records.iter().position(|r| matches!(r, Record::Deliver { device: 0, seq, .. } if *seq == at));
    found.expect("every seq was delivered to device 0")
}

#[test]
fn a_good_history_passes() {
    assert_eq!(check(&good(50)), []);
    assert_eq!(check(&History::default()), []);
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
