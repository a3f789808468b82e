//! The order in which one node hands out the events of one conversation: contiguous, or not at all.
//!
//! Pushes are hints that may be lost, late or twice. What lies between the position and a push that
//! came too early is fetched first; only then is anything handed out, so that who was removed at a
//! seq gets nothing after it.

use std::collections::BTreeMap;

use troupe_core::{Seq, limits};

use crate::message::News;

#[derive(Debug, Default)]
pub struct Resequencer {
    /// Everything up to here has been handed out, or is below the head that subscribers were told.
    /// `None` before the leader has said where the conversation stands.
    position: Option<Seq>,
    held: BTreeMap<Seq, News>,
    /// The furthest head heard of.
    head: Seq,
    /// Where the fetch that is under way begins.
    filling: Option<Seq>,
}

impl Resequencer {
    pub fn position(&self) -> Seq {
        self.position.unwrap_or_default()
    }

    pub fn has_begun(&self) -> bool {
        self.position.is_some()
    }

    /// A push, or an event that was fetched. Returns what may be handed out now, in order.
    pub fn offer(&mut self, news: News) -> Vec<News> {
        self.head = self.head.max(news.seq);
        if news.seq <= self.position() {
            return Vec::new();
        }
        self.held.insert(news.seq, news);
        if self.held.len() > limits::EVENTS_HELD_BACK {
            // The latest can be fetched again; the earliest are needed first.
            self.held.pop_last();
        }
        self.release()
    }

    /// Hands out at once, whatever is missing before it: the planted bug.
    pub fn offer_regardless(&mut self, news: News) -> Vec<News> {
        if self.position.is_none_or(|position| news.seq <= position) {
            return self.offer(news);
        }
        self.position = Some(news.seq);
        vec![news]
    }

    /// Subscribed, or subscribed anew: whoever listens is told this head and fetches what they lack
    /// below it.
    pub fn reset_to(&mut self, head: Seq) -> Vec<News> {
        self.head = self.head.max(head);
        self.position = Some(self.position().max(head));
        self.release()
    }

    /// Begins behind `begin`, if it has not begun or is further: what lies between is fetched
    /// again.
    pub fn go_back_to(&mut self, begin: Seq) {
        self.position = Some(self.position.map_or(begin, |position| position.min(begin)));
    }

    /// The leader has told of this head after all its pushes up to it: what is missing is lost.
    pub fn heard_head(&mut self, head: Seq) {
        self.head = self.head.max(head);
    }

    /// Where to fetch from, if something is missing and nobody fetches yet.
    pub fn wants_fill(&mut self) -> Option<Seq> {
        let position = self.position?;
        if self.filling.is_some() || self.head <= position {
            return None;
        }
        self.filling = Some(position);
        Some(position)
    }

    /// Whether the position has moved since the fetch began. If not, the next one is no better
    /// without a pause.
    pub fn fill_ended(&mut self) -> bool {
        self.filling.take().is_some_and(|began| self.position() > began)
    }

    fn release(&mut self) -> Vec<News> {
        let Some(mut position) = self.position else { return Vec::new() };
        self.held = self.held.split_off(&position.next());
        let mut out = Vec::new();
        while let Some(news) = self.held.remove(&position.next()) {
            position = news.seq;
            out.push(news);
        }
        self.position = Some(position);
        out
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use troupe_core::ConversationId;
    use troupe_proto::wire::client as say;

    use super::*;

    fn news(seq: u64) -> News {
        News { conversation: ConversationId::Everyone, seq: Seq(seq), removed: None, frame: Bytes::new() }
    }

    fn seqs(out: Vec<News>) -> Vec<u64> {
        out.into_iter().map(|news| news.seq.0).collect()
    }

    #[test]
    fn pushes_before_the_answer_wait_for_it() {
        let mut resequencer = Resequencer::default();
        assert!(resequencer.offer(news(6)).is_empty() && resequencer.offer(news(5)).is_empty());
        assert_eq!(resequencer.wants_fill(), None);
        assert_eq!(seqs(resequencer.reset_to(Seq(4))), [5, 6]);
        assert!(resequencer.offer(news(6)).is_empty());
    }

    #[test]
    fn a_gap_is_filled_before_anything_after_it() {
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        assert!(resequencer.offer(news(4)).is_empty());
        assert_eq!(resequencer.wants_fill(), Some(Seq(1)));
        assert_eq!(resequencer.wants_fill(), None);
        assert_eq!(seqs(resequencer.offer(news(2))), [2]);
        assert_eq!(seqs(resequencer.offer(news(3))), [3, 4]);
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
    fn what_is_held_back_is_bounded_and_fetched_later() {
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        let last = 3 + limits::EVENTS_HELD_BACK as u64;
        (3..=last).for_each(|seq| assert!(resequencer.offer(news(seq)).is_empty()));
        assert_eq!(resequencer.offer(news(2)).len(), limits::EVENTS_HELD_BACK);
        assert!(resequencer.wants_fill().is_some());
    }

    #[test]
    fn events_of_later_kinds_fill_a_gap_like_others() {
        let event = |seq, kind| say::Event { seq, kind, content: Bytes::from_static(b"?"), ..say::Event::default() };
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        let pushed = crate::conversation::news(ConversationId::Everyone, event(5, 77));
        assert!(resequencer.offer(pushed).is_empty());
        assert_eq!(resequencer.wants_fill(), Some(Seq(1)));
        // A later kind, a content that is none of its kind, and no kind at all.
        let page = [event(2, 77), event(3, 10), event(4, 0)];
        let out = page.map(|event| resequencer.offer(crate::conversation::news(ConversationId::Everyone, event)));
        assert_eq!(seqs(out.into_iter().flatten().collect()), [2, 3, 4, 5]);
        assert!(resequencer.fill_ended());
        assert_eq!(resequencer.wants_fill(), None);
    }

    #[test]
    fn a_page_that_does_not_help_is_not_asked_for_again_at_once() {
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        resequencer.heard_head(Seq(3));
        assert_eq!(resequencer.wants_fill(), Some(Seq(1)));
        assert!(resequencer.offer(news(3)).is_empty(), "the one before it is missing");
        assert!(!resequencer.fill_ended());
        assert_eq!(resequencer.wants_fill(), Some(Seq(1)));
        resequencer.offer(news(2));
        assert!(resequencer.fill_ended());
    }

    #[test]
    fn subscribing_anew_jumps_to_the_head_that_subscribers_are_told() {
        let mut resequencer = Resequencer::default();
        resequencer.reset_to(Seq(1));
        resequencer.offer(news(9));
        assert!(resequencer.reset_to(Seq(8)).into_iter().map(|n| n.seq).eq([Seq(9)]));
        assert_eq!(resequencer.position(), Seq(9));
        assert!(resequencer.reset_to(Seq(5)).is_empty());
        assert_eq!(resequencer.position(), Seq(9));
    }
}
