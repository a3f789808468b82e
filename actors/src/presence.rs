//! The live connections of the users of one shard, as the nodes that hold them report.
//!
//! This state is volatile. Each node reports all its connections after a change of leader, and
//! repeats the report from time to time.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{NodeId, TokenHash, UserId};

use crate::message::Session;

#[derive(Debug, Default)]
pub struct Presence {
    users: BTreeMap<UserId, Vec<Session>>,
    /// Nodes that have made at least one complete report.
    reported: BTreeSet<NodeId>,
    /// Users that went offline before the last look at them, and since.
    left: BTreeSet<UserId>,
    leaving: BTreeSet<UserId>,
}

impl Presence {
    /// A session may be at several nodes for a while: its device has moved, and the old node,
    /// frozen or draining, has not noticed. The shard cannot tell which connection is newer, so it
    /// ends none; the stale one ends by itself.
    pub fn attach(&mut self, session: Session) {
        self.left.remove(&session.user);
        self.leaving.remove(&session.user);
        let held = self.users.entry(session.user).or_default();
        if !held.contains(&session) {
            held.push(session);
        }
    }

    pub fn detach(&mut self, session: &Session) {
        if let Some(held) = self.users.get_mut(&session.user) {
            held.retain(|other| other != session);
            if held.is_empty() {
                self.users.remove(&session.user);
                self.leaving.insert(session.user);
            }
        }
    }

    /// Forgets all reports of `node`. Returns the users that had connections there.
    pub fn forget(&mut self, node: NodeId) -> BTreeSet<UserId> {
        let mut gone = BTreeSet::new();
        let leaving = &mut self.leaving;
        self.users.retain(|user, held| {
            let before = held.len();
            held.retain(|session| session.node != node);
            if held.len() != before {
                gone.insert(*user);
            }
            if held.is_empty() {
                leaving.insert(*user);
            }
            !held.is_empty()
        });
        self.reported.remove(&node);
        gone
    }

    pub fn reported(&mut self, node: NodeId) {
        self.reported.insert(node);
    }

    pub fn has_heard_of(&self, node: NodeId) -> bool {
        self.reported.contains(&node)
    }

    /// Users that have been offline from one look to the next, at most so many. The others come
    /// with a later look.
    pub fn gone(&mut self, most: usize) -> Vec<UserId> {
        let gone: BTreeSet<UserId> = self.left.iter().take(most).copied().collect();
        self.left.retain(|user| !gone.contains(user));
        self.left.append(&mut self.leaving);
        gone.into_iter().collect()
    }

    pub fn is_online(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    pub fn sessions(&self, user: UserId) -> &[Session] {
        self.users.get(&user).map_or(&[], Vec::as_slice)
    }

    /// The live connections of one session.
    pub fn of_token(&self, user: UserId, token: &TokenHash) -> Vec<Session> {
        self.sessions(user).iter().filter(|session| session.token == *token).cloned().collect()
    }

    /// Nodes with a connection of this user, in order.
    pub fn nodes(&self, user: UserId) -> BTreeSet<NodeId> {
        self.sessions(user).iter().map(|session| session.node).collect()
    }

    /// All live connections.
    pub fn all(&self) -> Vec<Session> {
        self.users.values().flatten().cloned().collect()
    }

    pub fn online(&self) -> Vec<UserId> {
        self.users.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::DeviceId;

    use super::*;

    fn session(user: u64, device: &str, token: u8, node: u64) -> Session {
        Session {
            user: UserId(user),
            device: DeviceId::new(device).expect("a device"),
            token: TokenHash([token; 32]),
            node: NodeId(node),
        }
    }

    #[test]
    fn a_device_that_moved_is_at_both_nodes_until_the_old_one_detaches() {
        let mut presence = Presence::default();
        presence.attach(session(1, "phone", 1, 1));
        presence.attach(session(1, "phone", 1, 2));
        // The old node repeats its report.
        presence.attach(session(1, "phone", 1, 1));
        presence.attach(session(1, "laptop", 2, 1));
        assert_eq!(presence.of_token(UserId(1), &TokenHash([1; 32])).len(), 2);
        assert_eq!(presence.nodes(UserId(1)), BTreeSet::from([NodeId(1), NodeId(2)]));
        presence.detach(&session(1, "phone", 1, 1));
        assert_eq!(presence.of_token(UserId(1), &TokenHash([1; 32])), [session(1, "phone", 1, 2)]);
    }

    #[test]
    fn a_user_has_gone_when_it_stays_away() {
        let mut presence = Presence::default();
        (1..=3).for_each(|user| presence.attach(session(user, "phone", 1, 1)));
        presence.attach(session(4, "phone", 1, 2));
        (1..=2).for_each(|user| presence.detach(&session(user, "phone", 1, 1)));
        assert_eq!(presence.gone(9), [], "they may come back");
        presence.attach(session(2, "phone", 1, 2));
        presence.forget(NodeId(1));
        assert_eq!(presence.gone(9), [UserId(1)]);
        assert_eq!(presence.gone(0), []);
        assert_eq!(presence.gone(9), [UserId(3)]);
        assert_eq!(presence.gone(9), []);
    }

    #[test]
    fn a_lost_node_takes_its_users_offline() {
        let mut presence = Presence::default();
        presence.attach(session(1, "phone", 1, 1));
        presence.attach(session(2, "phone", 2, 2));
        presence.reported(NodeId(2));
        assert_eq!(presence.forget(NodeId(2)), BTreeSet::from([UserId(2)]));
        assert!(presence.is_online(UserId(1)) && !presence.is_online(UserId(2)));
        assert!(!presence.has_heard_of(NodeId(2)));
    }
}
