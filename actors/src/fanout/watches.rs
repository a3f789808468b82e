//! The users that the connections of this node watch, and the delivery of their presence.
//!
//! The node names its watchers to the leader of each watched user, and again after each change of
//! leader. The answer has the present state, so a lost push is made up for then.

use std::collections::{BTreeMap, BTreeSet};

use ractor::ActorRef;
use troupe_core::{ShardId, Slot, UserId, limits};

use super::FanoutState;
use crate::message::{Answer, Outcome, PresenceNews, Request, Session, Shown};
use crate::protocol::FanoutMsg;
use crate::router::PATIENCE;
use crate::sink::{ConnectionId, Delivery, Pushed};

/// The watched users of all connections of a node.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// By watched user, and by watcher.
    users: BTreeMap<UserId, BTreeMap<UserId, Watcher>>,
    of_connections: BTreeMap<ConnectionId, BTreeSet<UserId>>,
    /// Entries of all connections together.
    many: usize,
}

#[derive(Debug, Default)]
struct Watcher {
    connections: BTreeSet<ConnectionId>,
    /// The last state that all of them have.
    told: Option<Shown>,
}

impl Watched {
    /// The connection watches these users from now on. Returns those that the leaders have to hear
    /// of.
    fn set(&mut self, id: ConnectionId, watcher: UserId, users: &BTreeSet<UserId>) -> BTreeSet<UserId> {
        let mut held = self.of_connections.remove(&id).unwrap_or_default();
        let mut changed = BTreeSet::new();
        for user in held.extract_if(.., |user| !users.contains(user)) {
            self.many -= 1;
            let Some(watchers) = self.users.get_mut(&user) else { continue };
            if let Some(of) = watchers.get_mut(&watcher) {
                of.connections.remove(&id);
                if of.connections.is_empty() {
                    watchers.remove(&watcher);
                    changed.insert(user);
                }
            }
            if watchers.is_empty() {
                self.users.remove(&user);
            }
        }
        for user in users {
            if self.many >= limits::WATCHES_PER_NODE || !held.insert(*user) {
                continue;
            }
            self.many += 1;
            let of = self.users.entry(*user).or_default().entry(watcher).or_default();
            of.connections.insert(id);
            // The new connection has to hear the present state.
            of.told = None;
            changed.insert(*user);
        }
        if !held.is_empty() {
            self.of_connections.insert(id, held);
        }
        changed
    }

    fn watchers(&self, user: UserId) -> Vec<UserId> {
        let watchers = self.users.get(&user).into_iter().flat_map(BTreeMap::keys);
        watchers.copied().take(limits::WATCHERS_OF_USER).collect()
    }

    /// Connections that do not have this state of the user.
    fn heard(&mut self, user: UserId, watcher: UserId, shown: Shown) -> Vec<ConnectionId> {
        let Some(of) = self.users.get_mut(&user).and_then(|watchers| watchers.get_mut(&watcher)) else { return vec![] };
        if of.told.replace(shown) == Some(shown) { vec![] } else { of.connections.iter().copied().collect() }
    }

    /// A connection was not told: the next state is news whatever it is.
    fn missed(&mut self, user: UserId, watcher: UserId) {
        if let Some(of) = self.users.get_mut(&user).and_then(|watchers| watchers.get_mut(&watcher)) {
            of.told = None;
        }
    }
}

impl FanoutState {
    /// The session watches these users, at all its connections here.
    pub(super) fn watch(&mut self, session: &Session, users: &BTreeSet<UserId>) {
        let own = self.users.get(&session.user).into_iter().flatten().copied();
        let of_session =
            |id: &ConnectionId| self.connections.get(id).is_some_and(|of| of.session.token == session.token);
        let ids: Vec<ConnectionId> = own.filter(of_session).collect();
        for id in ids {
            let changed = self.watched.set(id, session.user, users);
            self.name_watchers(changed);
        }
    }

    pub(super) fn unwatch(&mut self, id: ConnectionId, watcher: UserId) {
        let changed = self.watched.set(id, watcher, &BTreeSet::new());
        self.name_watchers(changed);
    }

