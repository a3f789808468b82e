//! One conversation as this node follows it: its listeners, where each of them begins, and the
//! order of its events.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{Seq, UserId};

use super::resequencer::Resequencer;
use crate::message::EventPush;
use crate::sink::ConnectionId;

/// A connection that learns of a conversation by its first event gets that event by push, if no
/// more than this many have followed.
const PUSHED_BEHIND: u64 = 16;

#[derive(Debug, Default)]
pub struct Subscription {
    pub resequencer: Resequencer,
    /// The fan-out's count of delivered events at the last activity: a higher one is more recent.
    pub active: u64,
    /// A new leadership has not answered yet: pushes of the previous one may be incomplete.
    pub renewing: bool,
    /// Connections that get events.
    listeners: BTreeMap<ConnectionId, Listener>,
    /// Connections that wait for the leader's answer.
    joining: BTreeMap<ConnectionId, Joining>,
    /// Removals, for answers that leaders gave before them.
    removed: BTreeMap<UserId, Seq>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listener {
    user: UserId,
    /// The device fetches events up to here by itself.
    from: Seq,
    /// The leader has checked the user's membership at this seq or later.
    checked: Seq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Joining {
    user: UserId,
    /// The first event to push if it is recent; otherwise the first one after the head.
    first: Option<Seq>,
}

impl Subscription {
    /// False if it listens already. A listener from before `added` joins again, because its user
    /// may have been removed in between.
    pub fn join(&mut self, connection: ConnectionId, user: UserId, added: Seq, first: Option<Seq>) -> bool {
        if self.has_joined_since(connection, added) {
            return false;
        }
        self.joining.insert(connection, Joining { user, first });
        true
    }

    /// Whether it listens, with a membership that was checked at this event or later.
    pub fn has_joined_since(&self, connection: ConnectionId, seq: Seq) -> bool {
        self.listeners.get(&connection).is_some_and(|listener| listener.checked >= seq)
    }

    pub fn leave(&mut self, connection: ConnectionId) {
        self.listeners.remove(&connection);
        self.joining.remove(&connection);
    }

    pub fn has_no_listener(&self) -> bool {
        self.listeners.is_empty() && self.joining.is_empty()
    }

    /// All users whose membership a new leader has to check.
    pub fn users(&self) -> BTreeSet<UserId> {
        let listening = self.listeners.values().map(|listener| listener.user);
        listening.chain(self.joining.values().map(|joining| joining.user)).collect()
    }

    /// The leader has answered for `asked`. Returns the connections that join, each with its head,
    /// and the events to deliver now. A user that is `asked_again` waits for that later answer,
    /// because this one may precede its addition.
    // Invariant: private. A refused user stops listening, and a user removed after the answer does
    // not begin to listen.
    pub fn answered(
        &mut self,
        head: Seq,
        asked: &BTreeSet<UserId>,
        refused: &BTreeSet<UserId>,
        asked_again: &BTreeSet<UserId>,
    ) -> (Vec<(ConnectionId, Seq)>, Vec<EventPush>) {
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
        // Otherwise the events up to this head are pushed or fetched for the present listeners.
        let stands = renewed || !self.resequencer.has_begun();
        let out = if stands { self.resequencer.reset_to(head) } else { Vec::new() };
        let position = self.resequencer.position().max(head);
        for (connection, joining) in self.joining.extract_if(.., |_, joining| answered(&joining.user)) {
            let user = joining.user;
            if welcome(&user) {
                // Events delivered now are above the head: a joining connection must not fetch them
                // as well.
                let behind = out.first().map_or(position, |_| head);
                let from = before(&joining).unwrap_or(behind);
                let listened = self.listeners.insert(connection, Listener { user, from, checked: behind }).is_some();
                if !(listened && all_told) {
                    told.push((connection, from));
                }
            }
        }
        // Answers for joining connections may precede these removals.
        self.removed = if self.joining.is_empty() { BTreeMap::new() } else { removed };
        (told, out)
    }

    /// Begins again behind `begin` and fetches up to `head`. Present listeners do not get an event
    /// twice.
    fn go_back_to(&mut self, begin: Seq, head: Seq) {
        let position = self.resequencer.position();
        if self.resequencer.has_begun() && begin < position {
            self.listeners.values_mut().for_each(|listener| listener.from = listener.from.max(position));
        }
        self.resequencer.go_back_to(begin);
        self.resequencer.heard_head(head);
    }

    /// The connections that get this event. It is the last one for the user that it removes.
    pub fn deliver(&mut self, seq: Seq, removed: Option<UserId>) -> Vec<ConnectionId> {
        let to = self.listeners.iter().filter(|(_, listener)| listener.from < seq);
        let to = to.map(|(connection, _)| *connection).collect();
        if let Some(removed) = removed {
            self.listeners.retain(|_, listener| listener.user != removed || listener.checked >= seq);
            if self.joining.values().any(|joining| joining.user == removed) {
                self.removed.insert(removed, seq);
            }
        }
        to
    }

    pub fn listens(&self, connection: ConnectionId) -> bool {
        self.listeners.contains_key(&connection)
    }

    /// Those that get the event behind this seq.
    pub fn listeners_since(&self, seq: Seq) -> impl Iterator<Item = ConnectionId> {
        self.listeners.iter().filter(move |(_, listener)| listener.from <= seq).map(|(connection, _)| *connection)
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

    fn push(seq: u64) -> EventPush {
        EventPush {
            conversation: ConversationId::Everyone,
            seq: Seq(seq),
            removed: None,
            event: Bytes::new(),
            committed_us: 0,
        }
    }

    fn answered(subscription: &mut Subscription, head: u64, asked: &[UserId], refused: &[UserId]) -> Vec<ConnectionId> {
        let set = |users: &[UserId]| users.iter().copied().collect();
        let told = subscription.answered(Seq(head), &set(asked), &set(refused), &BTreeSet::new()).0;
        told.into_iter().map(|(connection, _)| connection).collect()
    }

    #[test]
    fn a_removed_user_gets_no_later_event() {
        let mut subscription = Subscription::default();
        assert!(subscription.join(1, ANN, Seq::ZERO, None) && subscription.join(2, BOB, Seq::ZERO, None));
        assert_eq!(answered(&mut subscription, 3, &[ANN, BOB], &[]), [1, 2]);
        assert_eq!(subscription.deliver(Seq(4), Some(BOB)), [1, 2]);
        assert_eq!(subscription.deliver(Seq(5), None), [1]);
    }

    #[test]
    fn an_answer_from_before_the_removal_is_ignored() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN], &[]);
        subscription.join(2, BOB, Seq::ZERO, None);
        subscription.deliver(Seq(4), Some(BOB));
        assert!(answered(&mut subscription, 3, &[BOB], &[]).is_empty());
        assert_eq!(subscription.deliver(Seq(5), None), [1]);
    }

