//! The decision after each attempt of a request, and the honest answer at the deadline.

use std::time::Duration;

use troupe_core::NodeId;
use troupe_runtime::{Backoff, Rng};

use crate::message::{Outcome, Refusal};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(200));
/// Hints followed without a pause: two nodes may point at each other.
const HINTS: u32 = 2;

/// The attempts of one request so far.
#[derive(Debug)]
pub struct Attempts {
    backoff: Backoff,
    hints: u32,
    /// An attempt was sent and not answered: it may have been done.
    maybe_done: bool,
}

#[derive(Debug)]
pub enum Next {
    Return(Outcome),
    Retry { hint: Option<NodeId> },
}

impl Default for Attempts {
    fn default() -> Attempts {
        Attempts { backoff: BACKOFF, hints: 0, maybe_done: false }
    }
}

impl Attempts {
    pub fn after(&mut self, outcome: Outcome) -> Next {
        match outcome {
            Err(Refusal::NotOwner { hint }) => {
                self.hints += u32::from(hint.is_some());
                Next::Retry { hint: hint.filter(|_| self.hints <= HINTS) }
            }
            Err(Refusal::Unavailable) => {
                self.maybe_done = true;
                Next::Retry { hint: None }
            }
            // Definite for this attempt, but not for an earlier one.
            Err(Refusal::Overloaded { .. } | Refusal::StorageLow) if self.maybe_done => Next::Retry { hint: None },
            other => Next::Return(other),
        }
    }

    /// Whether it may have been done.
    pub fn is_in_doubt(&self) -> bool {
        self.maybe_done
    }

    pub fn hints_used_up(&self) -> bool {
        self.hints > HINTS
    }

    pub fn pause(&mut self, rng: &Rng) -> Duration {
        self.backoff.pause(rng)
    }

    // Invariant: honest_errors. An unknown outcome stays unknown, whatever refuses the last
    // attempt.
    pub fn exhausted(&self) -> Refusal {
        if self.maybe_done { Refusal::Unavailable } else { Refusal::NotOwner { hint: None } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Answer;

    #[test]
    fn an_attempt_that_may_have_been_done_is_never_called_definite() {
        let mut attempts = Attempts::default();
        assert!(matches!(attempts.after(Err(Refusal::Unavailable)), Next::Retry { hint: None }));
        assert!(matches!(attempts.after(Err(Refusal::OVERLOADED)), Next::Retry { .. }));
        assert_eq!(attempts.exhausted(), Refusal::Unavailable);
    }

    #[test]
    fn without_a_leader_nothing_was_done() {
        let mut attempts = Attempts::default();
        for _ in 0..5 {
            assert!(matches!(attempts.after(Err(Refusal::NotOwner { hint: None })), Next::Retry { hint: None }));
        }
        assert_eq!(attempts.exhausted(), Refusal::NotOwner { hint: None });
    }

    #[test]
    fn overloaded_at_first_and_rejections_go_straight_back() {
        assert!(matches!(Attempts::default().after(Err(Refusal::OVERLOADED)), Next::Return(Err(_))));
        let mut attempts = Attempts::default();
        attempts.after(Err(Refusal::Unavailable));
        // The retry is behind the first attempt in the log, so its rejection is final.
        assert!(matches!(attempts.after(Err(Refusal::rejected("x", "y"))), Next::Return(Err(_))));
        assert!(matches!(Attempts::default().after(Ok(Answer::Done)), Next::Return(Ok(_))));
    }

    #[test]
    fn hints_are_followed_twice_then_only_with_a_pause() {
        let mut attempts = Attempts::default();
        let hint = Some(NodeId(7));
        for _ in 0..2 {
            assert!(matches!(attempts.after(Err(Refusal::NotOwner { hint })), Next::Retry { hint: Some(NodeId(7)) }));
        }
        assert!(matches!(attempts.after(Err(Refusal::NotOwner { hint })), Next::Retry { hint: None }));
        assert!(attempts.hints_used_up());
        assert!(attempts.pause(&Rng::from_seed(1)) <= Duration::from_millis(10));
    }
}
