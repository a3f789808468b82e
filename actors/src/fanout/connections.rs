//! The connections of this node and the conversations that each of them follows: the most recently
//! active ones, up to a bound.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ractor::ActorRef;
use troupe_core::effect::Ending;
use troupe_core::{ConversationId, Seq, ShardId, limits};
use troupe_proto::client::EndReason;

use super::{FanoutState, Local};
use crate::message::{Request, Session};
use crate::protocol::FanoutMsg;
use crate::sink::{ConnectionId, Sink};

impl FanoutState {
    pub(super) fn attach(
        &mut self,
        myself: &ActorRef<FanoutMsg>,
        id: ConnectionId,
        session: Session,
        sink: Arc<dyn Sink>,
    ) {
        let others = self.users.entry(session.user).or_default();
        for other in others.iter() {
            if let Some(local) = self.connections.get(other)
                && local.session.device == session.device
            {
                // The same session on a newer connection has moved; its device must not take that
                // for the end of the session.
                let moved = local.session.token == session.token;
                local.sink.end(if moved { EndReason::Moved } else { Ending::Replaced.into() });
            }
        }
        others.insert(id);
        if let Some(shard) = self.context.router.shard_of(session.user.slot()) {
            self.leader_requests.entry(shard).or_default().attach(session.clone());
            self.inboxes.changed(session.user);
        }
        self.connections.insert(id, Local { session, sink, follows: BTreeSet::new() });
        self.flush(myself);
    }

    pub(super) fn detach(&mut self, id: ConnectionId) {
        let Some(local) = self.connections.remove(&id) else { return };
        self.unwatch(id, local.session.user);
        // A device may come back to this node before the end of its older connection is noticed.
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
        let without = follows.into_iter().filter(|conversation| self.is_left_by(id, *conversation)).collect();
        self.unsubscribe(without);
        if still_here {
            return;
        }
        if let Some(shard) = self.context.router.shard_of(local.session.user.slot()) {
            self.leader_requests.entry(shard).or_default().forget(&local.session);
        }
        self.context.router.tell(local.session.user.slot(), Request::Detach(local.session));
    }

    /// At the bound, a push about a conversation displaces the one that was quiet for longest. A
    /// conversation read from the list displaces none, because the list comes with the most
    /// recently active first.
    pub(super) fn follow(&mut self, id: ConnectionId, conversation: ConversationId, added: Added) {
        let Some(local) = self.connections.get(&id) else { return };
        let Some(shard) = self.context.router.shard_of(conversation.slot()) else { return };
        if local.follows.len() >= limits::CONVERSATIONS_FOLLOWED && !local.follows.contains(&conversation) {
            let active =
                |other: &ConversationId| self.conversations.get(other).map_or(0, |subscription| subscription.active);
            let Some(quiet) = quietest(&local.follows, active).filter(|_| added.is_pushed()) else { return };
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

    /// Leaves all conversations but these and the channel.
    pub(super) fn follow_only(&mut self, id: ConnectionId, listed: &BTreeSet<ConversationId>) {
        let Some(local) = self.connections.get(&id) else { return };
        let leaves = |other: &&ConversationId| **other != ConversationId::Everyone && !listed.contains(other);
        let quiet: Vec<ConversationId> = local.follows.iter().filter(leaves).copied().collect();
        quiet.into_iter().for_each(|conversation| self.unfollow(id, conversation));
    }

    fn unfollow(&mut self, id: ConnectionId, conversation: ConversationId) {
        let Some(local) = self.connections.get_mut(&id) else { return };
        local.follows.remove(&conversation);
        if self.is_left_by(id, conversation) {
            self.unsubscribe(vec![conversation]);
        }
    }

    /// Removes the connection from the listeners; true if it was the last one.
    fn is_left_by(&mut self, id: ConnectionId, conversation: ConversationId) -> bool {
        let Some(subscription) = self.conversations.get_mut(&conversation) else { return false };
        subscription.leave(id);
        subscription.has_no_listener()
    }

    fn unsubscribe(&mut self, conversations: Vec<ConversationId>) {
        let mut by_shard: BTreeMap<ShardId, Vec<ConversationId>> = BTreeMap::new();
        for conversation in conversations {
            self.conversations.remove(&conversation);
            if let Some(shard) = self.context.router.shard_of(conversation.slot()) {
                by_shard.entry(shard).or_default().push(conversation);
            }
        }
        let node = self.context.me();
        for conversations in by_shard.into_values() {
            let Some(first) = conversations.first() else { continue };
            self.context.router.tell(first.slot(), Request::Unsubscribe { node, conversations });
        }
    }
}

/// Why a connection begins to follow a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// The event that added the user, if a push reports it.
    version: Seq,
    /// The first event to push, if it is not the next one.
    first: Option<Seq>,
}

impl Added {
    /// At an earlier time: the conversation is in the user's list.
    pub(super) const BEFORE: Added = Added { version: Seq::ZERO, first: None };

    /// By the event at `version`, just now. A direct conversation never loses a member, so a
    /// connection that listens to it already need not join again, and one that does not may get the
    /// first message by push.
    pub(super) fn now(conversation: ConversationId, version: Seq) -> Added {
        match conversation {
            ConversationId::Direct { .. } => Added { version: Seq::ZERO, first: Some(version) },
            ConversationId::Everyone | ConversationId::Group(_) => Added { version, first: None },
        }
    }

    fn is_pushed(self) -> bool {
        self != Added::BEFORE
    }
}

/// The conversation without activity for longest. The channel stays.
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
    fn a_new_direct_conversation_is_pushed_from_its_first_event_on() {
        let direct = ConversationId::Direct { low: UserId(1), high: UserId(2) };
        assert_eq!(Added::now(direct, Seq(1)).first, Some(Seq(1)));
        // The member may have been away in between: the leader decides from where on.
        assert_eq!(Added::now(ConversationId::Group(GroupId(1)), Seq(5)).first, None);
        assert!(Added::now(direct, Seq(1)).is_pushed() && !Added::BEFORE.is_pushed());
    }
}
