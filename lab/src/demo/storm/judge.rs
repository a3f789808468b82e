//! The verdict over a storm: numbered messages, as they were sent, acknowledged and read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use troupe_core::Seq;

#[derive(Default)]
pub struct Judge {
    sent: u64,
    acknowledged: BTreeMap<Seq, u64>,
    /// The numbers of the log, as the reader has them.
    read: BTreeMap<Seq, u64>,
    places: BTreeMap<u64, Seq>,
    /// The last event that the reader has.
    head: Seq,
    duplicated: u64,
    out_of_order: u64,
    longest: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub sent: u64,
    pub acknowledged: u64,
    pub read: u64,
    /// Acknowledged, and something else or nothing is at their places.
    pub lost: u64,
    /// At two places.
    pub duplicated: u64,
    /// Behind a message that was sent later.
    pub out_of_order: u64,
    /// Acknowledged, and behind the last event that the reader has.
    pub unread: u64,
    /// From a send to its acknowledgement.
    pub longest_ms: u64,
}

impl Verdict {
    /// At the end of a storm.
    pub fn is_good(&self) -> bool {
        self.lost + self.duplicated + self.out_of_order + self.unread == 0 && self.acknowledged == self.sent
    }
}

impl Judge {
    /// The number of the next message.
    pub fn next(&self) -> u64 {
        self.sent
    }

    pub fn sent(&mut self) {
        self.sent += 1;
    }

    pub fn acknowledged(&mut self, number: u64, seq: Seq, after: Duration) {
        self.acknowledged.insert(seq, number);
        self.longest = self.longest.max(after);
    }

    /// An event of the log: a message with its number, or something else.
    pub fn read(&mut self, seq: Seq, number: Option<u64>) {
        self.head = self.head.max(seq);
        let Some(number) = number else { return };
        let later = self.places.last_key_value().is_some_and(|(last, _)| *last > number);
        match self.places.insert(number, seq) {
            Some(_) => self.duplicated += 1,
            None if later => self.out_of_order += 1,
            None => {}
        }
        self.read.insert(seq, number);
    }

    /// Whether each message has an outcome that the reader can confirm.
    pub fn is_settled(&self) -> bool {
        let verdict = self.verdict();
        verdict.acknowledged == verdict.sent && verdict.unread == 0
    }

    pub fn verdict(&self) -> Verdict {
        let known = self.acknowledged.range(..=self.head);
        let lost = known.filter(|(seq, number)| self.read.get(seq) != Some(number)).count();
        let unread = self.acknowledged.iter().filter(|(seq, _)| **seq > self.head).count();
        Verdict {
            sent: self.sent,
            acknowledged: self.acknowledged.len() as u64,
            read: self.read.len() as u64,
            lost: lost as u64,
            duplicated: self.duplicated,
            out_of_order: self.out_of_order,
            unread: unread as u64,
            longest_ms: u64::try_from(self.longest.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(acknowledged: &[(u64, u64)], read: &[(u64, Option<u64>)]) -> Verdict {
        let mut judge = Judge::default();
        for (number, seq) in acknowledged {
            judge.sent();
            judge.acknowledged(*number, Seq(*seq), Duration::from_millis(*seq));
        }
        for (seq, number) in read {
            judge.read(Seq(*seq), *number);
        }
        judge.verdict()
    }

    #[test]
    fn what_was_acknowledged_is_read_once_and_in_order() {
        let good = judged(&[(0, 2), (1, 3)], &[(1, None), (2, Some(0)), (3, Some(1))]);
        assert!(good.is_good(), "{good:?}");
        assert_eq!((good.sent, good.acknowledged, good.read, good.longest_ms), (2, 2, 2, 3));
    }

    #[test]
    fn each_fault_is_named() {
        let lost = judged(&[(0, 2), (1, 3)], &[(2, Some(0)), (3, None)]);
        assert_eq!((lost.lost, lost.unread, lost.is_good()), (1, 0, false));
        let replaced = judged(&[(0, 2)], &[(2, Some(7))]);
        assert_eq!((replaced.lost, replaced.is_good()), (1, false));
        let twice = judged(&[(0, 2)], &[(2, Some(0)), (3, Some(0))]);
        assert_eq!((twice.duplicated, twice.lost, twice.is_good()), (1, 0, false));
        let swapped = judged(&[(0, 3), (1, 2)], &[(2, Some(1)), (3, Some(0))]);
        assert_eq!((swapped.out_of_order, swapped.is_good()), (1, false));
        let late = judged(&[(0, 2), (1, 3)], &[(2, Some(0))]);
        assert_eq!((late.unread, late.lost, late.is_good()), (1, 0, false));
    }

    #[test]
    fn a_message_without_an_answer_is_not_settled() {
        let mut judge = Judge::default();
        assert!(judge.is_settled());
        judge.sent();
        assert!(!judge.is_settled() && !judge.verdict().is_good());
    }
}
