//! One conversation as this node's connections follow it: who listens, from where on, and in which
//! order events go out.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{Seq, UserId};

use super::resequencer::Resequencer;
use crate::connection::ConnectionId;
use crate::message::News;

/// A connection that is told of a conversation by its first event gets it pushed, if no more than
/// this has happened since.
const PUSHED_BEHIND: u64 = 16;

#[derive(Debug, Default)]
pub struct Subscription {
    pub resequencer: Resequencer,
    /// Counts on with what the fan-out hands out: the higher, the more recently something happened
    /// here.
    pub active: u64,
    /// Another leadership is being told: what the last one pushed may be incomplete.
    pub renewing: bool,
    /// Who gets events, and after which seq.
    listeners: BTreeMap<ConnectionId, Listener>,
    /// Connections that wait for the leader's answer.
    joining: BTreeMap<ConnectionId, Joining>,
    /// Who was removed where, for answers that were given before it.
    removed: BTreeMap<UserId, Seq>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listener {
    user: UserId,
    /// The device fetches up to here by itself.
    from: Seq,
    /// The leader has judged the user's membership as of here, or later.
    judged: Seq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Joining {
    user: UserId,
    /// The first event that is pushed, if it is still among the last ones; otherwise the first one
    /// after the head.
    first: Option<Seq>,
}

impl Subscription {
    /// False if it listens already. One that has listened from before `added` does not: it may have
    /// been removed in between.
    pub fn join(&mut self, connection: ConnectionId, user: UserId, added: Seq, first: Option<Seq>) -> bool {
        if self.has_joined_since(connection, added) {
            return false;
        }
        self.joining.insert(connection, Joining { user, first });
        true
    }

    /// Whether it listens from this event on or a later one, and knows all that happened to its
    /// membership up to there.
    pub fn has_joined_since(&self, connection: ConnectionId, seq: Seq) -> bool {
        self.listeners.get(&connection).is_some_and(|listener| listener.judged >= seq)
    }

    pub fn leave(&mut self, connection: ConnectionId) {
        self.listeners.remove(&connection);
        self.joining.remove(&connection);
    }

    pub fn is_deserted(&self) -> bool {
        self.listeners.is_empty() && self.joining.is_empty()
    }

    /// Everybody whom the leader has to judge when it is asked anew.
    pub fn users(&self) -> BTreeSet<UserId> {
        let listening = self.listeners.values().map(|listener| listener.user);
        listening.chain(self.joining.values().map(|joining| joining.user)).collect()
    }

    /// The leader has answered for `asked`. Returns the connections to tell the conversation and
    /// with which head, and what may be handed out now. A user that is `asked_again` waits for that
    /// answer, because this one may be from before it was added.
    // Invariant: private. A refused user listens no more, and one removed after the answer was
    // given does not begin to.
    pub fn answered(
        &mut self,
        head: Seq,
        asked: &BTreeSet<UserId>,
        refused: &BTreeSet<UserId>,
        asked_again: &BTreeSet<UserId>,
    ) -> (Vec<(ConnectionId, Seq)>, Vec<News>) {
        let removed = std::mem::take(&mut self.removed);
        let welcome = |user: &UserId| !refused.contains(user) && removed.get(user).is_none_or(|at| *at <= head);
        self.listeners.retain(|_, listener| !asked.contains(&listener.user) || welcome(&listener.user));
        let mut told: Vec<(ConnectionId, Seq)> = Vec::new();
        let renewed = std::mem::take(&mut self.renewing);
        let all_told = renewed && head > self.resequencer.position();
        if all_told {
            told.extend(self.listeners.keys().map(|connection| (*connection, head)));
        }
        let answered = |user: &UserId| asked.contains(user) && !asked_again.contains(user);
        let before = |joining: &Joining| {
            let before = Seq(joining.first?.0.saturating_sub(1));
            let few = before < head && head.0 - before.0 <= PUSHED_BEHIND;
            (few && !renewed && answered(&joining.user) && welcome(&joining.user)).then_some(before)
        };
        let begin = self.joining.values().filter_map(before).min();
        if let Some(begin) = begin {
            self.go_back_to(begin, head);
        }
        // Otherwise the pushes up to this head are on their way to those that listen already, or
        // are fetched.
        let stands = renewed || !self.resequencer.has_begun();
        let out = if stands { self.resequencer.reset_to(head) } else { Vec::new() };
        let position = self.resequencer.position().max(head);
        for (connection, joining) in self.joining.extract_if(.., |_, joining| answered(&joining.user)) {
            let user = joining.user;
            if welcome(&user) {
                // What goes out now is above the head: a connection that joins must not fetch it as
                // well.
                let behind = out.first().map_or(position, |_| head);
                let from = before(&joining).unwrap_or(behind);
                let listened = self.listeners.insert(connection, Listener { user, from, judged: behind }).is_some();
                if !(listened && all_told) {
                    told.push((connection, from));
                }
            }
        }
        // Somebody's answer may still be under way.
        self.removed = if self.joining.is_empty() { BTreeMap::new() } else { removed };
        (told, out)
    }

    /// The resequencer begins behind `begin`, and fetches what lies up to `head`. What was handed out
    /// already is not handed out again to those that had it.
    fn go_back_to(&mut self, begin: Seq, head: Seq) {
        let position = self.resequencer.position();
        if self.resequencer.has_begun() && begin < position {
            self.listeners.values_mut().for_each(|listener| listener.from = listener.from.max(position));
        }
        self.resequencer.go_back_to(begin);
        self.resequencer.heard_head(head);
    }

    /// Who gets this event. Whoever it removes gets it as the last one.
    pub fn deliver(&mut self, news: &News) -> Vec<ConnectionId> {
        let to = self.listeners.iter().filter(|(_, listener)| listener.from < news.seq);
        let to = to.map(|(connection, _)| *connection).collect();
        if let Some(removed) = news.removed {
            self.listeners.retain(|_, listener| listener.user != removed || listener.judged >= news.seq);
            if self.joining.values().any(|joining| joining.user == removed) {
                self.removed.insert(removed, news.seq);
            }
        }
        to
    }

    pub fn listens(&self, connection: ConnectionId) -> bool {
        self.listeners.contains_key(&connection)
    }

    pub fn listeners(&self) -> impl Iterator<Item = ConnectionId> {
        self.listeners.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use troupe_core::ConversationId;

    use super::*;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    fn news(seq: u64, removed: Option<UserId>) -> News {
        News { conversation: ConversationId::Everyone, seq: Seq(seq), removed, frame: Bytes::new() }
    }

    fn answered(subscription: &mut Subscription, head: u64, asked: &[UserId], refused: &[UserId]) -> Vec<ConnectionId> {
        let set = |users: &[UserId]| users.iter().copied().collect();
        let told = subscription.answered(Seq(head), &set(asked), &set(refused), &BTreeSet::new()).0;
        told.into_iter().map(|(connection, _)| connection).collect()
    }

    #[test]
    fn who_was_removed_gets_nothing_after_that() {
        let mut subscription = Subscription::default();
        assert!(subscription.join(1, ANN, Seq::ZERO, None) && subscription.join(2, BOB, Seq::ZERO, None));
        assert_eq!(answered(&mut subscription, 3, &[ANN, BOB], &[]), [1, 2]);
        assert_eq!(subscription.deliver(&news(4, Some(BOB))), [1, 2]);
        assert_eq!(subscription.deliver(&news(5, None)), [1]);
    }

    #[test]
    fn an_answer_from_before_the_removal_does_not_count() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN], &[]);
        subscription.join(2, BOB, Seq::ZERO, None);
        subscription.deliver(&news(4, Some(BOB)));
        assert!(answered(&mut subscription, 3, &[BOB], &[]).is_empty());
        assert_eq!(subscription.deliver(&news(5, None)), [1]);
    }