    #[test]
    fn a_user_added_again_before_the_removal_is_delivered_stays() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN], &[]);
        subscription.join(2, BOB, Seq::ZERO, None);
        assert_eq!(answered(&mut subscription, 8, &[BOB], &[]), [2]);
        // Bob was removed at 5 and added at 8; this node is still at 3.
        assert_eq!(subscription.deliver(Seq(5), Some(BOB)), [1]);
        assert_eq!(subscription.deliver(Seq(9), None), [1, 2]);
    }

    #[test]
    fn a_new_leader_that_refuses_a_user_ends_its_subscription() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        subscription.join(2, BOB, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN, BOB], &[]);
        subscription.renewing = true;
        assert_eq!(answered(&mut subscription, 6, &[ANN, BOB], &[BOB]), [1]);
        assert_eq!(subscription.users(), BTreeSet::from([ANN]));
        subscription.leave(1);
        assert!(subscription.has_no_listener());
    }

    #[test]
    fn a_listener_added_again_before_the_removal_is_delivered_joins_again() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        subscription.join(2, BOB, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN, BOB], &[]);
        // Bob was removed at 5 and added at 8; this node is still at 3.
        assert!(!subscription.has_joined_since(2, Seq(5)) && subscription.join(2, BOB, Seq(8), None));
        assert_eq!(answered(&mut subscription, 8, &[BOB], &[]), [2]);
        assert_eq!(subscription.deliver(Seq(5), Some(BOB)), [1]);
        assert_eq!(subscription.deliver(Seq(9), None), [1, 2]);
        // Late notifications of either change are ignored.
        assert!(subscription.has_joined_since(2, Seq(5)) && !subscription.join(2, BOB, Seq(8), None));
    }

    #[test]
    fn an_answer_from_before_an_addition_refuses_no_user() {
        let mut subscription = Subscription::default();
        subscription.join(1, ANN, Seq::ZERO, None);
        answered(&mut subscription, 3, &[ANN], &[]);
        let (bob, none) = (BTreeSet::from([BOB]), BTreeSet::new());
        // The request is from before Bob was added, and the answer comes after it.
        subscription.join(2, BOB, Seq(5), None);
        assert_eq!(subscription.answered(Seq(4), &bob, &bob, &bob).0, []);
        assert_eq!(subscription.answered(Seq(5), &bob, &none, &none).0, [(2, Seq(5))]);
    }

    #[test]
    fn the_first_message_of_a_new_conversation_is_pushed_to_both_ends() {
        let mut subscription = Subscription::default();
        let (ann, bob, none) = (BTreeSet::from([ANN]), BTreeSet::from([BOB]), BTreeSet::new());
        // Both are on this node, and the push for the sender comes first.
        assert!(subscription.join(1, ANN, Seq::ZERO, Some(Seq(1))));
        let (told, out) = subscription.answered(Seq(1), &ann, &none, &none);
        assert_eq!((told, out.len()), (vec![(1, Seq::ZERO)], 0));
        assert_eq!(subscription.resequencer.wants_fill(), Some(Seq::ZERO));
        let out = subscription.resequencer.offer(push(1));
        subscription.resequencer.fill_ended();
        assert_eq!(subscription.deliver(out[0].seq, None), [1]);

        assert!(subscription.join(2, BOB, Seq::ZERO, Some(Seq(1))));
        assert_eq!(subscription.answered(Seq(1), &bob, &none, &none).0, [(2, Seq::ZERO)]);
        assert_eq!(subscription.resequencer.wants_fill(), Some(Seq::ZERO), "it is fetched again");
        let out = subscription.resequencer.offer(push(1));
        subscription.resequencer.fill_ended();
        assert_eq!(subscription.deliver(out[0].seq, None), [2], "and not delivered twice");
        assert_eq!(subscription.deliver(Seq(2), None), [1, 2]);
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
