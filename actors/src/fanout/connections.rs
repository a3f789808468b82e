//! Connections of this node, and which conversations each of them follows: no more than the bound,
//! the lively ones first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ractor::ActorRef;
use troupe_core::{ConversationId, Seq, ShardId, limits};

use super::{FanoutMsg, FanoutState, Local};
use crate::connection::{ConnectionId, Outbox};
use crate::edge::EdgeMsg;
use crate::message::{Request, Session};

impl FanoutState {
    pub(super) fn attach(
        &mut self,
        myself: &ActorRef<FanoutMsg>,
        id: ConnectionId,
        session: Session,
        outbox: Arc<Outbox>,
        edge: ActorRef<EdgeMsg>,
    ) {
        let others = self.users.entry(session.user).or_default();
        for other in others.iter() {
            if let Some(local) = self.connections.get(other)
                && local.session.device == session.device
            {
                // The same session on a newer connection has only moved; the device must not take
                // that for its end.
                local.kick(if local.session.token == session.token { "moved" } else { "replaced" });
            }
        }
        others.insert(id);
        if let Some(shard) = self.world.router.shard_of(session.user.slot()) {
            self.leader_requests.entry(shard).or_default().attach(session.clone());
            self.inboxes.changed(session.user);
        }
        self.connections.insert(id, Local { session, outbox, edge, follows: BTreeSet::new() });
        self.flush(myself);
    }

    pub(super) fn detach(&mut self, id: ConnectionId) {
        let Some(local) = self.connections.remove(&id) else { return };
        // A device that came back to the same node is here before its older connection is noticed
        // to have ended.
        let mut still_here = false;
        if let Some(others) = self.users.get_mut(&local.session.user) {
            others.remove(&id);
            let connections = &self.connections;
            still_here = others.iter().any(|other| connections.get(other).is_some_and(|c| c.session == local.session));
            if others.is_empty() {
                self.users.remove(&local.session.user);
            }
        }
        let follows = local.follows;
        let deserted = follows.into_iter().filter(|conversation| self.is_deserted_by(id, *conversation)).collect();
        self.desert(deserted);
        if still_here {
            return;
        }
        if let Some(shard) = self.world.router.shard_of(local.session.user.slot()) {
            self.leader_requests.entry(shard).or_default().forget(&local.session);
        }
        self.world.router.tell(local.session.user.slot(), Request::Detach(local.session));
    }

    /// At the bound the news of a conversation displaces the one that was quiet for longest; what
    /// is only read from the list displaces nothing, because the list was read with the most
    /// recently active first.
    pub(super) fn follow(&mut self, id: ConnectionId, conversation: ConversationId, added: Added) {
        let Some(local) = self.connections.get(&id) else { return };
        let Some(shard) = self.world.router.shard_of(conversation.slot()) else { return };
        if local.follows.len() >= limits::CONVERSATIONS_FOLLOWED && !local.follows.contains(&conversation) {
            let active =
                |other: &ConversationId| self.conversations.get(other).map_or(0, |subscription| subscription.active);
            let Some(quiet) = quietest(&local.follows, active).filter(|_| added.is_news()) else { return };
            self.unfollow(id, quiet);
        }
        let Some(local) = self.connections.get_mut(&id) else { return };
        local.follows.insert(conversation);
        let subscription = self.conversations.entry(conversation).or_default();
        self.delivered += 1;
        subscription.active = self.delivered;
        if subscription.join(id, local.session.user, added.version, added.first) {
            self.leader_requests.entry(shard).or_default().want(conversation, [local.session.user]);
        }
    }

    /// Leaves all but these and the channel.
    pub(super) fn follow_only(&mut self, id: ConnectionId, listed: &BTreeSet<ConversationId>) {
        let Some(local) = self.connections.get(&id) else { return };
        let leaves = |other: &&ConversationId| **other != ConversationId::Everyone && !listed.contains(other);
        let quiet: Vec<ConversationId> = local.follows.iter().filter(leaves).copied().collect();
        quiet.into_iter().for_each(|conversation| self.unfollow(id, conversation));
    }

    fn unfollow(&mut self, id: ConnectionId, conversation: ConversationId) {
        let Some(local) = self.connections.get_mut(&id) else { return };
        local.follows.remove(&conversation);
        if self.is_deserted_by(id, conversation) {
            self.desert(vec![conversation]);
        }
    }

    /// Takes the connection off the listeners; true if it was the last.
    fn is_deserted_by(&mut self, id: ConnectionId, conversation: ConversationId) -> bool {
        let Some(subscription) = self.conversations.get_mut(&conversation) else { return false };
        subscription.leave(id);
        subscription.is_deserted()
    }

    fn desert(&mut self, conversations: Vec<ConversationId>) {
        let mut deserted: BTreeMap<ShardId, Vec<ConversationId>> = BTreeMap::new();
        for conversation in conversations {
            self.conversations.remove(&conversation);
            if let Some(shard) = self.world.router.shard_of(conversation.slot()) {
                deserted.entry(shard).or_default().push(conversation);
            }
        }
        let node = self.world.me();
        for conversations in deserted.into_values() {
            let Some(first) = conversations.first() else { continue };
            self.world.router.tell(first.slot(), Request::Unsubscribe { node, conversations });
        }
    }
}

/// How a connection comes to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// The event that added its user, if this is news of it.
    version: Seq,
    /// The event from which on the connection is pushed everything, if it is not the next one.
    first: Option<Seq>,
}

impl Added {
    /// At some time: the conversation is in the user's list.
    pub(super) const BEFORE: Added = Added { version: Seq::ZERO, first: None };

    /// Just now, by the event at `version`. Nobody is ever removed from a direct conversation: a
    /// connection that listens to it has nothing to learn, and one that does not may be handed the
    /// message that begins it.
    pub(super) fn now(conversation: ConversationId, version: Seq) -> Added {
        match conversation {
            ConversationId::Direct { .. } => Added { version: Seq::ZERO, first: Some(version) },
            ConversationId::Everyone | ConversationId::Group(_) => Added { version, first: None },
        }
    }

    fn is_news(self) -> bool {
        self != Added::BEFORE
    }
}

/// The conversation in which nothing has happened for longest. The channel stays.
fn quietest(follows: &BTreeSet<ConversationId>, active: impl Fn(&ConversationId) -> u64) -> Option<ConversationId> {
    follows.iter().copied().filter(|id| *id != ConversationId::Everyone).min_by_key(active)
}

#[cfg(test)]
mod tests {
    use troupe_core::{GroupId, UserId};

    use super::*;

    #[test]
    fn the_quietest_makes_room_and_the_channel_stays() {
        let group = |number| ConversationId::Group(GroupId(number));
        let follows = BTreeSet::from([ConversationId::Everyone, group(1), group(2), group(3)]);
        let active = |id: &ConversationId| match id {
            ConversationId::Group(GroupId(2)) => 4,
            ConversationId::Everyone => 0,
            _ => 9,
        };
        assert_eq!(quietest(&follows, active), Some(group(2)));
        assert_eq!(quietest(&BTreeSet::from([ConversationId::Everyone]), active), None);
    }

    #[test]
    fn news_of_a_direct_conversation_is_pushed_from_its_event_on() {
        let direct = ConversationId::Direct { low: UserId(1), high: UserId(2) };
        assert_eq!(Added::now(direct, Seq(1)).first, Some(Seq(1)));
        // Its member may have been away in between: the leader says from where on.
        assert_eq!(Added::now(ConversationId::Group(GroupId(1)), Seq(5)).first, None);
        assert!(Added::now(direct, Seq(1)).is_news() && !Added::BEFORE.is_news());
    }
}
