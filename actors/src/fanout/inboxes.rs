//! The conversation lists that this node has to read, and pushed changes of them.
//!
//! The leader of a user's shard pushes changes of the list to the nodes that have reported a
//! connection of the user. A change before that report reaches no node, so the list is read *after*
//! each leader has got the report, and no change falls between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ractor::ActorRef;
use troupe_core::{ConversationId, Seq, ShardId, UserId, limits};

use crate::fanout::FanoutState;
use crate::fanout::connections::Added;
use crate::message::{Answer, Request};
use crate::protocol::FanoutMsg;
use crate::router::{PATIENCE, Router};
use crate::sink::{Delivery, Pushed};

/// Lists read at once. After a change of leader the lists of all users are read, and no client
/// waits for them.
const READING: usize = 32;
/// Conversations of a list that are followed. The channel, which is on no list, has one place.
const LISTED_FOLLOWED: usize = limits::CONVERSATIONS_FOLLOWED - 1;

#[derive(Debug, Default)]
pub struct Inboxes {
    /// The leader has no report of their connections yet.
    unreported: BTreeSet<UserId>,
    wanted: BTreeSet<UserId>,
    /// The next tick tries these again.
    failed: BTreeSet<UserId>,
    reading: usize,
}

impl Inboxes {
    /// The user has a new connection, or its shard a new leader.
    pub fn changed(&mut self, user: UserId) {
        self.unreported.insert(user);
    }

    /// The leader has the report.
    pub fn reported(&mut self, user: UserId) {
        if self.unreported.remove(&user) {
            self.wanted.insert(user);
        }
    }

    pub fn try_again(&mut self) {
        self.wanted.append(&mut self.failed);
    }

    fn next(&mut self) -> Option<UserId> {
        let user = if self.reading < READING { self.wanted.pop_first() } else { None };
        self.reading += usize::from(user.is_some());
        user
    }

    fn ended(&mut self, user: UserId, good: bool) {
        self.reading = self.reading.saturating_sub(1);
        if !good {
            self.failed.insert(user);
        }
    }
}

impl FanoutState {
    pub(super) fn read_inboxes(&mut self, myself: &ActorRef<FanoutMsg>) {
        while let Some(user) = self.inboxes.next() {
            let (router, myself) = (self.context.router.clone(), myself.clone());
            tokio::spawn(async move {
                let conversations = read(&router, user).await;
                let _ = myself.send_message(FanoutMsg::Inbox { user, conversations });
            });
        }
    }

    /// The most recently active first. `None`: the read failed.
    pub(super) fn inbox_read(&mut self, user: UserId, conversations: Option<Vec<ConversationId>>) {
        self.inboxes.ended(user, conversations.is_some() || !self.users.contains_key(&user));
        let connections = self.users.get(&user).cloned().unwrap_or_default();
        if let Some(listed) = conversations.as_ref().filter(|listed| listed.len() >= LISTED_FOLLOWED) {
            // Quiet conversations make room for more active ones.
            let listed: BTreeSet<ConversationId> = listed.iter().copied().collect();
            connections.iter().for_each(|id| self.follow_only(*id, &listed));
        }
        // In reverse, so that the most recently active one is followed last.
        for conversation in conversations.into_iter().flatten().rev() {
            connections.iter().for_each(|id| self.follow(*id, conversation, Added::BEFORE));
        }
    }

    /// Late changes never override newer state: they carry the seq of the event.
    pub(super) fn inbox_changed(&mut self, user: UserId, conversation: ConversationId, present: bool, version: Seq) {
        let joined = |fanout: &FanoutState, id| {
            fanout
                .conversations
                .get(&conversation)
                .is_some_and(|subscription| subscription.has_joined_since(id, version))
        };
        let left = Delivery::new(Pushed::Left { conversation });
        for id in self.users.get(&user).cloned().unwrap_or_default() {
            if present {
                // The device learns of the conversation together with its head.
                self.follow(id, conversation, Added::now(conversation, version));
            } else if !joined(self, id) {
                // The subscription ends with the event that removed this user, which may come
                // later.
                self.deliver_to(id, &left);
            }
        }
    }
}

