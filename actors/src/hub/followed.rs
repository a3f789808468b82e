//! One conversation as this node's connections follow it: who listens, from where on, and in which order events go out.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{Seq, UserId};

use super::flow::Flow;
use crate::connection::ConnectionId;
use crate::message::News;

#[derive(Debug, Default)]
pub struct Followed {
    pub flow: Flow,
    /// Another leadership is being told: what the last one pushed may be incomplete.
    pub renewing: bool,
    /// Who gets events, and after which seq.
    listeners: BTreeMap<ConnectionId, Listener>,
    /// Who waits for the leader's answer.
    joining: BTreeMap<ConnectionId, UserId>,
    /// Who was removed where, for answers that were given before it.
    removed: BTreeMap<UserId, Seq>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listener {
    user: UserId,
    /// The device fetches up to here by itself.
    from: Seq,
}

impl Followed {
    /// False if it listens already. One that has listened from before `added` does not: it may have been removed in between.
    pub fn join(&mut self, connection: ConnectionId, user: UserId, added: Seq) -> bool {
        if self.has_joined_since(connection, added) {
            return false;
        }
        self.joining.insert(connection, user);
        true
    }

    /// Whether it listens from this event on or a later one, and knows all that happened to its membership up to there.
    pub fn has_joined_since(&self, connection: ConnectionId, seq: Seq) -> bool {
        self.listeners.get(&connection).is_some_and(|listener| listener.from >= seq)
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
        listening.chain(self.joining.values().copied()).collect()
    }

    /// The leader has answered for `asked`. Returns who is to be told the head, and what may be handed out now. Who joins among those who are
    /// `asked_again` waits for that answer: this one may be from before they were added.
    // Invariant: private. Who is refused listens no more; who was removed after the answer was given does not begin to.
    pub fn answered(
        &mut self,
        head: Seq,
        asked: &BTreeSet<UserId>,
        refused: &BTreeSet<UserId>,
        asked_again: &BTreeSet<UserId>,
    ) -> (Vec<ConnectionId>, Vec<News>) {
        let removed = std::mem::take(&mut self.removed);
        let welcome = |user: &UserId| !refused.contains(user) && removed.get(user).is_none_or(|at| *at <= head);
        self.listeners.retain(|_, listener| !asked.contains(&listener.user) || welcome(&listener.user));
        let mut told: Vec<ConnectionId> = Vec::new();
        let renewed = std::mem::take(&mut self.renewing);
        let all_told = renewed && head > self.flow.position();
        if all_told {
            told.extend(self.listeners.keys());
        }
        // Otherwise the pushes up to this head are on their way to those who listen already.
        let stands = renewed || !self.flow.has_begun();
        let out = if stands { self.flow.stand_at(head) } else { Vec::new() };
        let from = self.flow.position().max(head);
        let answered = |user: &UserId| asked.contains(user) && !asked_again.contains(user);
        for (connection, user) in self.joining.extract_if(.., |_, user| answered(user)) {
            if welcome(&user) {
                // What goes out now is above the head, so that who joins is not told of it as fetchable.
                let from = out.first().map_or(from, |_| head);
                let listened = self.listeners.insert(connection, Listener { user, from }).is_some();
                if !(listened && all_told) {
                    told.push(connection);
                }
            }
        }
        // Somebody's answer may still be under way.
        self.removed = if self.joining.is_empty() { BTreeMap::new() } else { removed };
        (told, out)
    }

