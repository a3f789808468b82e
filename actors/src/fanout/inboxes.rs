//! Whose conversation lists this node has to read, and when; and what news of them does.
//!
//! The leader of a user's shard pushes what comes to the list and what leaves it to the nodes that
//! it knows the user at. Until it has been told, and told again by each new leader, such a push
//! goes nowhere; so the list is read *after* that, and nothing can fall between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ractor::ActorRef;
use troupe_core::{ConversationId, Seq, ShardId, UserId, limits};

use crate::conversation::push_frame;
use crate::fanout::connections::Added;
use crate::fanout::{FanoutMsg, FanoutState};
use crate::message::{Answer, Request, say};
use crate::router::{PATIENCE, Router};

/// Lists read at once: after a change of leader those of all users here are wanted, and nobody
/// waits for them.
const READING: usize = 32;
/// Conversations of a list that are followed: one place is the channel's, which is on no list.
const LISTED_FOLLOWED: usize = limits::CONVERSATIONS_FOLLOWED - 1;

#[derive(Debug, Default)]
pub struct Inboxes {
    /// The leader does not know yet that they are here.
    unheard: BTreeSet<UserId>,
    wanted: BTreeSet<UserId>,
    /// To be tried again with the next tick.
    failed: BTreeSet<UserId>,
    reading: usize,
}

impl Inboxes {
    /// A user is new here, or the leader is.
    pub fn changed(&mut self, user: UserId) {
        self.unheard.insert(user);
    }

    /// The leader knows from now on.
    pub fn heard(&mut self, user: UserId) {
        if self.unheard.remove(&user) {
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
            let (router, myself) = (self.world.router.clone(), myself.clone());
            tokio::spawn(async move {
                let conversations = read(&router, user).await;
                let _ = myself.send_message(FanoutMsg::Inbox { user, conversations });
            });
        }
    }

    /// The most recently active first. `None`: it could not be read now.
    pub(super) fn inbox_read(&mut self, user: UserId, conversations: Option<Vec<ConversationId>>) {
        self.inboxes.ended(user, conversations.is_some() || !self.users.contains_key(&user));
        let connections = self.users.get(&user).cloned().unwrap_or_default();
        if let Some(listed) = conversations.as_ref().filter(|listed| listed.len() >= LISTED_FOLLOWED) {
            // Quiet ones make room for those that are livelier by now.
            let listed: BTreeSet<ConversationId> = listed.iter().copied().collect();
            connections.iter().for_each(|id| self.follow_only(*id, &listed));
        }
        // Followed in reverse, so that the most recently active one counts as the liveliest.
        for conversation in conversations.into_iter().flatten().rev() {
            connections.iter().for_each(|id| self.follow(*id, conversation, Added::BEFORE));
        }
    }

    /// News may come after a newer state was read from the list, or heard from the conversation.
    pub(super) fn inbox_changed(&mut self, user: UserId, conversation: ConversationId, present: bool, version: Seq) {
        let joined = |fanout: &FanoutState, id| {
            fanout
                .conversations
                .get(&conversation)
                .is_some_and(|subscription| subscription.has_joined_since(id, version))
        };
        for id in self.users.get(&user).cloned().unwrap_or_default() {
            if present {
                // Its device is told of the conversation together with the head.
                self.follow(id, conversation, Added::now(conversation, version));
            } else if !joined(self, id)
                && let Some(local) = self.connections.get(&id)
            {
                // Listening ends with the event that removed this user, which may not have come
                // yet.
                let frame = push_frame(say::server_frame::Message::Conversation(say::ConversationPush {
                    conversation: conversation.to_string(),
                    present: false,
                    head: 0,
                }));
                local.push(&self.world, frame);
            }
        }
    }
}

/// The conversations of the list that the user's connections follow, the most recently active first
/// if there are too many.
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

/// When something was last said in these conversations of one shard; nothing of a shard that does
/// not answer.
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

/// A conversation whose time is not known comes first: it must not fall out because its shard is
/// late.
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
    fn a_list_is_read_when_the_leader_knows_and_again_when_another_does() {
        let mut inboxes = Inboxes::default();
        let ann = UserId(1);
        inboxes.changed(ann);
        assert_eq!(inboxes.next(), None);
        inboxes.heard(ann);
        assert_eq!(inboxes.next(), Some(ann));
        inboxes.ended(ann, true);
        // Said again to the same leader: nothing can have been missed.
        inboxes.heard(ann);
        assert_eq!(inboxes.next(), None);
        inboxes.changed(ann);
        inboxes.heard(ann);
        assert_eq!(inboxes.next(), Some(ann));
    }

    #[test]
    fn the_most_recently_active_are_followed_first() {
        let group = |number| ConversationId::Group(troupe_core::GroupId(number));
        let many = limits::CONVERSATIONS_FOLLOWED as u64 + 300;
        let all: Vec<ConversationId> = (1..=many).map(group).collect();
        // The highest ids are the quietest, and of one nothing is known.
        let times = (1..many).map(|number| (group(number), many - number)).collect();
        let followed = most_recent(all, &times, LISTED_FOLLOWED);
        assert_eq!(followed.len(), LISTED_FOLLOWED);
        assert_eq!(followed[..3], [group(many), group(1), group(2)]);
        assert!(!followed.contains(&group(many - 1)));
    }

    #[test]
    fn what_fails_waits_for_the_next_tick_and_many_wait_for_each_other() {
        let mut inboxes = Inboxes::default();
        for user in 1..=READING as u64 + 1 {
            inboxes.changed(UserId(user));
            inboxes.heard(UserId(user));
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
