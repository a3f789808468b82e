//! The number of unread messages of a user: those of others that the user can see, behind its read
//! position.
//!
//! A log numbers all events alike, so events that do not count have numbers of their own. Each
//! message has its number among its sender's, and each other event (members, names, roles) its
//! number among the events of [`NOT_A_MESSAGE`]. The count is then a few subtractions, for a log of
//! any length.
//!
//! A number is a row, and the rows of a user are [`SPACING`] seqs apart at least; the events behind
//! the last of them are counted in the log. Events of 74c331d have no numbers and count like
//! messages of others, until the user has read beyond them.

use crate::event::Event;
use crate::id::{Seq, UserId};

/// The owner of the numbers of events that are not messages.
pub const NOT_A_MESSAGE: UserId = UserId(0);

/// An event leaves a row if the last row of its user is so far behind it. A number then costs a
/// look at fewer events than this. At 1 it costs none: an event is read with its body of up to
/// `MESSAGE_BYTES`, so at 16 one list of conversations could read hundreds of megabytes.
pub const SPACING: u64 = 1;

/// A row: the event at `seq` is the `number`th of those that are numbered for a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbered {
    pub seq: Seq,
    pub number: u64,
}

/// The owner of an event's number.
pub fn numbered_for(event: &Event) -> UserId {
    if event.counts_as_unread() { event.sender } else { NOT_A_MESSAGE }
}

/// How many events up to `seq` are numbered for a user, whose last row up to there is `last`.
/// `count` counts those among the events behind the first seq, up to and with the second.
pub fn up_to<E>(last: Numbered, seq: Seq, count: impl FnOnce(Seq, Seq) -> Result<u64, E>) -> Result<u64, E> {
    let to = seq.min(Seq(last.seq.0.saturating_add(SPACING - 1)));
    if to <= last.seq { Ok(last.number) } else { Ok(last.number + count(last.seq, to)?) }
}

/// The position of a user's numbers at the head of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbering {
    pub last: Numbered,
    /// Events behind the last row that are numbered for the user.
    pub since: u64,
}

impl Numbering {
    /// After one more event at `seq`. The last row is a new one if nothing is behind it.
    pub fn next(self, seq: Seq) -> Numbering {
        if seq.0.saturating_sub(self.last.seq.0) < SPACING {
            return Numbering { since: self.since + 1, ..self };
        }
        Numbering { last: Numbered { seq, number: self.last.number + self.since + 1 }, since: 0 }
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
    fn few_rows_give_every_number() {
        // Runs of one user, silences longer than the spacing, and everything between.
        let author = |seq: u64| match seq {
            1..=40 => ANN,
            41..=90 if seq.is_multiple_of(7) => BOB,
            91..=200 => BOB,
            _ if seq.is_multiple_of(17) => ANN,
            _ => NOT_A_MESSAGE,
        };
        for user in [ANN, BOB, NOT_A_MESSAGE] {
            let exact = |from: Seq, to: Seq| (from.0 + 1..=to.0).filter(|seq| author(*seq) == user).count() as u64;
            let (mut rows, mut numbering) = (Vec::new(), Numbering::default());
            for seq in (1..=400).filter(|seq| author(*seq) == user) {
                numbering = numbering.next(Seq(seq));
                rows.extend(Some(numbering.last).filter(|_| numbering.since == 0));
            }
            for seq in (0..=400).map(Seq) {
                let last = rows.iter().rfind(|row| row.seq <= seq).copied().unwrap_or_default();
                let looked_at = |from: Seq, to: Seq| {
                    assert!(to.0 - from.0 < SPACING);
                    Ok::<u64, ()>(exact(from, to))
                };
                assert_eq!(up_to(last, seq, looked_at), Ok(exact(Seq::ZERO, seq)), "{user} at {seq}");
            }
            assert!(rows.len() as u64 <= 400 / SPACING);
        }
    }

    #[test]
    fn an_old_log_without_numbers_counts_every_event() {
        let numbered = |_: UserId, _: Seq| Ok::<u64, ()>(0);
        assert_eq!(unread(ANN, Seq(9), Seq(4), Seq(1), numbered), Ok(5));
    }
}