    /// Who gets this event. Whoever it removes gets it as the last one.
    pub fn hand_out(&mut self, news: &News) -> Vec<ConnectionId> {
        let to = self.listeners.iter().filter(|(_, listener)| listener.from < news.seq);
        let to = to.map(|(connection, _)| *connection).collect();
        if let Some(removed) = news.removed {
            self.listeners.retain(|_, listener| listener.user != removed || listener.from >= news.seq);
            if self.joining.values().any(|user| *user == removed) {
                self.removed.insert(removed, news.seq);
            }
        }
        to
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

    fn answered(followed: &mut Followed, head: u64, asked: &[UserId], refused: &[UserId]) -> Vec<ConnectionId> {
        let set = |users: &[UserId]| users.iter().copied().collect();
        followed.answered(Seq(head), &set(asked), &set(refused), &BTreeSet::new()).0
    }

    #[test]
    fn who_was_removed_gets_nothing_after_that() {
        let mut followed = Followed::default();
        assert!(followed.join(1, ANN, Seq::ZERO) && followed.join(2, BOB, Seq::ZERO));
        assert_eq!(answered(&mut followed, 3, &[ANN, BOB], &[]), [1, 2]);
        assert_eq!(followed.hand_out(&news(4, Some(BOB))), [1, 2]);
        assert_eq!(followed.hand_out(&news(5, None)), [1]);
    }

    #[test]
    fn an_answer_from_before_the_removal_does_not_count() {
        let mut followed = Followed::default();
        followed.join(1, ANN, Seq::ZERO);
        answered(&mut followed, 3, &[ANN], &[]);
        followed.join(2, BOB, Seq::ZERO);
        followed.hand_out(&news(4, Some(BOB)));
        assert!(answered(&mut followed, 3, &[BOB], &[]).is_empty());
        assert_eq!(followed.hand_out(&news(5, None)), [1]);
    }

    #[test]
    fn who_came_back_before_the_removal_was_handed_out_stays() {
        let mut followed = Followed::default();
        followed.join(1, ANN, Seq::ZERO);
        answered(&mut followed, 3, &[ANN], &[]);
        followed.join(2, BOB, Seq::ZERO);
        assert_eq!(answered(&mut followed, 8, &[BOB], &[]), [2]);
        // Bob was removed at 5 and added at 8; this node is still at 3.
        assert_eq!(followed.hand_out(&news(5, Some(BOB))), [1]);
        assert_eq!(followed.hand_out(&news(9, None)), [1, 2]);
    }

    #[test]
    fn refused_at_a_new_leader_means_out() {
        let mut followed = Followed::default();
        followed.join(1, ANN, Seq::ZERO);
        followed.join(2, BOB, Seq::ZERO);
        answered(&mut followed, 3, &[ANN, BOB], &[]);
        followed.renewing = true;
        assert_eq!(answered(&mut followed, 6, &[ANN, BOB], &[BOB]), [1]);
        assert_eq!(followed.users(), BTreeSet::from([ANN]));
        followed.leave(1);
        assert!(followed.is_deserted());
    }

    #[test]
    fn who_was_added_again_before_the_removal_was_handed_out_is_told_again() {
        let mut followed = Followed::default();
        followed.join(1, ANN, Seq::ZERO);
        followed.join(2, BOB, Seq::ZERO);
        answered(&mut followed, 3, &[ANN, BOB], &[]);
        // Bob was removed at 5 and added at 8; this node is still at 3.
        assert!(!followed.has_joined_since(2, Seq(5)) && followed.join(2, BOB, Seq(8)));
        assert_eq!(answered(&mut followed, 8, &[BOB], &[]), [2]);
        assert_eq!(followed.hand_out(&news(5, Some(BOB))), [1]);
        assert_eq!(followed.hand_out(&news(9, None)), [1, 2]);
        // News of either that comes late is none.
        assert!(followed.has_joined_since(2, Seq(5)) && !followed.join(2, BOB, Seq(8)));
    }

    #[test]
    fn an_answer_from_before_somebody_was_added_turns_nobody_away() {
        let mut followed = Followed::default();
        followed.join(1, ANN, Seq::ZERO);
        answered(&mut followed, 3, &[ANN], &[]);
        let (bob, nobody) = (BTreeSet::from([BOB]), BTreeSet::new());
        // Bob is asked about as one who has left, and added before the answer comes.
        followed.join(2, BOB, Seq(5));
        assert_eq!(followed.answered(Seq(4), &bob, &bob, &bob).0, []);
        assert_eq!(followed.answered(Seq(5), &bob, &nobody, &nobody).0, [2]);
    }
}