    #[test]
    fn who_came_back_before_the_removal_was_handed_out_stays() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN], &[]);
        subscription.join(2, BOB, Seq::ZERO, None);
        assert_eq!(answered(&mut subscription, 8, &[BOB], &[]), [2]);
        // Bob was removed at 5 and added at 8; this node is still at 3.
        assert_eq!(subscription.deliver(&news(5, Some(BOB))), [1]);
        assert_eq!(subscription.deliver(&news(9, None)), [1, 2]);
    }

    #[test]
    fn refused_at_a_new_leader_means_out() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        subscription.join(2, BOB, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN, BOB], &[]);
        subscription.renewing = true;
        assert_eq!(answered(&mut subscription, 6, &[ANN, BOB], &[BOB]), [1]);
        assert_eq!(subscription.users(), BTreeSet::from([ANN]));
        subscription.leave(1);
        assert!(subscription.is_deserted());
    }

    #[test]
    fn who_was_added_again_before_the_removal_was_handed_out_is_told_again() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        subscription.join(2, BOB, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN, BOB], &[]);
        // Bob was removed at 5 and added at 8; this node is still at 3.
        assert!(!subscription.has_joined_since(2, Seq(5)) && subscription.join(2, BOB, Seq(8), None));
        assert_eq!(answered(&mut subscription, 8, &[BOB], &[]), [2]);
        assert_eq!(subscription.deliver(&news(5, Some(BOB))), [1]);
        assert_eq!(subscription.deliver(&news(9, None)), [1, 2]);
        // News of either that comes late is none.
        assert!(subscription.has_joined_since(2, Seq(5)) && !subscription.join(2, BOB, Seq(8), None));
    }

    #[test]
    fn an_answer_from_before_somebody_was_added_turns_nobody_away() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN], &[]);
        let (bob, nobody) = (BTreeSet::from([BOB]), BTreeSet::new());
        // Bob is asked about as one who has left, and added before the answer comes.
        subscription.join(2, BOB, Seq(5), None);
        assert_eq!(subscription.answered(Seq(4), &bob, &bob, &bob).0, []);
        assert_eq!(subscription.answered(Seq(5), &bob, &nobody, &nobody).0, [(2, Seq(5))]);
    }

    #[test]
    fn the_first_message_of_a_new_conversation_is_pushed_to_both_ends() {
        let mut subscription = Subscription::default();
        let (ann, bob, none) = (BTreeSet::from([ANN]), BTreeSet::from([BOB]), BTreeSet::new());
        // Both are on this node; ann, who wrote it, is heard of first.
        assert!(subscription.join(1, ANN, Seq::ZERO, Some(Seq(1))));
        let (told, out) = subscription.answered(Seq(1), &ann, &none, &none);
        assert_eq!((told, out.len()), (vec![(1, Seq::ZERO)], 0));
        assert_eq!(subscription.resequencer.wants_fill(), Some(Seq::ZERO));
        let out = subscription.resequencer.offer(news(1, None));
        subscription.resequencer.fill_ended();
        assert_eq!(subscription.deliver(&out[0]), [1]);

        assert!(subscription.join(2, BOB, Seq::ZERO, Some(Seq(1))));
        assert_eq!(subscription.answered(Seq(1), &bob, &none, &none).0, [(2, Seq::ZERO)]);
        assert_eq!(subscription.resequencer.wants_fill(), Some(Seq::ZERO), "it is fetched again");
        let out = subscription.resequencer.offer(news(1, None));
        subscription.resequencer.fill_ended();
        assert_eq!(subscription.deliver(&out[0]), [2], "and not handed out twice");
        assert_eq!(subscription.deliver(&news(2, None)), [1, 2]);
    }

    #[test]
    fn a_conversation_that_has_gone_on_is_fetched() {
        let mut subscription = Subscription::default();
        let (ann, none) = (BTreeSet::from([ANN]), BTreeSet::new());
        subscription.join(1, ANN, Seq::ZERO, Some(Seq(1)));
        let head = Seq(PUSHED_BEHIND + 1);
        assert_eq!(subscription.answered(head, &ann, &none, &none).0, [(1, head)]);
        assert_eq!(subscription.resequencer.wants_fill(), None);
    }
}