/// The conversations of the list that the user's connections follow. If there are too many, the
/// most recently active ones.
async fn read(router: &Arc<Router>, user: UserId) -> Option<Vec<ConversationId>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let request = Request::Inbox { user, after, limit: limits::PAGE_CONVERSATIONS };
        let Ok(Answer::Inbox { conversations, next }) = router.ask(user.slot(), request, PATIENCE).await else {
            return None;
        };
        all.extend(conversations);
        match next {
            Some(next) => after = Some(next),
            None if all.len() <= LISTED_FOLLOWED => return Some(all),
            None => break,
        }
    }
    let mut times = BTreeMap::new();
    for (_, part) in by_shard(router, &all) {
        for conversations in part.chunks(limits::PAGE_CONVERSATIONS) {
            times.extend(activity(router, user, conversations.to_vec()).await);
        }
    }
    Some(most_recent(all, &times, LISTED_FOLLOWED))
}

fn by_shard(router: &Arc<Router>, all: &[ConversationId]) -> BTreeMap<Option<ShardId>, Vec<ConversationId>> {
    let mut parts: BTreeMap<_, Vec<ConversationId>> = BTreeMap::new();
    for conversation in all {
        parts.entry(router.shard_of(conversation.slot())).or_default().push(*conversation);
    }
    parts
}

/// The times of the last events in these conversations of one shard; none if it does not answer.
async fn activity(
    router: &Arc<Router>,
    user: UserId,
    conversations: Vec<ConversationId>,
) -> Vec<(ConversationId, u64)> {
    let Some(slot) = conversations.first().map(|first| first.slot()) else { return Vec::new() };
    match router.ask(slot, Request::Summaries { user, conversations }, PATIENCE).await {
        Ok(Answer::Summaries(lines)) => {
            lines.into_iter().filter_map(|line| Some((line.conversation.parse().ok()?, line.time_ms))).collect()
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

/// A conversation of unknown time comes first: it must not be dropped because its shard is late.
fn most_recent(
    mut all: Vec<ConversationId>,
    times: &BTreeMap<ConversationId, u64>,
    most: usize,
) -> Vec<ConversationId> {
    all.sort_by_key(|id| std::cmp::Reverse(times.get(id).copied().unwrap_or(u64::MAX)));
    all.truncate(most);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_after_each_leader_has_the_report() {
        let mut inboxes = Inboxes::default();
        let ann = UserId(1);
        inboxes.changed(ann);
        assert_eq!(inboxes.next(), None);
        inboxes.reported(ann);
        assert_eq!(inboxes.next(), Some(ann));
        inboxes.ended(ann, true);
        // A repeated report to the same leader: no change can have been missed.
        inboxes.reported(ann);
        assert_eq!(inboxes.next(), None);
        inboxes.changed(ann);
        inboxes.reported(ann);
        assert_eq!(inboxes.next(), Some(ann));
    }

    #[test]
    fn the_most_recently_active_are_followed_first() {
        let group = |number| ConversationId::Group(troupe_core::GroupId(number));
        let many = limits::CONVERSATIONS_FOLLOWED as u64 + 300;
        let all: Vec<ConversationId> = (1..=many).map(group).collect();
        // The highest ids are the quietest, and the time of one is unknown.
        let times = (1..many).map(|number| (group(number), many - number)).collect();
        let followed = most_recent(all, &times, LISTED_FOLLOWED);
        assert_eq!(followed.len(), LISTED_FOLLOWED);
        assert_eq!(followed[..3], [group(many), group(1), group(2)]);
        assert!(!followed.contains(&group(many - 1)));
    }

    #[test]
    fn a_failed_read_waits_for_the_next_tick_and_reads_are_bounded() {
        let mut inboxes = Inboxes::default();
        for user in 1..=READING as u64 + 1 {
            inboxes.changed(UserId(user));
            inboxes.reported(UserId(user));
        }
        let read: Vec<UserId> = std::iter::from_fn(|| inboxes.next()).collect();
        assert_eq!(read.len(), READING);
        inboxes.ended(UserId(1), false);
        assert_eq!(inboxes.next(), Some(UserId(READING as u64 + 1)));
        inboxes.ended(UserId(2), true);
        assert_eq!(inboxes.next(), None);
        inboxes.try_again();
        assert_eq!(inboxes.next(), Some(UserId(1)));
    }
}
