//! The last acks of a conversation: an early retry is answered without an entry in the log.

use std::collections::{BTreeMap, VecDeque};

use troupe_core::{ClientMessageId, UserId};

use crate::message::Answer;

/// Acks kept. Apply answers retries of older ones.
const KEPT: usize = 128;

#[derive(Debug, Default)]
pub struct Recent {
    acks: BTreeMap<(UserId, ClientMessageId), Answer>,
    order: VecDeque<(UserId, ClientMessageId)>,
}

impl Recent {
    /// Caches a committed place; other answers are not cached.
    pub fn insert(&mut self, sender: UserId, id: ClientMessageId, answer: Answer) {
        let Answer::Placed { seq, time, .. } = answer else { return };
        let held = self.acks.insert((sender, id), Answer::Placed { seq, time, duplicate: true });
        if held.is_none() {
            self.order.push_back((sender, id));
        }
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.acks.remove(&oldest);
        }
    }

    pub fn get(&self, sender: UserId, id: ClientMessageId) -> Option<Answer> {
        self.acks.get(&(sender, id)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::{Seq, Timestamp};

    use super::*;

    #[test]
    fn the_last_ones_are_known_as_duplicates() {
        let mut recent = Recent::default();
        let id = |i: usize| ClientMessageId((i as u128).to_be_bytes());
        for i in 0..KEPT + 1 {
            let answer = Answer::Placed { seq: Seq(i as u64 + 1), time: Timestamp(9), duplicate: false };
            recent.insert(UserId(1), id(i), answer);
        }
        assert!(recent.get(UserId(1), id(0)).is_none());
        let known = recent.get(UserId(1), id(1));
        assert!(matches!(known, Some(Answer::Placed { seq: Seq(2), duplicate: true, .. })));
        assert!(recent.get(UserId(2), id(1)).is_none());
    }
}
