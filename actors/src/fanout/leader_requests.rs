//! The queue of requests from this node to the leader of one shard. One request of each kind is in
//! flight, and later ones share the next request.

use std::collections::BTreeSet;

use troupe_core::{ConversationId, Epoch, NodeId, UserId, limits};

use crate::message::Session;
use crate::protocol::Interests;

/// Users in one request: they determine its size.
const USERS_PER_REQUEST: usize = 50_000;

#[derive(Debug, Default)]
pub struct LeaderRequests {
    /// The leadership that has this node's subscriptions, or is getting them.
    leader: Option<(NodeId, Epoch)>,
    wanted: Interests,
    subscribing: bool,
    sessions: Vec<Session>,
    /// The next request replaces all earlier reports.
    whole: bool,
    attaching: bool,
    /// Users whose watchers at this node the leader has to hear of.
    watched: BTreeSet<UserId>,
    watching: bool,
}

impl LeaderRequests {
    /// True if a new leadership has begun: everything has to be sent again.
    pub fn leader_is(&mut self, leader: Option<(NodeId, Epoch)>) -> bool {
        let changed = leader.is_some() && leader != self.leader;
        if changed {
            self.leader = leader;
        }
        changed
    }

    /// The mesh link to a node was lost: its leaders have forgotten this node.
    pub fn lost(&mut self, node: NodeId) {
        if self.leader.is_some_and(|(leader, _)| leader == node) {
            self.leader = None;
        }
    }

    /// Whether the next report replaces all earlier ones.
    pub fn replaces_all(&self) -> bool {
        self.whole
    }

    pub fn want(&mut self, conversation: ConversationId, users: impl IntoIterator<Item = UserId>) {
        self.wanted.entry(conversation).or_default().extend(users);
    }

    /// Users that the next subscription of a conversation names.
    pub fn wanted(&self, conversation: ConversationId) -> BTreeSet<UserId> {
        self.wanted.get(&conversation).cloned().unwrap_or_default()
    }

    pub fn attach(&mut self, session: Session) {
        self.sessions.push(session);
    }

    pub fn attach_whole(&mut self, sessions: Vec<Session>) {
        self.sessions = sessions;
        self.whole = true;
    }

    pub fn forget(&mut self, session: &Session) {
        self.sessions.retain(|other| other != session);
    }

    pub fn next_interests(&mut self) -> Option<Interests> {
        if self.subscribing || self.wanted.is_empty() {
            return None;
        }
        self.subscribing = true;
        let (mut taken, mut users) = (Interests::new(), 0);
        while taken.len() < limits::INTERESTS_PER_REQUEST && users < USERS_PER_REQUEST {
            let Some((conversation, who)) = self.wanted.pop_first() else { break };
            users += who.len();
            taken.insert(conversation, who);
        }
        Some(taken)
    }

    pub fn next_sessions(&mut self) -> Option<(bool, Vec<Session>)> {
        if self.attaching || (self.sessions.is_empty() && !self.whole) {
            return None;
        }
        self.attaching = true;
        let many = self.sessions.len().min(limits::INTERESTS_PER_REQUEST);
        Some((std::mem::take(&mut self.whole), self.sessions.drain(..many).collect()))
    }

    pub fn watch(&mut self, users: impl IntoIterator<Item = UserId>) {
        self.watched.extend(users);
    }

    /// `watchers`: how many a user has. They determine the size of the request.
    pub fn next_watches(&mut self, watchers: impl Fn(UserId) -> usize) -> Option<Vec<UserId>> {
        if self.watching || self.watched.is_empty() {
            return None;
        }
        self.watching = true;
        let (mut taken, mut many) = (Vec::new(), 0);
        while many < limits::WATCHES_PER_REQUEST
            && let Some(user) = self.watched.pop_first()
        {
            many += 1 + watchers(user);
            taken.push(user);
        }
        Some(taken)
    }

    /// The request has ended; failed users are queued again.
    pub fn watches_named(&mut self, failed: Vec<UserId>) {
        self.watching = false;
        self.watched.extend(failed);
    }

    /// The request has ended; failed interests are queued again.
    pub fn subscribed(&mut self, failed: Interests) {
        self.subscribing = false;
        for (conversation, users) in failed {
            self.want(conversation, users);
        }
    }

    pub fn attached(&mut self, whole: bool, failed: Vec<Session>) {
        self.attaching = false;
        self.whole |= whole;
        self.sessions.extend(failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interests_queued_during_a_request_share_the_next_one() {
        let mut requests = LeaderRequests::default();
        requests.want(ConversationId::Everyone, [UserId(1)]);
        let first = requests.next_interests().expect("something is wanted");
        requests.want(ConversationId::Everyone, [UserId(2)]);
        assert!(requests.next_interests().is_none());
        requests.subscribed(first);
        let again = requests.next_interests().expect("the failed and the new");
        assert_eq!(again[&ConversationId::Everyone], BTreeSet::from([UserId(1), UserId(2)]));
    }

    #[test]
    fn a_new_leadership_or_a_lost_link_is_noticed_once() {
        let mut requests = LeaderRequests::default();
        let leader = Some((NodeId(2), Epoch(5)));
        assert!(requests.leader_is(leader) && !requests.leader_is(leader) && !requests.leader_is(None));
        requests.lost(NodeId(3));
        assert!(!requests.leader_is(leader));
        requests.lost(NodeId(2));
        assert!(requests.leader_is(leader));
    }

    #[test]
    fn watched_users_go_in_requests_of_a_bounded_size() {
        let mut requests = LeaderRequests::default();
        requests.watch((1..=3).map(UserId));
        let half = |_| limits::WATCHES_PER_REQUEST / 2;
        assert_eq!(requests.next_watches(half), Some(vec![UserId(1), UserId(2)]));
        assert_eq!(requests.next_watches(half), None, "one is in flight");
        requests.watches_named(vec![UserId(1)]);
        assert_eq!(requests.next_watches(half), Some(vec![UserId(1), UserId(3)]));
        requests.watches_named(Vec::new());
        assert_eq!(requests.next_watches(half), None);
    }

    #[test]
    fn a_report_that_replaces_all_may_be_empty() {
        let mut requests = LeaderRequests::default();
        assert!(requests.next_sessions().is_none());
        requests.attach_whole(Vec::new());
        assert_eq!(requests.next_sessions(), Some((true, Vec::new())));
        requests.attached(true, Vec::new());
        assert_eq!(requests.next_sessions(), Some((true, Vec::new())));
    }
}
