//! Puts the pushed events of one conversation in order: this node delivers contiguous seqs only.
//!
//! A push may be lost, late or repeated. Events between the position and an early push are fetched
//! before it is delivered, so that a removed user gets no event after its removal.

use std::collections::BTreeMap;

use troupe_core::{Seq, limits};

use crate::message::EventPush;

#[derive(Debug, Default)]
pub struct Resequencer {
    /// Events up to here are delivered, or below the head that subscribers got. `None` before the
    /// leader's first answer.
    position: Option<Seq>,
    held: BTreeMap<Seq, EventPush>,
    /// The highest head received.
    head: Seq,
    /// Where the fetch in flight begins.
    filling: Option<Seq>,
}

impl Resequencer {
    pub fn position(&self) -> Seq {
        self.position.unwrap_or_default()
    }

    pub fn has_begun(&self) -> bool {
        self.position.is_some()
    }

    /// A pushed or fetched event. Returns the events to deliver now, in order.
    pub fn offer(&mut self, push: EventPush) -> Vec<EventPush> {
        self.head = self.head.max(push.seq);
        if push.seq <= self.position() {
            return Vec::new();
        }
        self.held.insert(push.seq, push);
        if self.held.len() > limits::EVENTS_HELD_BACK {
            // The latest can be fetched again, and the earliest are needed first.
            self.held.pop_last();
        }
        self.release()
    }

    /// The planted bug: delivers at once, even if earlier events are missing.
    #[cfg(feature = "planted-bugs")]
    pub fn offer_regardless(&mut self, push: EventPush) -> Vec<EventPush> {
        if self.position.is_none_or(|position| push.seq <= position) {
            return self.offer(push);
        }
        self.position = Some(push.seq);
        vec![push]
    }

    /// The leader has answered a subscription. Listeners get this head and fetch what they lack
    /// below it.
    pub fn reset_to(&mut self, head: Seq) -> Vec<EventPush> {
        self.head = self.head.max(head);
        self.position = Some(self.position().max(head));
        self.release()
    }

    /// Moves the position back to `begin`, so that the events behind it are fetched again.
    pub fn go_back_to(&mut self, begin: Seq) {
        self.position = Some(self.position.map_or(begin, |position| position.min(begin)));
    }

    /// The leader sends a head after all pushes up to it, so an event that is missing now is lost.
    pub fn heard_head(&mut self, head: Seq) {
        self.head = self.head.max(head);
    }

    /// Where to fetch from, if events are missing and no fetch is in flight.
    pub fn wants_fill(&mut self) -> Option<Seq> {
        let position = self.position?;
        if self.filling.is_some() || self.head <= position {
            return None;
        }
        self.filling = Some(position);
        Some(position)
    }

    /// Whether the position has moved since the fetch began. If not, the next fetch needs a pause.
    pub fn fill_ended(&mut self) -> bool {
        self.filling.take().is_some_and(|began| self.position() > began)
    }

    fn release(&mut self) -> Vec<EventPush> {
        let Some(mut position) = self.position else { return Vec::new() };
        self.held = self.held.split_off(&position.next());
        let mut out = Vec::new();
        while let Some(push) = self.held.remove(&position.next()) {
            position = push.seq;
            out.push(push);
        }
        self.position = Some(position);
        out
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use troupe_core::ConversationId;
    use troupe_proto::wire::client as wire;

    use super::*;

    fn push(seq: u64) -> EventPush {
        EventPush {
            conversation: ConversationId::Everyone,
            seq: Seq(seq),
            removed: None,
            event: Bytes::new(),
            committed_us: 0,
        }
    }

    fn seqs(out: Vec<EventPush>) -> Vec<u64> {
        out.into_iter().map(|push| push.seq.0).collect()
    }

    #[test]
    fn pushes_before_the_answer_wait_for_it() {
        let mut resequencer = Resequencer::default();
        assert!(resequencer.offer(push(6)).is_empty() && resequencer.offer(push(5)).is_empty());
        assert_eq!(resequencer.wants_fill(), None);
        assert_eq!(seqs(resequencer.reset_to(Seq(4))), [5, 6]);
        assert!(resequencer.offer(push(6)).is_empty());
    }

    #[test]
    fn a_gap_is_filled_before_anything_after_it() {
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        assert!(resequencer.offer(push(4)).is_empty());
        assert_eq!(resequencer.wants_fill(), Some(Seq(1)));
        assert_eq!(resequencer.wants_fill(), None);
        assert_eq!(seqs(resequencer.offer(push(2))), [2]);
        assert_eq!(seqs(resequencer.offer(push(3))), [3, 4]);
        resequencer.fill_ended();
        assert_eq!(resequencer.wants_fill(), None);
    }

    #[test]
    fn a_lost_last_push_shows_in_the_head() {
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(7));
        resequencer.heard_head(Seq(7));
        assert_eq!(resequencer.wants_fill(), None);
        resequencer.heard_head(Seq(8));
        assert_eq!(resequencer.wants_fill(), Some(Seq(7)));
        resequencer.fill_ended();
        // The fetch failed: it is wanted again.
        assert_eq!(resequencer.wants_fill(), Some(Seq(7)));
    }

    #[test]
    fn events_held_back_are_bounded_and_fetched_later() {
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        let last = 3 + limits::EVENTS_HELD_BACK as u64;
        (3..=last).for_each(|seq| assert!(resequencer.offer(push(seq)).is_empty()));
        assert_eq!(resequencer.offer(push(2)).len(), limits::EVENTS_HELD_BACK);
        assert!(resequencer.wants_fill().is_some());
    }

    #[test]
    fn events_of_later_kinds_fill_a_gap_like_others() {
        let event = |seq, kind| wire::Event { seq, kind, content: Bytes::from_static(b"?"), ..wire::Event::default() };
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        let pushed = EventPush::fetched(ConversationId::Everyone, event(5, 77));
        assert!(resequencer.offer(pushed).is_empty());
        assert_eq!(resequencer.wants_fill(), Some(Seq(1)));
        // A later kind, a content that is none of its kind, and no kind at all.
        let page = [event(2, 77), event(3, 10), event(4, 0)];
        let out = page.map(|event| resequencer.offer(EventPush::fetched(ConversationId::Everyone, event)));
        assert_eq!(seqs(out.into_iter().flatten().collect()), [2, 3, 4, 5]);
        assert!(resequencer.fill_ended());
        assert_eq!(resequencer.wants_fill(), None);
    }

    #[test]
    fn a_page_without_progress_is_not_requested_again_at_once() {
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        resequencer.heard_head(Seq(3));
        assert_eq!(resequencer.wants_fill(), Some(Seq(1)));
        assert!(resequencer.offer(push(3)).is_empty(), "the one before it is missing");
        assert!(!resequencer.fill_ended());
        assert_eq!(resequencer.wants_fill(), Some(Seq(1)));
        resequencer.offer(push(2));
        assert!(resequencer.fill_ended());
    }

    #[test]
    fn a_new_subscription_jumps_to_the_head_that_subscribers_get() {
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        resequencer.offer(push(9));
        assert!(resequencer.reset_to(Seq(8)).into_iter().map(|n| n.seq).eq([Seq(9)]));
        assert_eq!(resequencer.position(), Seq(9));
        assert!(resequencer.reset_to(Seq(5)).is_empty());
        assert_eq!(resequencer.position(), Seq(9));
    }
}
