//! Delivered and read positions of other users. They only move forward.
//!
//! A push is a hint and can arrive late: pushes of a deposed leader can arrive after those of its
//! successor. A message that was shown as read must not become unread again.

use std::collections::BTreeMap;

use troupe_core::{ConversationId, Seq, UserId};

/// Conversations with remembered positions. Above it the one with the lowest id is forgotten, and
/// its positions start over.
const CONVERSATIONS: usize = 4_096;

/// Delivered and read.
type Position = (Seq, Seq);

#[derive(Default)]
pub(crate) struct ReadPositions(BTreeMap<ConversationId, BTreeMap<UserId, Position>>);

impl ReadPositions {
    /// The merged positions after a push, or `None` if nothing changed.
    pub fn advance(
        &mut self,
        conversation: ConversationId,
        user: UserId,
        delivered: Seq,
        read: Seq,
    ) -> Option<Position> {
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
        let mut positions = ReadPositions::default();
        let place = ConversationId::Everyone;
        assert_eq!(positions.advance(place, ANN, Seq(5), Seq(2)), Some((Seq(5), Seq(2))));
        assert_eq!(positions.advance(place, ANN, Seq(4), Seq(1)), None, "late");
        assert_eq!(
            positions.advance(place, ANN, Seq(4), Seq(3)),
            Some((Seq(5), Seq(3))),
            "late in one, new in the other"
        );
        assert_eq!(positions.advance(place, UserId(2), Seq(1), Seq(0)), Some((Seq(1), Seq(0))));
        positions.forget(place);
        assert_eq!(positions.advance(place, ANN, Seq(1), Seq(1)), Some((Seq(1), Seq(1))));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut positions = ReadPositions::default();
        for other in 2..CONVERSATIONS as u64 + 100 {
            let place = ConversationId::direct(ANN, UserId(other)).expect("two users");
            positions.advance(place, ANN, Seq(1), Seq(0));
        }
        assert_eq!(positions.0.len(), CONVERSATIONS);
    }
}