    /// Queues these users for their leaders.
    fn name_watchers(&mut self, users: BTreeSet<UserId>) {
        for user in users {
            if let Some(shard) = self.context.router.shard_of(user.slot()) {
                self.leader_requests.entry(shard).or_default().watch([user]);
            }
        }
    }

    /// Queues all watched users of these shards.
    pub(super) fn name_all_watchers(&mut self, of: impl Fn(ShardId) -> bool) {
        let users: BTreeSet<UserId> = self.watched.users.keys().copied().collect();
        let theirs = |user: &UserId| self.context.router.shard_of(user.slot()).is_some_and(&of);
        let users = users.into_iter().filter(theirs).collect();
        self.name_watchers(users);
    }

    pub(super) fn flush_watches(&mut self, myself: &ActorRef<FanoutMsg>, shard: ShardId, slot: Slot) {
        let watched = &self.watched;
        let requests = self.leader_requests.entry(shard).or_default();
        let Some(asked) = requests.next_watches(|user| watched.watchers(user).len()) else { return };
        let watches = asked.iter().map(|user| (*user, watched.watchers(*user))).collect();
        let request = Request::Watches { node: self.context.me(), watches };
        let answer = self.context.router.ask(slot, request, PATIENCE);
        let myself = myself.clone();
        tokio::spawn(async move {
            let outcome = answer.await;
            let _ = myself.send_message(FanoutMsg::Watched { shard, asked, outcome });
        });
    }

    pub(super) fn watched(&mut self, shard: ShardId, asked: Vec<UserId>, outcome: Outcome) {
        let requests = self.leader_requests.entry(shard).or_default();
        match outcome {
            Ok(Answer::Presences(news)) => {
                requests.watches_named(Vec::new());
                news.into_iter().for_each(|news| self.presence_heard(news));
            }
            // The next tick or the next leader tries again.
            _ => requests.watches_named(asked),
        }
    }

    /// To the connections that watch the user and do not have this state.
    pub(super) fn presence_heard(&mut self, news: PresenceNews) {
        let PresenceNews { user, shown, to } = news;
        let delivery = Delivery::new(Pushed::Presence { user, shown });
        for watcher in to {
            for id in self.watched.heard(user, watcher, shown) {
                let Some(local) = self.connections.get(&id) else { continue };
                let metrics = &self.context.platform.metrics;
                match local.sink.offer(&delivery) {
                    Ok(()) => metrics.signals.up(),
                    Err(_) => {
                        metrics.dropped_signals.up();
                        self.watched.missed(user, watcher);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::Timestamp;

    use super::*;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);
    const ONLINE: Shown = Shown { online: true, last_seen: Timestamp(3) };

    #[test]
    fn leaders_hear_of_the_first_and_the_last_connection_and_a_new_one_hears_the_state() {
        let mut watched = Watched::default();
        let (ann, none) = (BTreeSet::from([ANN]), BTreeSet::new());
        assert_eq!(watched.set(7, BOB, &ann), ann);
        assert_eq!(watched.set(7, BOB, &ann), none, "nothing changes");
        assert_eq!(watched.watchers(ANN), [BOB]);
        assert_eq!(watched.heard(ANN, BOB, ONLINE), [7]);
        assert_eq!(watched.heard(ANN, BOB, ONLINE), [], "it has it");
        assert_eq!(watched.set(8, BOB, &ann), ann);
        assert_eq!(watched.heard(ANN, BOB, ONLINE), [7, 8]);
        watched.missed(ANN, BOB);
        assert_eq!(watched.heard(ANN, BOB, ONLINE), [7, 8]);
        assert_eq!(watched.set(7, BOB, &none), none, "another connection watches still");
        assert_eq!(watched.set(8, BOB, &none), ann);
        assert_eq!((watched.watchers(ANN), watched.many), (vec![], 0));
        assert_eq!(watched.heard(ANN, BOB, ONLINE), []);
    }
}
