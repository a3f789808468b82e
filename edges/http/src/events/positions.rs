//! The positions of a stream, and the cursor that they make.

use std::collections::BTreeMap;

use troupe_core::{ConversationId, Seq};

use super::cursor::{CONVERSATIONS, Cursor, Origin};

/// A client has everything up to the position of a conversation.
#[derive(Debug)]
pub struct Positions {
    origin: Origin,
    /// A conversation without a position begins at its first event.
    whole: bool,
    held: BTreeMap<ConversationId, Held>,
    /// By their last move, the latest last.
    moved: BTreeMap<u64, ConversationId>,
    moves: u64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    seq: Seq,
    moved: u64,
}

impl Positions {
    pub fn new(origin: Origin, cursor: Option<Cursor>) -> Positions {
        let (whole, held, moved) = (false, BTreeMap::new(), BTreeMap::new());
        let mut positions = Positions { origin, whole, held, moved, moves: 0 };
        if let Some(cursor) = cursor {
            positions.whole = cursor.whole;
            cursor.positions.into_iter().for_each(|(conversation, seq)| positions.move_to(conversation, seq));
        }
        positions
    }

    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Each conversation of the user has its position.
    pub fn is_complete(&mut self) {
        self.whole = true;
    }

    /// `None`: nothing is known about this conversation.
    pub fn of(&self, conversation: ConversationId) -> Option<Seq> {
        self.held.get(&conversation).map(|held| held.seq)
    }

    pub fn all(&self) -> impl Iterator<Item = (ConversationId, Seq)> {
        self.held.iter().map(|(conversation, held)| (*conversation, held.seq))
    }

    pub fn move_to(&mut self, conversation: ConversationId, seq: Seq) {
        self.moves += 1;
        let held = self.held.entry(conversation).or_insert(Held { seq, moved: 0 });
        self.moved.remove(&held.moved);
        *held = Held { seq: held.seq.max(seq), moved: self.moves };
        self.moved.insert(self.moves, conversation);
    }

    /// At the bound it has the conversations that have moved last.
    pub fn cursor(&self) -> String {
        let recent = self.moved.values().rev().take(CONVERSATIONS);
        let of = |conversation: &ConversationId| self.held.get(conversation).map(|held| (*conversation, held.seq));
        let whole = self.whole && self.held.len() <= CONVERSATIONS;
        Cursor { origin: self.origin, whole, positions: recent.filter_map(of).collect() }.encode()
    }
}

#[cfg(test)]
mod tests {
    use troupe_actors::message::wire;
    use troupe_core::{GroupId, UserId};

    use super::*;

    fn group(number: usize) -> ConversationId {
        ConversationId::Group(GroupId(number as u64))
    }

    #[test]
    fn a_cursor_keeps_the_conversations_that_moved_last() {
        let origin = Origin::of(&wire::Welcome::default(), UserId(7));
        let mut positions = Positions::new(origin, None);
        positions.is_complete();
        (1..=CONVERSATIONS).for_each(|number| positions.move_to(group(number), Seq(1)));
        assert!(Cursor::decode(&positions.cursor()).expect("good").whole);
        positions.move_to(group(1), Seq(2));
        positions.move_to(group(CONVERSATIONS + 1), Seq(5));
        let cursor = Cursor::decode(&positions.cursor()).expect("good");
        let missing: Vec<usize> =
            (1..=CONVERSATIONS + 1).filter(|at| !cursor.positions.contains_key(&group(*at))).collect();
        assert_eq!((cursor.whole, missing), (false, vec![2]));
        // Resumed, it goes on where it was, and knows that it is not whole.
        let resumed = Positions::new(origin, Some(cursor));
        assert_eq!((resumed.is_whole(), resumed.of(group(1)), resumed.of(group(2))), (false, Some(Seq(2)), None));
    }

    #[test]
    fn a_position_moves_forward_only() {
        let mut positions = Positions::new(Origin::of(&wire::Welcome::default(), UserId(7)), None);
        positions.move_to(group(1), Seq(5));
        positions.move_to(group(1), Seq(3));
        assert_eq!(positions.of(group(1)), Some(Seq(5)));
        assert_eq!(positions.moved.len(), 1);
    }
}
