//! The members that have read a message, of those that see it.
//!
//! They follow from the read positions that are there. A member that came later has not read what
//! was before it, whatever its position is, and the sender counts on neither side.

use crate::event::{Event, EventKind};
use crate::id::{Seq, UserId};

/// A member in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub user: UserId,
    /// The first event that the member sees.
    pub since: Seq,
    pub read: Seq,
}

/// Members that see a message, and those of them that have read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    pub seen_by: u32,
    /// In the order of the positions.
    pub read_by: Vec<UserId>,
}

/// Whether it is a message, recalled or not.
pub fn is_message(event: &Event) -> bool {
    event.kind.number() == EventKind::MESSAGE
}

impl Readers {
    /// Of the message at `seq`, by `sender`.
    pub fn of(positions: &[Position], seq: Seq, sender: UserId) -> Readers {
        let others = positions.iter().filter(|position| position.user != sender);
        Readers::among(others.filter(|position| position.since <= seq), seq)
    }

    /// Of these members.
    pub fn among<'a>(positions: impl Iterator<Item = &'a Position>, seq: Seq) -> Readers {
        let mut readers = Readers::default();
        for position in positions {
            readers.seen_by += 1;
            if position.read >= seq {
                readers.read_by.push(position.user);
            }
        }
        readers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(user: u64, since: u64, read: u64) -> Position {
        Position { user: UserId(user), since: Seq(since), read: Seq(read) }
    }

    #[test]
    fn only_members_that_see_a_message_have_read_it() {
        let positions = [position(1, 1, 9), position(2, 1, 5), position(3, 1, 4), position(4, 6, 9), position(5, 1, 7)];
        let of = |seq, sender| Readers::of(&positions, Seq(seq), UserId(sender));
        let readers =
            |seen_by, users: &[u64]| Readers { seen_by, read_by: users.iter().copied().map(UserId).collect() };
        assert_eq!(of(5, 1), readers(3, &[2, 5]), "4 came later, 3 has not read it, and 1 has sent it");
        assert_eq!(of(6, 1), readers(4, &[4, 5]));
        assert_eq!(of(5, 2), readers(3, &[1, 5]), "the sender's own position does not count");
        assert_eq!(of(10, 9), readers(5, &[]));
        assert_eq!(Readers::of(&[], Seq(1), UserId(1)), readers(0, &[]));
    }
}
