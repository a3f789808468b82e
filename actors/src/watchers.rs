//! The watchers of the users of one shard, and the state that each has.
//!
//! This state is volatile. Each node names its watchers again after a change of leader, and from
//! time to time. A watcher at two nodes counts twice.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{NodeId, Timestamp, TokenHash, UserId, limits};

use crate::message::{PresenceNews, Session, Shown};
use crate::presence::Presence;

#[derive(Debug, Default)]
pub struct Watchers {
    /// The last push, by watched user. `None`: there was none.
    told: BTreeMap<UserId, BTreeMap<(NodeId, UserId), Option<Shown>>>,
    /// Users whose state may have changed since the last look.
    changed: BTreeSet<UserId>,
    /// Those of this look that are not read yet.
    due: BTreeSet<UserId>,
    /// The watches of the sessions of this shard's users.
    sessions: BTreeMap<(UserId, TokenHash), Watch>,
}

#[derive(Debug)]
struct Watch {
    users: Vec<UserId>,
    /// Looks since a connection of the session was there.
    idle: u8,
}

/// The rows of a watched user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub user: UserId,
    pub last_seen: Timestamp,
    /// Whether each of the watchers may see its presence.
    pub watchers: BTreeMap<UserId, bool>,
}

impl Watchers {
    /// The watchers of this user at this node: all of them.
    pub fn set(&mut self, node: NodeId, user: UserId, watchers: Vec<UserId>) {
        let told = self.told.entry(user).or_default();
        let watchers: BTreeSet<UserId> = watchers.into_iter().collect();
        told.retain(|(at, watcher), _| *at != node || watchers.contains(watcher));
        for watcher in watchers {
            if told.len() < limits::WATCHERS_OF_USER {
                told.entry((node, watcher)).or_default();
            }
        }
        if told.is_empty() {
            self.told.remove(&user);
        }
    }

    pub fn forget(&mut self, node: NodeId) {
        self.told.retain(|_, told| {
            told.retain(|(at, _), _| *at != node);
            !told.is_empty()
        });
    }

    /// The state of the user may have changed.
    pub fn changed(&mut self, user: UserId) {
        if self.told.contains_key(&user) {
            self.changed.insert(user);
        }
    }

    /// A look at the changes, once in a while: a user that changes often is read once for each.
    pub fn look(&mut self) {
        self.due.append(&mut self.changed);
    }

    /// Users to read next, with their watchers: a bounded number of them.
    pub fn take_due(&mut self) -> Vec<(UserId, Vec<UserId>)> {
        let (mut next, mut many) = (Vec::new(), 0);
        while many < limits::WATCHES_PER_REQUEST
            && let Some(user) = self.due.pop_first()
        {
            let Some(told) = self.told.get(&user) else { continue };
            let watchers: BTreeSet<UserId> = told.keys().map(|(_, watcher)| *watcher).collect();
            many += watchers.len();
            next.push((user, watchers.into_iter().collect()));
        }
        next
    }

    /// The news of the user, by node. `only`: for all watchers of this node, and for no others.
    ///
    /// `sure` is false while other nodes may have connections of the user that they have not
    /// reported: then no news says that it is offline, and it is looked at again.
    // Invariant: private. A watcher that may not see the user gets the state of one that was never
    // online.
    pub fn news(
        &mut self,
        facts: &Facts,
        presence: &Presence,
        sure: bool,
        only: Option<NodeId>,
    ) -> BTreeMap<NodeId, Vec<PresenceNews>> {
        let mut news: BTreeMap<NodeId, Vec<PresenceNews>> = BTreeMap::new();
        let Some(told) = self.told.get_mut(&facts.user) else { return news };
        let online = presence.is_online(facts.user);
        for ((node, watcher), told) in told.iter_mut().filter(|((node, _), _)| only.is_none_or(|only| only == *node)) {
            // A watcher that has come since the rows were read, or would see it offline too early,
            // hears it later.
            let sees = facts.watchers.get(watcher).copied();
            let Some(sees) = sees.filter(|sees| !sees || online || sure) else {
                self.changed.insert(facts.user);
                continue;
            };
            let shown = if sees { Shown { online, last_seen: facts.last_seen } } else { Shown::default() };
            if only.is_none() && *told == Some(shown) {
                continue;
            }
            *told = Some(shown);
            let of_node = news.entry(*node).or_default();
            match of_node.iter_mut().find(|news| news.shown == shown) {
                Some(same) => same.to.push(*watcher),
                None => of_node.push(PresenceNews { user: facts.user, shown, to: vec![*watcher] }),
            }
        }
        news
    }

    /// The watch of a session, until it ends.
    pub fn watches(&mut self, session: &Session, users: Vec<UserId>) {
        let key = (session.user, session.token);
        match users.is_empty() {
            true => drop(self.sessions.remove(&key)),
            false => drop(self.sessions.insert(key, Watch { users, idle: 0 })),
        }
    }

    pub fn watch_of(&self, session: &Session) -> Option<&[UserId]> {
        self.sessions.get(&(session.user, session.token)).map(|watch| watch.users.as_slice())
    }

