//! The number of unread messages of a user: those of others that the user can see, behind its read
//! position.
//!
//! A log numbers all events alike, so events that do not count have numbers of their own. Each
//! message has its number among its sender's, and each other event (members, names, roles) its
//! number among the events of [`NOT_A_MESSAGE`]. The count is then a few subtractions, for a log of
//! any length.
//!
//! A number is a row. An event leaves a row if the user's last row is [`SPACING`] events behind it;
//! a number between two rows is counted in the log. So most messages write no row. No large event
//! is read for a number, because a list of conversations asks for hundreds: a large event leaves a
//! row too, and so does the user's next event behind any large one.
//! Events of 74c331d have no numbers and count like messages of others, until the user has read
//! beyond them.

use crate::event::Event;
use crate::id::{Seq, UserId};
use crate::record::Number;

/// The owner of the numbers of events that are not messages.
pub const NOT_A_MESSAGE: UserId = UserId(0);

/// A number is counted over fewer events than this.
pub const SPACING: u64 = 16;
/// Bytes of the row of an event from which on it is large.
pub const LARGE_BYTES: usize = 1024;

/// A row: the event at `seq` is the `number`th of those that are numbered for a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbered {
    pub seq: Seq,
    pub number: u64,
}

/// In whose name an event is numbered.
pub fn numbered_for(event: &Event) -> UserId {
    if event.counts_as_unread() { event.sender } else { NOT_A_MESSAGE }
}

/// How many events behind a user's last row have to be read for its number at `seq`. `large` is the
/// first large event behind that row.
pub fn looked_at(last: Numbered, seq: Seq, large: Option<Seq>) -> usize {
    let end = large.map_or(seq, |large| seq.min(Seq(large.0.saturating_sub(1))));
    end.0.saturating_sub(last.seq.0).min(SPACING - 1) as usize
}

/// Where a user's numbers stand at the head of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbering {
    pub last: Numbered,
    /// Events behind the last row that are numbered for the user.
    pub since: u64,
}

impl Numbering {
    /// After one more event for the user, at `seq`. `large` is the last large event up to there.
    pub fn next(self, seq: Seq, large: Seq) -> Numbering {
        if seq.0.saturating_sub(self.last.seq.0) < SPACING && large <= self.last.seq {
            return Numbering { since: self.since + 1, ..self };
        }
        Numbering { last: Numbered { seq, number: self.last.number + self.since + 1 }, since: 0 }
    }

    /// The row that the last event has left, if it has.
    pub fn new_row(self) -> Option<(Seq, Number)> {
        let Numbered { seq, number } = self.last;
        (self.since == 0).then_some((seq, Number(number)))
    }
}

/// `first` is the first event that the user sees; `numbered` says how many events up to a seq are
/// numbered for a user.
pub fn unread<E>(
    user: UserId,
    head: Seq,
    read: Seq,
    first: Seq,
    numbered: impl Fn(UserId, Seq) -> Result<u64, E>,
) -> Result<u64, E> {
    let from = read.max(Seq(first.0.saturating_sub(1)));
    if from >= head {
        return Ok(0);
    }
    let mut unread = head.0 - from.0;
    for not_counted in [user, NOT_A_MESSAGE] {
        let behind = numbered(not_counted, head)?.saturating_sub(numbered(not_counted, from)?);
        unread = unread.saturating_sub(behind);
    }
    Ok(unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    fn count(log: &[UserId], user: UserId, read: u64, first: u64) -> u64 {
        let numbered = |of: UserId, up_to: Seq| {
            let up_to = &log[..up_to.0 as usize];
            Ok::<u64, ()>(up_to.iter().filter(|user| **user == of).count() as u64)
        };
        unread(user, Seq(log.len() as u64), Seq(read), Seq(first), numbered).unwrap_or(u64::MAX)
    }

    #[test]
    fn only_messages_of_others_that_are_visible_and_not_read_count() {
        // Created, added, two of ann's, one of bob's, renamed, one of ann's.
        let log = [NOT_A_MESSAGE, NOT_A_MESSAGE, ANN, ANN, BOB, NOT_A_MESSAGE, ANN];
        assert_eq!(count(&log, BOB, 0, 2), 3, "neither his own nor what happened to the group");
        assert_eq!(count(&log, BOB, 3, 2), 2);
        assert_eq!(count(&log, BOB, 5, 2), 1, "a read position behind his own message");
        assert_eq!(count(&log, BOB, 7, 2), 0);
        assert_eq!(count(&log, ANN, 0, 1), 1);
        assert_eq!(count(&log, BOB, 0, 5), 1, "nothing from before he joined");
        assert_eq!(count(&log, BOB, 9, 2), 0, "a position beyond the head");
    }

    #[test]
    fn an_old_log_without_numbers_counts_every_event() {
        let numbered = |_: UserId, _: Seq| Ok::<u64, ()>(0);
        assert_eq!(unread(ANN, Seq(9), Seq(4), Seq(1), numbered), Ok(5));
    }
}
