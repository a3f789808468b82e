//! Checks during a run: counts, gaps, and definite violations.
//!
//! A subset of the checkers' rules that needs no final logs, evaluated as records arrive. The
//! verdict is still the checkers'. These checks show a violation in the live view when it happens.

use std::collections::{BTreeMap, VecDeque};

use crate::history::{Conversation, DeviceNumber, MessageId, Record};

/// Fault lines in memory.
const RECENT: usize = 5;

#[derive(Default)]
pub struct OnlineChecks {
    pub invoked: u64,
    pub acked: u64,
    pub rejected: u64,
    pub delivered: u64,
    pub last_ack: u64,
    pub longest_gap: u64,
    pub recent: VecDeque<(u64, String)>,
    pub broken: Option<String>,
    /// The message at each seq, by acks and deliveries.
    places: BTreeMap<(Conversation, u64), MessageId>,
    positions: BTreeMap<(DeviceNumber, Conversation), u64>,
}

impl OnlineChecks {
    pub fn see(&mut self, record: &Record) {
        match record {
            Record::Invoke { .. } => self.invoked += 1,
            Record::Reject { .. } => self.rejected += 1,
            Record::Ack { at, conversation, id, seq, .. } => {
                self.acked += 1;
                self.longest_gap = self.longest_gap.max(at.saturating_sub(self.last_ack));
                self.last_ack = *at;
                self.place(conversation, *seq, id);
            }
            Record::Deliver { device, conversation, seq, id, .. } => {
                self.delivered += 1;
                self.place(conversation, *seq, id);
                let before = self.positions.insert((*device, conversation.clone()), *seq);
                if before.is_some_and(|before| *seq != before + 1) {
                    let before = before.unwrap_or_default();
                    self.break_(format!("{conversation}: device {device} received {seq} after {before}"));
                }
            }
            Record::Fault { at, text } => {
                self.recent.push_back((*at, text.clone()));
                if self.recent.len() > RECENT {
                    self.recent.pop_front();
                }
            }
            Record::Cursor { .. }
            | Record::Listed { .. }
            | Record::Marked { .. }
            | Record::Reacted { .. }
            | Record::Counted { .. }
            | Record::Changed { .. }
            | Record::Voted { .. }
            | Record::Polled { .. }
            | Record::Shown { .. }
            | Record::Keyed { .. }
            | Record::Called { .. }
            | Record::Taken { .. }
            | Record::Signalled { .. }
            | Record::Schedule { .. }
            | Record::Scheduled { .. }
            | Record::Expires { .. }
            | Record::Piece { .. }
            | Record::Streaming { .. }
            | Record::Cancel { .. }
            | Record::Contact { .. }
            | Record::Personal { .. }
            | Record::PersonalState { .. }
            | Record::PersonalPage { .. }
            | Record::Saved { .. }
            | Record::Upload { .. }
            | Record::Searched { .. }
            | Record::Download { .. }
            | Record::HookMade { .. }
            | Record::HookTaken { .. }
            | Record::HookGuards { .. }
            | Record::HookAsked { .. }
            | Record::Bot { .. }
            | Record::Apart { .. }
            | Record::Overseen { .. }
            | Record::Push { .. } => {}
        }
    }

    fn place(&mut self, conversation: &str, seq: u64, id: &str) {
        let held = self.places.entry((conversation.to_owned(), seq)).or_insert_with(|| id.to_owned());
        if held != id {
            let text = format!("{conversation}: seq {seq} is {held} to one and {id} to another");
            self.break_(text);
        }
    }

    fn break_(&mut self, text: String) {
        self.broken.get_or_insert(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(at: u64, seq: u64, id: &str) -> Record {
        Record::Ack { at, device: 0, conversation: "g1".into(), id: id.into(), seq }
    }

    fn delivery(device: u32, seq: u64, id: &str) -> Record {
        let conversation = "g1".to_owned();
        Record::Deliver { at: seq, device, conversation, seq, sender: 1, id: id.into(), message: true }
    }

    fn broken(records: &[Record]) -> Option<String> {
        let mut online_checks = OnlineChecks::default();
        records.iter().for_each(|record| online_checks.see(record));
        online_checks.broken
    }

    #[test]
    fn gaps_are_measured_and_a_good_run_is_not_broken() {
        let mut online_checks = OnlineChecks { last_ack: 10, ..OnlineChecks::default() };
        for record in [ack(30, 1, "a"), ack(35, 2, "b"), delivery(1, 1, "a"), delivery(1, 2, "b"), delivery(2, 7, "x")]
        {
            online_checks.see(&record);
        }
        assert_eq!(
            (online_checks.acked, online_checks.delivered, online_checks.longest_gap, online_checks.broken),
            (2, 3, 20, None)
        );
    }

    #[test]
    fn two_messages_at_one_place_and_a_jump_show_at_once() {
        assert!(broken(&[ack(1, 1, "a"), ack(2, 1, "b")]).is_some());
        assert!(broken(&[ack(1, 1, "a"), delivery(1, 1, "b")]).is_some());
        assert!(broken(&[delivery(1, 1, "a"), delivery(1, 3, "c")]).is_some());
        assert!(broken(&[delivery(1, 1, "a"), delivery(1, 1, "a")]).is_some());
    }
}
