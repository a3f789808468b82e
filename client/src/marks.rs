//! How far others have got, as this device was told: it only moves forward.
//!
//! A push is a hint and can come late: one that a deposed leader had on its way when the network
//! parted arrives after those of the next leader. A person who saw a message marked as read must
//! not see the mark go again.

use std::collections::BTreeMap;

use troupe_core::{ConversationId, Seq, UserId};

/// Conversations whose marks are remembered. Beyond it the one with the lowest id is forgotten, and
/// its marks count afresh.
const CONVERSATIONS: usize = 4_096;

/// Delivered and read.
type Mark = (Seq, Seq);

#[derive(Default)]
pub(crate) struct Marks(BTreeMap<ConversationId, BTreeMap<UserId, Mark>>);

impl Marks {
    /// What is known after a push, or `None` if it tells nothing new.
    pub fn advance(&mut self, conversation: ConversationId, user: UserId, delivered: Seq, read: Seq) -> Option<Mark> {
        if !self.0.contains_key(&conversation) && self.0.len() >= CONVERSATIONS {
            self.0.pop_first();
        }
        let held = self.0.entry(conversation).or_default().entry(user).or_default();
        let merged = (held.0.max(delivered), held.1.max(read));
        if merged == *held {
            return None;
        }
        *held = merged;
        Some(merged)
    }

    pub fn forget(&mut self, conversation: ConversationId) {
        self.0.remove(&conversation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId(1);

    #[test]
    fn marks_only_move_forward_each_by_itself() {
        let mut marks = Marks::default();
        let place = ConversationId::Everyone;
        assert_eq!(marks.advance(place, ANN, Seq(5), Seq(2)), Some((Seq(5), Seq(2))));
        assert_eq!(marks.advance(place, ANN, Seq(4), Seq(1)), None, "late");
        assert_eq!(marks.advance(place, ANN, Seq(4), Seq(3)), Some((Seq(5), Seq(3))), "late in one, new in the other");
        assert_eq!(marks.advance(place, UserId(2), Seq(1), Seq(0)), Some((Seq(1), Seq(0))));
        marks.forget(place);
        assert_eq!(marks.advance(place, ANN, Seq(1), Seq(1)), Some((Seq(1), Seq(1))));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut marks = Marks::default();
        for other in 2..CONVERSATIONS as u64 + 100 {
            let place = ConversationId::direct(ANN, UserId(other)).expect("two users");
            marks.advance(place, ANN, Seq(1), Seq(0));
        }
        assert_eq!(marks.0.len(), CONVERSATIONS);
    }
}
