//! Cursors, replicas and lists that contradict the messages.

use super::super::CONVERSATION;
use super::{Spoiler, logs};
use crate::checkers::Promise;
use crate::history::{History, Record};

pub const SPOILERS: &[Spoiler] = &[
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
    ("a read mark that goes back while the delivered one moves on", Promise::Cursors, |h, at| {
        let index =
            h.records.iter().position(|r| matches!(r, Record::Cursor { delivered, .. } if *delivered == at + 2));
        if let Record::Cursor { read, .. } = &mut h.records[index.expect("a cursor record")] {
            *read = 0;
        }
    }),
    ("a read mark beyond the head", Promise::Cursors, |h, at| {
        h.records.push(Record::Cursor {
            at: u64::MAX,
            device: 1,
            conversation: CONVERSATION.into(),
            user: 10,
            delivered: at,
            read: 1_000_000,
        });
    }),
    ("a cursor that only the other device sees go back", Promise::Cursors, |h, at| {
        for delivered in [at + 1, at] {
            let conversation = CONVERSATION.to_owned();
            h.records.push(Record::Cursor { at: u64::MAX, device: 1, conversation, user: 10, delivered, read: 0 });
        }
    }),
    ("a cursor in a conversation that is empty", Promise::Cursors, |h, at| {
        let conversation = "g2".to_owned();
        h.records.push(Record::Cursor { at: u64::MAX, device: 1, conversation, user: 10, delivered: at, read: 0 });
    }),
    ("a replica with one entry more", Promise::Replicas, |h, _| {
        let log = logs(h).last().expect("three replicas");
        let mut entry = log.entries.last().expect("entries").clone();
        entry.seq += 1;
        log.head += 1;
        log.entries.push(entry);
    }),
    ("a replica with another message at a place", Promise::Replicas, |h, at| {
        logs(h).nth(1).expect("three replicas").entries[at as usize - 1].id = "f".repeat(32);
    }),
    ("a replica with another sender at a place", Promise::Replicas, |h, at| {
        logs(h).nth(1).expect("three replicas").entries[at as usize - 1].sender = 99;
    }),
    ("a replica that takes a message for a member change", Promise::Replicas, |h, at| {
        logs(h).nth(2).expect("three replicas").entries[at as usize - 1].message = false;
    }),
    ("two replicas that differ from the third", Promise::Replicas, |h, _| {
        logs(h).skip(1).for_each(|log| log.chain = "cc".into());
    }),
    ("a replica whose head is not its entries'", Promise::Replicas, |h, _| {
        logs(h).next().expect("three replicas").head -= 1;
    }),
    ("one's own message that counts as unread", Promise::Unread, |h, at| *listed(h, at).unread += 1),
    ("a message of another that does not count", Promise::Unread, |h, at| {
        let line = listed(h, at.max(2));
        *line.unread -= 1;
    }),
    ("a message from before the user came that counts", Promise::Unread, |h, at| {
        let line = listed(h, at.max(2));
        *line.first = *line.head + 1;
    }),
    ("a list with a head that no log has", Promise::Unread, |h, at| *listed(h, at).head = 1_000_000),
    ("a list that is read beyond its head", Promise::Unread, |h, at| {
        let line = listed(h, at);
        (*line.read, *line.unread) = (*line.head + 1, 0);
    }),
    ("an acknowledged read position that a list does not know", Promise::Unread, |h, at| {
        let line = listed(h, at.max(4));
        let own = u64::from((*line.read).is_multiple_of(2));
        (*line.read, *line.unread) = (*line.read - 1, *line.unread + own);
    }),
    ("a list that goes back", Promise::Unread, |h, at| {
        let line = listed(h, at);
        let earlier = (*line.head, *line.read, *line.unread);
        let line = listed(h, at + 1);
        let later = (*line.head, *line.read, *line.unread);
        (*line.head, *line.read, *line.unread) = earlier;
        let line = listed(h, at);
        (*line.head, *line.read, *line.unread) = later;
    }),
    ("a replica with a hole", Promise::Replicas, |h, at| {
        logs(h).nth(2).expect("three replicas").entries.remove(at as usize - 1);
    }),
];

struct Line<'a> {
    head: &'a mut u64,
    read: &'a mut u64,
    unread: &'a mut u64,
    first: &'a mut u64,
}

/// The list of device 0 at that head.
fn listed(history: &mut History, at: u64) -> Line<'_> {
    let line = |record| match record {
        &mut Record::Listed { ref mut head, ref mut read, ref mut unread, ref mut first, .. } if *head == at => {
            Some(Line { head, read, unread, first })
        }
        _ => None,
    };
    history.records.iter_mut().find_map(line).expect("the device received every head")
}
