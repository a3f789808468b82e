//! Cursors that wait for the next flush: the highest of each user, in one command.

use std::collections::BTreeMap;

use troupe_core::command::{AdvanceCursors, CursorMove};
use troupe_core::{Command, ConversationId, Seq, UserId, limits};

/// `W` waits for the next flush to be committed.
#[derive(Debug)]
pub struct Cursors<W> {
    /// By user, and whether the seq was ahead of the head on arrival. Apply ignores a move that is
    /// still ahead, and must not ignore the other one with it.
    moves: BTreeMap<(UserId, bool), CursorMove>,
    waiting: Vec<W>,
    flush_scheduled: bool,
}

impl<W> Default for Cursors<W> {
    fn default() -> Cursors<W> {
        Cursors { moves: BTreeMap::new(), waiting: Vec::new(), flush_scheduled: false }
    }
}

impl<W> Cursors<W> {
    /// At the bound the cursor is dropped: the device repeats it with its next event.
    pub fn delivered(&mut self, user: UserId, seq: Seq, ahead: bool) {
        self.advance(user, ahead, seq, Seq::ZERO);
    }

    /// At the bound the waiter is returned.
    pub fn read(&mut self, user: UserId, seq: Seq, waiter: W) -> Result<(), W> {
        if !self.advance(user, false, seq, seq) {
            return Err(waiter);
        }
        self.waiting.push(waiter);
        Ok(())
    }

    fn advance(&mut self, user: UserId, ahead: bool, delivered: Seq, read: Seq) -> bool {
        if !self.moves.contains_key(&(user, ahead)) && self.moves.len() >= limits::CURSORS_WAITING {
            return false;
        }
        let held = self.moves.entry((user, ahead)).or_insert(CursorMove { user, delivered, read });
        held.delivered = held.delivered.max(delivered);
        held.read = held.read.max(read);
        true
    }

    /// True once per flush, for the caller to schedule it.
    pub fn wants_flush(&mut self) -> bool {
        !std::mem::replace(&mut self.flush_scheduled, true)
    }

    /// All waiting cursors as one command.
    pub fn take(&mut self, conversation: ConversationId) -> Option<(Command, Vec<W>)> {
        self.flush_scheduled = false;
        if self.moves.is_empty() {
            return None;
        }
        let moves = std::mem::take(&mut self.moves).into_values().collect();
        let command = Command::AdvanceCursors(AdvanceCursors { conversation, moves });
        Some((command, std::mem::take(&mut self.waiting)))
    }

    pub fn abandon(&mut self) -> Vec<W> {
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_highest_is_committed() {
        let mut cursors = Cursors::default();
        cursors.delivered(UserId(1), Seq(5), false);
        cursors.delivered(UserId(1), Seq(3), false);
        cursors.read(UserId(1), Seq(4), "waiter").expect("room");
        assert!(cursors.wants_flush() && !cursors.wants_flush());
        let (command, waiting) = cursors.take(ConversationId::Everyone).expect("something");
        let Command::AdvanceCursors(advance) = command else { panic!("not cursors") };
        assert_eq!(advance.moves, [CursorMove { user: UserId(1), delivered: Seq(5), read: Seq(4) }]);
        assert_eq!(waiting, ["waiter"]);
        assert!(cursors.take(ConversationId::Everyone).is_none() && cursors.wants_flush());
    }

    #[test]
    fn a_cursor_ahead_of_the_head_does_not_hide_another() {
        let mut cursors = Cursors::<()>::default();
        cursors.delivered(UserId(1), Seq(5), false);
        cursors.delivered(UserId(1), Seq(u64::MAX), true);
        cursors.delivered(UserId(1), Seq(6), false);
        let (command, _) = cursors.take(ConversationId::Everyone).expect("something");
        let Command::AdvanceCursors(advance) = command else { panic!("not cursors") };
        let delivered: Vec<_> = advance.moves.iter().map(|step| step.delivered).collect();
        assert_eq!(delivered, [Seq(6), Seq(u64::MAX)]);
    }

    #[test]
    fn readers_beyond_the_bound_are_refused() {
        let mut cursors = Cursors::default();
        (0..limits::CURSORS_WAITING as u64).for_each(|user| cursors.delivered(UserId(user), Seq(1), false));
        assert_eq!(cursors.read(UserId(u64::MAX), Seq(1), 7), Err(7));
        assert_eq!(cursors.read(UserId(0), Seq(2), 8), Ok(()));
    }
}