    /// Ends the watches of sessions without a connection. Called once a second.
    pub fn end_idle(&mut self, presence: &Presence) {
        self.sessions.retain(|(user, token), watch| {
            let connected = presence.sessions(*user).iter().any(|session| session.token == *token);
            watch.idle = if connected { 0 } else { watch.idle + 1 };
            watch.idle < limits::WATCH_KEPT_SECONDS
        });
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::DeviceId;

    use super::*;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);
    const EVE: UserId = UserId(3);
    const ONE: NodeId = NodeId(1);
    const TWO: NodeId = NodeId(2);
    const HIDDEN: Shown = Shown { online: false, last_seen: Timestamp(0) };

    fn session(user: UserId) -> Session {
        Session { user, device: DeviceId::new("phone").expect("a device"), token: TokenHash([1; 32]), node: ONE }
    }

    fn facts(seeing: &[UserId]) -> Facts {
        let watchers = [BOB, EVE].map(|watcher| (watcher, seeing.contains(&watcher)));
        Facts { user: ANN, last_seen: Timestamp(7), watchers: BTreeMap::from(watchers) }
    }

    fn shown(online: bool) -> Shown {
        Shown { online, last_seen: Timestamp(7) }
    }

    fn news(shown: Shown, to: &[UserId]) -> PresenceNews {
        PresenceNews { user: ANN, shown, to: to.to_vec() }
    }

    #[test]
    fn each_watcher_is_told_once_and_only_what_it_may_see() {
        let (mut watchers, mut presence) = (Watchers::default(), Presence::default());
        watchers.set(ONE, ANN, vec![BOB, EVE]);
        watchers.set(TWO, ANN, vec![BOB]);
        presence.attach(session(ANN));
        let told = watchers.news(&facts(&[BOB]), &presence, true, None);
        let one = vec![news(shown(true), &[BOB]), news(HIDDEN, &[EVE])];
        assert_eq!(told, BTreeMap::from([(ONE, one.clone()), (TWO, vec![news(shown(true), &[BOB])])]));
        assert_eq!(watchers.news(&facts(&[BOB]), &presence, true, None), BTreeMap::new(), "nothing has changed");
        assert_eq!(watchers.news(&facts(&[BOB]), &presence, true, Some(ONE)), BTreeMap::from([(ONE, one)]), "asked");
        let hidden = watchers.news(&facts(&[]), &presence, true, None);
        let all = BTreeMap::from([(ONE, vec![news(HIDDEN, &[BOB])]), (TWO, vec![news(HIDDEN, &[BOB])])]);
        assert_eq!(hidden, all, "the one that was hidden from hears nothing");
        watchers.forget(TWO);
        watchers.set(ONE, ANN, vec![BOB, EVE, UserId(4)]);
        assert_eq!(watchers.news(&facts(&[BOB]), &presence, true, None).len(), 1);
    }

    #[test]
    fn a_fresh_leader_says_of_no_one_that_it_is_offline() {
        let (mut watchers, presence) = (Watchers::default(), Presence::default());
        watchers.set(ONE, ANN, vec![BOB, EVE]);
        let told = watchers.news(&facts(&[BOB]), &presence, false, Some(ONE));
        assert_eq!(told, BTreeMap::from([(ONE, vec![news(HIDDEN, &[EVE])])]));
        watchers.look();
        assert_eq!(watchers.take_due(), [(ANN, vec![BOB, EVE])], "it looks again");
        assert_eq!(watchers.news(&facts(&[BOB]), &presence, true, None)[&ONE], [news(shown(false), &[BOB])]);
    }

    #[test]
    fn a_user_is_read_once_for_each_look_and_has_a_bounded_number_of_watchers() {
        let mut watchers = Watchers::default();
        watchers.changed(ANN);
        watchers.look();
        assert_eq!(watchers.take_due(), [], "no one watches");
        watchers.set(ONE, ANN, (10..2 * limits::WATCHERS_OF_USER as u64).map(UserId).collect());
        (0..9).for_each(|_| watchers.changed(ANN));
        watchers.look();
        let next = watchers.take_due();
        assert_eq!((next.len(), next[0].1.len()), (1, limits::WATCHERS_OF_USER));
        assert_eq!(watchers.take_due(), []);
        watchers.set(ONE, ANN, Vec::new());
        watchers.changed(ANN);
        watchers.look();
        assert_eq!(watchers.take_due(), []);
    }

    #[test]
    fn the_watch_of_a_session_ends_a_while_after_its_last_connection() {
        let (mut watchers, mut presence) = (Watchers::default(), Presence::default());
        watchers.watches(&session(BOB), vec![ANN]);
        presence.attach(session(BOB));
        (0..100).for_each(|_| watchers.end_idle(&presence));
        assert_eq!(watchers.watch_of(&session(BOB)), Some(&[ANN][..]));
        presence.detach(&session(BOB));
        (1..limits::WATCH_KEPT_SECONDS).for_each(|_| watchers.end_idle(&presence));
        assert!(watchers.watch_of(&session(BOB)).is_some());
        watchers.end_idle(&presence);
        assert_eq!(watchers.watch_of(&session(BOB)), None);
    }
}
