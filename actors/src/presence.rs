//! Who is online: live connections of the users of one shard, by the word of the nodes that hold them.
//!
//! Volatile. After a change of leader each node says it all again, and says it again now and then.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{NodeId, TokenHash, UserId};

use crate::message::Session;

#[derive(Debug, Default)]
pub struct Presence {
    users: BTreeMap<UserId, Vec<Session>>,
    /// Nodes that have said everything at least once.
    reported: BTreeSet<NodeId>,
}

impl Presence {
    /// Returns the connections of the same device elsewhere, which this one replaces.
    pub fn attach(&mut self, session: Session) -> Vec<Session> {
        let held = self.users.entry(session.user).or_default();
        let replaced = held.extract_if(.., |other| other.device == session.device).collect::<Vec<_>>();
        held.push(session.clone());
        replaced.into_iter().filter(|other| other.node != session.node).collect()
    }

    pub fn detach(&mut self, session: &Session) {
        if let Some(held) = self.users.get_mut(&session.user) {
            held.retain(|other| other != session);
            if held.is_empty() {
                self.users.remove(&session.user);
            }
        }
    }

    /// Forgets what `node` said before.
    pub fn forget(&mut self, node: NodeId) -> BTreeSet<UserId> {
        let mut gone = BTreeSet::new();
        self.users.retain(|user, held| {
            let before = held.len();
            held.retain(|session| session.node != node);
            if held.len() != before {
                gone.insert(*user);
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

    pub fn is_online(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    pub fn sessions(&self, user: UserId) -> &[Session] {
        self.users.get(&user).map_or(&[], Vec::as_slice)
    }

    pub fn session(&self, user: UserId, token: &TokenHash) -> Option<&Session> {
        self.sessions(user).iter().find(|session| session.token == *token)
    }

    /// Nodes with a connection of this user, in order.
    pub fn nodes(&self, user: UserId) -> BTreeSet<NodeId> {
        self.sessions(user).iter().map(|session| session.node).collect()
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
    fn a_device_is_at_one_place() {
        let mut presence = Presence::default();
        assert!(presence.attach(session(1, "phone", 1, 1)).is_empty());
        assert_eq!(presence.attach(session(1, "phone", 1, 2)), [session(1, "phone", 1, 1)]);
        assert!(presence.attach(session(1, "laptop", 2, 1)).is_empty());
        assert_eq!(presence.nodes(UserId(1)), BTreeSet::from([NodeId(1), NodeId(2)]));
        // The connection that was replaced leaves: the one that replaced it stays.
        presence.detach(&session(1, "phone", 1, 1));
        assert_eq!(presence.sessions(UserId(1)).len(), 2);
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
