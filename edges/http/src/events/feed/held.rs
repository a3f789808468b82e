//! Pushes of conversations that are behind, until the page before them is there.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use troupe_core::{ConversationId, Seq};

/// Bytes of one stream. Above it a push is not kept, and is fetched.
const BYTES: usize = 256 * 1024;

#[derive(Debug, Default)]
pub struct Held {
    /// Of each conversation: events that follow each other.
    runs: BTreeMap<ConversationId, VecDeque<(Seq, Bytes)>>,
    bytes: usize,
}

impl Held {
    /// Begins again behind a gap.
    pub fn keep(&mut self, conversation: ConversationId, seq: Seq, data: Bytes) {
        let last = self.runs.get(&conversation).and_then(|run| run.back()).map(|(last, _)| *last);
        if last.is_some_and(|last| seq <= last) {
            return;
        }
        if last.is_some_and(|last| seq != last.next()) {
            self.forget(conversation);
        }
        if self.bytes + data.len() <= BYTES {
            self.bytes += data.len();
            self.runs.entry(conversation).or_default().push_back((seq, data));
        }
    }

    pub fn take(&mut self, conversation: ConversationId) -> VecDeque<(Seq, Bytes)> {
        let run = self.runs.remove(&conversation).unwrap_or_default();
        self.bytes -= run.iter().map(|(_, data)| data.len()).sum::<usize>();
        run
    }

    pub fn forget(&mut self, conversation: ConversationId) {
        drop(self.take(conversation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: ConversationId = ConversationId::Everyone;

    fn kept(held: &mut Held) -> Vec<u64> {
        held.take(CHANNEL).into_iter().map(|(seq, _)| seq.0).collect()
    }

    #[test]
    fn only_events_that_follow_each_other_are_kept() {
        let mut held = Held::default();
        [3, 4, 4, 3, 5].into_iter().for_each(|seq| held.keep(CHANNEL, Seq(seq), Bytes::from_static(b"x")));
        assert_eq!(kept(&mut held), [3, 4, 5]);
        [3, 4, 6, 7].into_iter().for_each(|seq| held.keep(CHANNEL, Seq(seq), Bytes::from_static(b"x")));
        assert_eq!((kept(&mut held), held.bytes), (vec![6, 7], 0));
    }

    #[test]
    fn a_stream_holds_little() {
        let mut held = Held::default();
        let big = Bytes::from(vec![0; BYTES / 4]);
        (1..=10).for_each(|seq| held.keep(CHANNEL, Seq(seq), big.clone()));
        assert_eq!(held.bytes, BYTES);
        assert_eq!(kept(&mut held), [6, 7, 8, 9], "the others are fetched");
    }
}
