//! Messages lost, duplicated, moved, invented or attributed to another sender, in logs,
//! acknowledgements and deliveries.

use super::super::CONVERSATION;
use super::{Spoiler, delivery, logs};
use crate::checkers::Promise;
use crate::history::{Entry, Record};

pub const SPOILERS: &[Spoiler] = &[
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
            log.entries.push(Entry { seq, time_ms, sender, id, message: true, ..Entry::default() });
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
        // The device's next message is two positions later.
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
    ("the tail is gone from everywhere", Promise::Durable, |h, at| {
        for log in logs(h) {
            log.entries.truncate(at as usize - 1);
            log.head = at - 1;
        }
    }),
    ("the whole conversation is gone", Promise::Durable, |h, _| h.finals.values_mut().for_each(|logs| logs.clear())),
    ("no replica is left", Promise::Durable, |h, _| h.finals.clear()),
    ("another message where one was acked", Promise::Durable, |h, at| {
        for log in logs(h) {
            log.entries[at as usize - 1].id = "e".repeat(32);
        }
    }),
    ("acked a second time at another place", Promise::Durable, |h, at| {
        let id = format!("{at:032x}");
        h.records.push(Record::Ack { at: u64::MAX, device: 0, conversation: CONVERSATION.into(), id, seq: at + 1 });
    }),
    ("acked into a conversation that does not exist", Promise::Durable, |h, at| {
        let acked = h.records.iter_mut().find_map(|r| match r {
            Record::Ack { seq, conversation, .. } if *seq == at => Some(conversation),
            _ => None,
        });
        *acked.expect("every seq is acked") = "g2".into();
    }),
    ("acked beyond the head", Promise::Durable, |h, at| {
        let id = format!("{at:032x}");
        let seq = 1_000_000;
        h.records.push(Record::Ack { at: u64::MAX, device: 0, conversation: CONVERSATION.into(), id, seq });
    }),
    ("handed out again much later", Promise::ExactlyOnce, |h, at| {
        let record = h.records[delivery(h, at)].clone();
        h.records.push(record);
    }),
    ("everything handed out again after a reconnect", Promise::ExactlyOnce, |h, at| {
        for seq in 1..=at {
            let record = h.records[delivery(h, seq)].clone();
            h.records.push(record);
        }
    }),
    ("handed out twice to the other device only", Promise::ExactlyOnce, |h, at| {
        let record = h.records.iter().find(|r| matches!(r, Record::Deliver { device: 1, seq, .. } if *seq == at));
        let record = record.expect("every seq was delivered to device 1").clone();
        h.records.push(record);
    }),
    ("one id at two neighbouring places", Promise::ExactlyOnce, |h, at| {
        for log in logs(h) {
            let (sender, id) = (log.entries[at as usize - 1].sender, log.entries[at as usize - 1].id.clone());
            log.entries[at as usize] =
                Entry { seq: at + 1, time_ms: at * 100 + 100, sender, id, message: true, ..Entry::default() };
        }
    }),
    ("two devices see two messages the other way round", Promise::OneOrder, |h, at| {
        for record in &mut h.records {
            if let Record::Deliver { device: 1, seq, id, .. } = record {
                if *seq == at {
                    *id = format!("{:032x}", at + 1);
                } else if *seq == at + 1 {
                    *id = format!("{at:032x}");
                }
            }
        }
    }),
    ("one device of two that never caught up", Promise::OneOrder, |h, _| {
        h.cursors.get_mut(&1).expect("device 1").values_mut().for_each(|at| *at = 0);
    }),
    ("a head beyond the entries", Promise::OneOrder, |h, _| logs(h).for_each(|log| log.head += 1)),
    ("a head before the entries", Promise::OneOrder, |h, _| logs(h).for_each(|log| log.head -= 1)),
    ("one seq twice in the log", Promise::OneOrder, |h, at| logs(h).for_each(|log| log.entries[at as usize].seq = at)),
    ("a log that does not begin with its first", Promise::OneOrder, |h, _| {
        for log in logs(h) {
            log.entries.remove(0);
            log.head -= 1;
        }
    }),
    ("a log in the wrong order", Promise::OneOrder, |h, at| {
        logs(h).for_each(|log| log.entries.swap(at as usize - 1, at as usize));
    }),
    ("a delivery under another sender", Promise::OneOrder, |h, at| {
        let index = delivery(h, at);
        if let Record::Deliver { sender, .. } = &mut h.records[index] {
            *sender = 99;
        }
    }),
    ("a long jump forward", Promise::OneOrder, |h, _| {
        let index = delivery(h, 2);
        h.records.retain({
            let mut place = 0;
            move |r| {
                place += 1;
                place <= index || !matches!(r, Record::Deliver { device: 0, seq, .. } if (2..=4).contains(seq))
            }
        });
    }),
    ("time that stands at zero", Promise::OneOrder, |h, at| {
        logs(h).for_each(|log| log.entries[at as usize].time_ms = 0);
    }),
    ("a device's first message behind its third", Promise::DeviceOrder, |h, _| {
        for log in logs(h) {
            let held = log.entries[0].id.clone();
            log.entries[0].id = log.entries[4].id.clone();
            log.entries[4].id = held;
        }
    }),
    ("all messages of a device the other way round", Promise::DeviceOrder, |h, _| {
        for log in logs(h) {
            let places: Vec<usize> = (0..log.entries.len()).step_by(2).collect();
            let ids: Vec<String> = places.iter().map(|place| log.entries[*place].id.clone()).collect();
            places.iter().zip(ids.into_iter().rev()).for_each(|(place, id)| log.entries[*place].id = id);
        }
    }),
    ("the last message at the first place", Promise::RealTime, |h, _| {
        for log in logs(h) {
            let mut ids: Vec<String> = log.entries.iter().map(|entry| entry.id.clone()).collect();
            ids.rotate_right(1);
            log.entries.iter_mut().zip(ids).for_each(|(entry, id)| entry.id = id);
        }
    }),
    ("sent after an ack of a later place", Promise::RealTime, |h, at| {
        let id = format!("{at:032x}");
        let invoked = h.records.iter_mut().find_map(|r| match r {
            Record::Invoke { at, id: held, .. } if *held == id => Some(at),
            _ => None,
        });
        *invoked.expect("every id was sent") = u64::MAX;
    }),
    ("a message in another conversation than it was sent to", Promise::HonestErrors, |h, at| {
        let id = format!("{at:032x}");
        let sent = h.records.iter_mut().find_map(|r| match r {
            Record::Invoke { conversation, id: held, .. } if *held == id => Some(conversation),
            _ => None,
        });
        *sent.expect("every id was sent") = "g2".into();
    }),
    ("a message from nowhere on one device only", Promise::HonestErrors, |h, at| {
        let index = delivery(h, at);
        if let Record::Deliver { id, .. } = &mut h.records[index] {
            *id = "f".repeat(32);
        }
    }),
    ("a delivery in another's name", Promise::HonestErrors, |h, at| {
        let index = delivery(h, at);
        if let Record::Deliver { sender, .. } = &mut h.records[index] {
            *sender = 99;
        }
    }),
    ("a rejected message on one device only", Promise::HonestErrors, |h, at| {
        let (conversation, id) = (CONVERSATION.to_owned(), "d".repeat(32));
        let (at, user, seq) = (at * 1_000_000, 10, 1_000_000);
        h.records.push(Record::Invoke { at, device: 0, user, conversation: conversation.clone(), id: id.clone() });
        let code = "overloaded".to_owned();
        h.records.push(Record::Reject { at, device: 0, conversation: conversation.clone(), id: id.clone(), code });
        h.records.push(Record::Deliver { at, device: 1, conversation, seq, sender: user, id, message: true });
    }),
    ("a message that was never sent at the end of all logs", Promise::HonestErrors, |h, _| {
        for log in logs(h) {
            log.head += 1;
            let (seq, time_ms, id) = (log.head, u64::MAX, "c".repeat(32));
            log.entries.push(Entry { seq, time_ms, sender: 10, id, message: true, ..Entry::default() });
        }
    }),
];
