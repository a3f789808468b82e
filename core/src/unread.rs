//! How many messages a user has not read: those of others that the user can see, behind its read
//! position.
//!
//! A log numbers all events alike, so what does not count has numbers of its own: each message has
//! its number among its sender's, and each other event (members, names, roles) its number among the
//! events of [`NOT_A_MESSAGE`]. The figure is then a few subtractions, however long the log is.
//! Events of 74c331d have no such numbers and count like messages of others, until the user has
//! read beyond them.

use crate::event::{Event, EventKind};
use crate::id::{Seq, UserId};

/// In whose name events are numbered that are no messages.
pub const NOT_A_MESSAGE: UserId = UserId(0);

/// In whose name an event is numbered.
pub fn numbered_for(event: &Event) -> UserId {
    match event.kind {
        EventKind::Message(_) => event.sender,
        EventKind::Created { .. }
        | EventKind::Renamed { .. }
        | EventKind::Added { .. }
        | EventKind::Removed { .. }
        | EventKind::RoleChanged { .. }
        | EventKind::Unknown { .. } => NOT_A_MESSAGE,
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
